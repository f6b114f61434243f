"""The rows of a run, as they are published: no wall clock in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from serving.batch.changes import Moved
from serving.champion import Champion
from serving.scoring.panel import ScoredRow

REASON = pa.struct(
    [
        ("signal", pa.string()),
        ("theme", pa.string()),
        ("value", pa.float64()),
        ("category", pa.string()),
        ("effect", pa.float64()),
        ("text", pa.string()),
    ]
)
"""`value` holds numbers, `category` texts; both null when the signal was missing."""
CHANGE = pa.struct([(part, pa.int64()) for part in ("signals", "time", "version", "thresholds")])
"""Points of the score by cause; they sum to its change (see `serving.change.split`)."""
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
"""`previous_...` are of the run before, null when it had no score; `change` is null too when its causes cannot be told."""


def table(champion: Champion, rows: Sequence[ScoredRow], run_id: str, moved: Mapping[str, Moved]) -> pa.Table:
    """Scored rows as a table of `SCHEMA`, in their order."""
    return pa.Table.from_pylist([_published(champion, row, run_id, moved) for row in rows], schema=SCHEMA)


def _published(champion: Champion, row: ScoredRow, run_id: str, moved: Mapping[str, Moved]) -> dict[str, Any]:
    change = moved.get(row.entity_id)
    return {
        "entity_id": row.entity_id,
        "as_of": row.as_of,
        "run_id": run_id,
        "model": champion.name,
        "version": champion.version,
        "scorer": champion.sha256,
        "probability": row.probability,
        "score": row.score,
        "band": row.band,
        "value": row.value,
        "value_at_risk": row.at_stake,
        "no_score": row.no_score,
        "reasons": [
            {
                "signal": reason.signal,
                "theme": reason.theme,
                "value": None if reason.value is None or isinstance(reason.value, str) else float(reason.value),
                "category": reason.value if isinstance(reason.value, str) else None,
                "effect": reason.effect,
                "text": reason.text,
            }
            for reason in row.reasons
        ],
        "themes": None if row.themes is None else [{"theme": t, "effect": e} for t, e in sorted(row.themes.items())],
        "previous_probability": None if change is None else change.probability,
        "previous_score": None if change is None else change.score,
        "previous_band": None if change is None else change.band,
        "change": None if change is None else change.parts,
        "change_texts": None if change is None else change.texts,
    }
