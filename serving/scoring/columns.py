"""Scores a panel in columns: the one way from signals to scores for the nightly batch and the worker.

`ScoredColumns.rows` gives the same as one object a row, for the store and the write-backs."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.kit.errors import BadInput, Fault
from features.outcomes.catalog import outcomes_of
from features.outcomes.outcome import Outcome
from features.signals.signal import is_signal_column
from features.sources.schema import ENTITIES
from models.scorer.reasons import Told
from models.scorer.scorer import Reason, Scorer
from models.scorer.sigmoid import sigmoid
from serving import eligibility
from serving.champion import Champion
from serving.scoring import repository as stored
from serving.scoring.repository import Values
from serving.scoring.rows import ScoredRow, at_stake

if TYPE_CHECKING:
    from features.sources.source import Source

HALF = 1e-6
"""Distance to half a cent below which Python rounds the amount: it knows the exact number."""


@dataclass(frozen=True)
class ScoredColumns:
    """n rows of a panel, m of them with a score."""

    panel: pa.Table
    no_score: pa.ChunkedArray
    """(n,) text; null where there is a score."""
    at: np.ndarray
    """(m,) int64: index of the rows with a score."""
    log_odds: np.ndarray
    probability: np.ndarray
    percentile: np.ndarray
    """(m,) int64, 1 to 100."""
    themes: np.ndarray | None
    """(m, themes) effects by theme; None without reasons."""
    told: Told | None
    at_stake: np.ndarray
    """(m,) probability x value in whole cents; NaN when the value is not known."""

    def rows(self, champion: Champion, values: Sequence[Values]) -> list[ScoredRow]:
        """The same as objects, for the store; `values` is `signal_rows(panel)`."""
        scorer = champion.scorer
        fixed = self.panel.select(["entity_id", "as_of", "value"]).to_pydict()
        inputs = [{name: row[name] for name in scorer.names} for row in values]
        kept = self.no_score.to_pylist()
        columns = zip(fixed["entity_id"], fixed["as_of"], fixed["value"], inputs, kept, strict=True)
        found = [ScoredRow(each, as_of, value, own, why) for each, as_of, value, own, why in columns]
        reasons = self._reasons(scorer, inputs)
        themes = None if self.themes is None else self.themes.tolist()
        numbers = zip(self.at.tolist(), self.probability.tolist(), self.percentile.tolist(), strict=True)
        for place, (i, probability, percentile) in enumerate(numbers):
            row = found[i]
            found[i] = ScoredRow(
                row.entity_id,
                row.as_of,
                row.value,
                row.inputs,
                None,
                probability,
                percentile,
                scorer.band_names[percentile - 1],
                reasons[place],
                None if themes is None else dict(zip(scorer.themes, themes[place], strict=True)),
            )
        return found

    def _reasons(self, scorer: Scorer, inputs: Sequence[Values]) -> list[list[Reason]]:
        found: list[list[Reason]] = [[] for _ in self.at]
        if self.told is None:
            return found
        told, at = self.told, self.at.tolist()
        columns = (told.rows, told.signals, told.effects, told.shares, told.places, told.sizes)
        members = iter(zip(told.members.tolist(), told.parts.tolist(), strict=True))
        for place, j, effect, share, text, size in zip(*(c.tolist() for c in columns), strict=True):
            signal = scorer.spec.signals[j]
            value = inputs[at[place]][signal.name]
            value = float(value) if isinstance(value, bool) else value
            found[place].append(
                Reason(
                    signal.name,
                    signal.theme,
                    value,
                    "up" if effect > 0 else "down",
                    effect,
                    share,
                    told.texts[text],
                    {scorer.names[i]: part for i, part in islice(members, size)},
                )
            )
        return found


def score_columns(
    champion: Champion, panel: pa.Table, reasons: int, opted_out_ids: Set[str] = frozenset()
) -> ScoredColumns:
    """Scores every row of a panel. Rows without a score are kept, with the reason. `opted_out_ids` get `opted_out`.

    `opted_out_ids` are the ids that must not be scored; they get `opted_out`. Raises `BadInput` when the panel lacks signals that the
    scorer needs.
    """
    kept, at = to_score(champion, panel, opted_out_ids)
    return assembled(champion.scorer, panel, kept, at, explained(champion.scorer, panel, at, reasons))


@dataclass(frozen=True)
class Explained:
    """Log-odds and reasons of m rows: what needs the scorer only, and what a cluster computes
    (`serving.batch.spark`).
    """

    log_odds: np.ndarray
    themes: np.ndarray | None
    told: Told | None


def require_populations(source: Source, live: Iterable[Champion]) -> None:
    """Raises `BadInput` with every signal that a live version's population reads and the source does not offer.
    Called before scoring.
    """
    from features.panel.build import signals_of

    wanting = [c for c in live if c.population and source.has(ENTITIES[c.entity])]
    offered = {c.definition.entity: {s.name for s in signals_of(source, c.definition.entity)} for c in wanting}
    faults = [fault for c in wanting for fault in _population_faults(c, offered[c.definition.entity])]
    if faults:
        raise BadInput(f"source {source.name!r} for the live models", faults)


def _population_faults(champion: Champion, offered: Collection[str]) -> list[Fault]:
    return [
        Fault(
            where=f"models/{champion.name.replace('-', '_')}.py, field population, {name}",
            found="the source does not offer the signal",
            rule=f"version {champion.version} is for those of whom {champion.population}",
            next_step="deliver its table and columns again (python -m features check), or train a version without it",
        )
        for name in champion.population.signals
        if name not in offered
    ]


def eligibility_of(champion: Champion, panel: pa.Table) -> pa.ChunkedArray:
    """(n,) text: `eligible`, or why the model gives no score. Raises `BadInput` when the panel lacks what its population reads."""
    from features.panel.outcome_columns import eligibility_of as of_outcome  # not imported on a cluster

    faults = _population_faults(champion, panel.column_names)
    if faults:
        raise BadInput(f"the signals for {champion.name}", faults)
    return champion.population.narrow(of_outcome(panel, champion.definition.outcome), panel)


def outcomes_for(models: Sequence[Champion]) -> list[Outcome]:
    """The outcomes whose eligibility a panel for these models of one entity must hold. The usual one is first: it is
    stored beside the signals.
    """
    return [*outcomes_of(models[0].definition.entity)[:1], *(model.definition.outcome for model in models)]


def to_score(
    champion: Champion, panel: pa.Table, opted_out_ids: Set[str] = frozenset()
) -> tuple[pa.ChunkedArray, np.ndarray]:
    """Returns, per row, the reason for no score (null when it gets one), and the (m,) index of the rows to score."""
    status = eligibility_of(champion, panel)
    if opted_out_ids:
        asked = pc.is_in(panel["entity_id"], value_set=pa.array(sorted(opted_out_ids), pa.string()))
        status = pc.if_else(asked, eligibility.OPTED_OUT, status)
    eligible = pc.fill_null(pc.equal(status, eligibility.ELIGIBLE), False)
    return pc.if_else(eligible, pa.scalar(None, pa.string()), status), np.flatnonzero(eligible.to_numpy())


def explained(scorer: Scorer, panel: pa.Table, at: np.ndarray, reasons: int) -> Explained:
    """Scores some rows of a panel, with the strongest reasons."""
    x = scorer.encode({name: panel[name] for name in panel.column_names if is_signal_column(name)})[at]
    if not reasons:
        return Explained(scorer.log_odds(x), None, None)
    log_odds, effects = scorer.explain(x)
    return Explained(log_odds, scorer.theme_sums(effects), scorer.tell(x, effects, reasons))


def assembled(
    scorer: Scorer, panel: pa.Table, kept: pa.ChunkedArray, at: np.ndarray, found: Explained
) -> ScoredColumns:
    """Completes scores from log-odds and panel; the same code wherever the log-odds were computed."""
    probability = sigmoid(found.log_odds)
    value = panel["value"].cast(pa.float64()).to_numpy()[at]
    return ScoredColumns(
        panel,
        kept,
        at,
        found.log_odds,
        probability,
        scorer.percentile(probability).astype(np.int64),
        found.themes,
        found.told,
        stakes(probability, value),
    )


def stored_rows(
    panel: pa.Table, values: Sequence[Values], as_of: datetime, models: Sequence[Champion], origin: str
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Rows of the store for a panel of one entity kind: signals, and who gets a score by which model.

    `values` is `signal_rows(panel)`, `models` are the live ones, one at least.
    """
    entity, fixed = models[0].entity, panel.select(["entity_id", "eligibility", "value"]).to_pydict()
    found = zip(fixed["entity_id"], fixed["eligibility"], fixed["value"], values, strict=True)
    codes = [
        stored.eligibility_row(model.name, entity, entity_id, as_of, code)
        for model in models
        for entity_id, code in zip(fixed["entity_id"], eligibility_of(model, panel).to_pylist(), strict=True)
    ]
    return [stored.row(entity, i, as_of, status, worth, own, origin) for i, status, worth, own in found], codes


def stakes(probability: np.ndarray, value: np.ndarray) -> np.ndarray:
    """(m,) probability x value rounded to cents, as `at_stake` rounds one; NaN when the value is not known.

    >>> stakes(np.array([0.37, 0.5, 0.5]), np.array([48000.0, np.nan, 0.01]))
    array([1.776e+04,       nan, 1.000e-02])
    """
    cents = probability * value * 100
    found = np.rint(cents) / 100
    unsure = (np.abs(np.abs(cents - np.trunc(cents)) - 0.5) < HALF) | (np.abs(cents) >= 2.0**40)
    for i in np.flatnonzero(unsure).tolist():
        exact = at_stake(float(probability[i]), float(value[i]))
        found[i] = math.nan if exact is None else exact
    return found
