"""Schema of the published rows; they hold no wall clock."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa

from models.scorer.scorer import Scorer
from serving.batch.previous_run import Moved
from serving.champion import Champion
from serving.scoring.arrow import MEMBERS, chosen, lists, members, signal_and_theme
from serving.scoring.columns import ScoredColumns

REASON = pa.struct(
    [
        ("signal", pa.string()),
        ("theme", pa.string()),
        ("value", pa.float64()),
        ("category", pa.string()),
        ("effect", pa.float64()),
        ("text", pa.string()),
        ("members", MEMBERS),
    ]
)
"""`value` holds numbers, `category` texts; both are null when the signal was missing. `effect` is the sum over
`members`.
"""
CHANGE = pa.struct([(part, pa.int64()) for part in ("data", "time", "version", "thresholds")])
"""Points of the score by cause; they sum to its change (see `serving.score_change.attribution`)."""
SCHEMA = pa.schema(
    [
        pa.field("entity_id", pa.string(), nullable=False),
        pa.field("as_of", pa.timestamp("us", "UTC"), nullable=False),
        pa.field("run_id", pa.string(), nullable=False),
        pa.field("model", pa.string(), nullable=False),
        pa.field("version", pa.int64()),
        pa.field("scorer", pa.string(), nullable=False),
        ("probability", pa.float64()),
        ("score", pa.int64()),
        ("band", pa.string()),
        ("value", pa.float64()),
        ("value_at_risk", pa.float64()),
        ("no_score", pa.string()),
        ("reasons", pa.list_(REASON)),
        ("themes", pa.list_(pa.struct([("theme", pa.string()), ("effect", pa.float64())]))),
        ("previous_probability", pa.float64()),
        ("previous_score", pa.int64()),
        ("previous_band", pa.string()),
        ("change", CHANGE),
        ("change_texts", pa.list_(pa.string())),
    ]
)
"""`previous_...` are of the previous run, null when it had no score; `change` is null too when its causes are
unknown.
"""


def table(champion: Champion, scored: ScoredColumns, run_id: str, moved: Moved | None = None) -> pa.Table:
    """A scored chunk as a table of `SCHEMA`, in its order."""
    panel, rows, scorer = scored.panel, scored.panel.num_rows, champion.scorer
    of_row = _of_row(rows, scored.at)

    def spread(values: pa.Array) -> pa.Array:
        """Spreads one value per scored row over all rows, null for the others."""
        return values.take(of_row)

    columns = {
        "entity_id": panel["entity_id"],
        "as_of": panel["as_of"],
        "run_id": pa.repeat(run_id, rows),
        "model": pa.repeat(champion.name, rows),
        "version": pa.repeat(pa.scalar(champion.version, pa.int64()), rows),
        "scorer": pa.repeat(champion.sha256, rows),
        "probability": spread(pa.array(scored.probability)),
        "score": spread(pa.array(scored.percentile)),
        "band": spread(chosen(scorer.band_names, scored.percentile - 1)),
        "value": panel["value"],
        "value_at_risk": spread(pa.array(scored.at_stake, from_pandas=True)),
        "no_score": scored.no_score,
        "reasons": _reasons(scorer, scored),
        "themes": _themes(scorer, scored, spread),
        **_moved(rows, moved),
    }
    return pa.table([columns[name] for name in SCHEMA.names], schema=SCHEMA)


def _of_row(rows: int, at: np.ndarray) -> pa.Array:
    """(rows,) index in `at` of each row; null for a row that is not in it."""
    place, without = np.zeros(rows, dtype=np.int64), np.ones(rows, dtype=bool)
    place[at], without[at] = np.arange(len(at)), False
    return pa.array(place, mask=without)


def _reasons(scorer: Scorer, scored: ScoredColumns) -> pa.Array:
    """A row without a score has an empty list."""
    counts, told = np.zeros(scored.panel.num_rows, dtype=np.int64), scored.told
    if told is None:
        return lists(counts, list(REASON), [pa.array([], field.type) for field in REASON])
    counts[scored.at] = told.counts
    rows, words = scored.at[told.rows], [j for j, s in enumerate(scorer.spec.signals) if s.vocabulary is not None]
    number, category = np.full(len(rows), np.nan), np.zeros(len(rows), dtype=np.int64)
    is_word = np.isin(told.signals, words)
    texts: list[pa.Array] = [pa.array([], pa.string())]
    for j in np.unique(told.signals).tolist():
        here = np.flatnonzero(told.signals == j)
        column = scored.panel[scorer.names[j]].take(pa.array(rows[here]))
        if is_word[here[0]]:
            category[here] = sum(map(len, texts)) + np.arange(len(here))
            texts += column.cast(pa.string()).chunks
        else:
            number[here] = column.cast(pa.float64()).to_numpy()
    children = [
        *signal_and_theme(scorer, told),
        pa.array(number, from_pandas=True),
        pa.concat_arrays(texts).take(pa.array(category, mask=~is_word)),
        pa.array(told.effects),
        chosen(told.texts, told.places),
        members(scorer, told),
    ]
    return lists(counts, list(REASON), children)


def _themes(scorer: Scorer, scored: ScoredColumns, spread: Callable[[pa.Array], pa.Array]) -> pa.Array:
    kind = SCHEMA.field("themes").type
    if scored.themes is None:
        return pa.nulls(scored.panel.num_rows, kind)
    rows, each = scored.themes.shape
    names = chosen(scorer.themes, np.tile(np.arange(each), rows))
    own = lists(np.full(rows, each), list(kind.value_type), [names, pa.array(scored.themes.ravel())])
    return spread(own)


def _moved(rows: int, moved: Moved | None) -> dict[str, pa.Array]:
    names = [name for name in SCHEMA.names if name.startswith(("previous_", "change"))]
    found = {name: pa.nulls(rows, SCHEMA.field(name).type) for name in names}
    if moved is None:
        return found
    found |= {f"previous_{name}": moved.before[name] for name in moved.before.column_names}
    if moved.causes is not None:
        of_row, causes = _of_row(rows, moved.at), moved.causes
        parts = [pa.array(causes.score[field.name]) for field in CHANGE]
        found["change"] = pa.StructArray.from_arrays(parts, fields=list(CHANGE)).take(of_row)
        ends = pa.array(np.concatenate([[0], causes.counts.cumsum()]).astype(np.int32))
        found["change_texts"] = pa.ListArray.from_arrays(ends, chosen(causes.texts, causes.places)).take(of_row)
    return found
