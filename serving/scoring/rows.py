"""One scored row as an object, for the store and for write-backs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa

from features.kit.clock import to_us
from features.signals.signal import is_signal_column
from models.scorer.scorer import Reason
from serving.champion import Champion
from serving.decisions import repository as history
from serving.decisions.earlier_rows import Old
from serving.scoring.repository import Values


@dataclass(frozen=True)
class ScoredRow:
    """One entity as of one moment, by one model."""

    entity_id: str
    as_of: datetime
    value: float | None
    inputs: Values
    no_score: str | None = None
    probability: float | None = None
    score: int | None = None
    band: str | None = None
    reasons: Sequence[Reason] = ()
    themes: Mapping[str, float] | None = None

    @property
    def at_stake(self) -> float | None:
        """probability x value, currency units; None when either is unknown."""
        return at_stake(self.probability, self.value)

    def decision(
        self,
        champion: Champion,
        *,
        cause: str,
        run_id: str | None,
        recorded_at_us: int,
        old_rows: Mapping[int, Old] | None = None,
    ) -> dict[str, Any]:
        return history.decision(
            model=champion.name,
            entity=champion.entity,
            entity_id=self.entity_id,
            as_of_us=to_us(self.as_of),
            recorded_at_us=recorded_at_us,
            cause=cause,
            run_id=run_id,
            version=champion.version,
            scorer=champion.sha256,
            probability=self.probability,
            score=self.score,
            band=self.band,
            no_score=self.no_score,
            value=self.value,
            reasons=self.reasons,
            inputs=champion.scorer.pack(self.inputs) if self.no_score is None else (),
            old_rows=old_rows if self.no_score is None else None,
        )


def at_stake(probability: float | None, value: float | None) -> float | None:
    """probability x value, rounded to cents.

    >>> at_stake(0.37, 48000.0), at_stake(0.5, None)
    (17760.0, None)
    """
    return None if probability is None or value is None else round(probability * value, 2)


def signal_rows(panel: pa.Table) -> list[Values]:
    """The signals of each row by name; a missing number is None."""
    names = [name for name in panel.column_names if is_signal_column(name)]
    rows: list[Values] = panel.select(names).to_pylist()
    for name in names:
        if pa.types.is_floating(panel.schema.field(name).type):
            for row in rows:
                value = row[name]
                if value is not None and math.isnan(value):  # type: ignore[arg-type]  # the column is float64
                    row[name] = None
    return rows
