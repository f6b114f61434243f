"""Outcomes of the scores in a star, from the day on which they are certain."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from features.kit.clock import DAY_US, to_us
from features.outcomes.labels import Outcomes, OutcomesRefused, came_at, label, ripe
from features.outcomes.outcome import Outcome
from features.outcomes.read import read_outcomes
from features.sources.source import Source
from models.catalog import MODELS
from serving.export import rows, star_schema
from serving.export.destination import Destination, Waiting


@dataclass
class Ripened:
    """Rows of `outcome_fact` that were written, by model, and how many scores of runs still wait for theirs."""

    rows: Counter[str]
    runs: int
    waiting: int
    notes: tuple[str, ...]


def ripen(star: Destination, source: Source) -> Ripened:
    """Writes the outcomes of every run of this source whose window is over, once each."""
    found, told = Ripened(Counter(), 0, 0, ()), _Told(source)
    for waiting in star.waiting():
        if waiting.source != source.name:
            continue
        outcomes = told.of(waiting.model)
        if outcomes is None or not ripe(outcomes, to_us(waiting.as_of), waiting.horizon_days * DAY_US):
            found.waiting += 1
            continue
        table = outcome_fact(waiting, star.scored(waiting), outcomes)
        star.put_outcomes(waiting, table)
        found.rows[waiting.model] += len(table)
        found.runs += 1
    found.notes = tuple(told.notes)
    return found


def outcome_fact(waiting: Waiting, ids: list[str], outcomes: Outcomes) -> pa.Table:
    """Rows of `outcome_fact` of one model in one run; `ids` are the entities that it gave a score."""
    as_of, horizon = to_us(waiting.as_of), waiting.horizon_days * DAY_US
    moments = np.full(len(ids), as_of, dtype=np.int64)
    y = label(outcomes, ids, moments, horizon)
    at = came_at(outcomes, ids, moments)
    entity = pa.array(ids, pa.string())
    return rows.put(
        star_schema.OUTCOME_FACT,
        len(ids),
        {
            "score_key": rows.key(pa.scalar(f"{waiting.run_id}/{waiting.model}"), entity),
            "run_id": waiting.run_id,
            "as_of": waiting.as_of,
            "model": waiting.model,
            "entity_id": entity,
            "happened": pa.array(y == 1.0, mask=np.isnan(y)),
            "happened_at": pa.array(at, pa.timestamp("us", "UTC"), mask=y != 1.0),
            "window_end": pa.scalar(as_of + horizon, pa.timestamp("us", "UTC")),
        },
    )


class _Told:
    """Outcomes in a source, read when asked for."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._read: dict[str, Outcomes | None] = {}
        self.notes: list[str] = []

    def of(self, model: str) -> Outcomes | None:
        """The outcome that a model predicts; None when the source lacks it or the model no longer exists."""
        known = MODELS.get(model)
        name = known.outcome.name if known else model
        if name not in self._read:
            self._read[name] = (
                self._of(known.outcome) if known else self._without(model, f"no model is called {model!r}")
            )
        return self._read[name]

    def _of(self, outcome: Outcome) -> Outcomes | None:
        try:
            found = read_outcomes(self._source, outcome)
        except OutcomesRefused as refused:
            return self._without(f"{outcome.entity}s", str(refused.faults[0]))
        if found.snapshot is not None:
            self._without(f"{outcome.entity}s", "those of this source have no dates")
        return found

    def _without(self, whose: str, why: str) -> Outcomes | None:
        self.notes.append(f"no outcome of {whose} is filled in: {why}")
        return None
