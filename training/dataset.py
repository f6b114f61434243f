"""Labelled rows as every candidate reads them: one float matrix, categories as codes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from features.readiness.encoding import Column, encode, is_constant, vocabulary
from features.signals.signal import Signal


@dataclass(frozen=True)
class Rows:
    """One row per (entity, as_of), n rows and k signals.

    `x` is (n, k) float64 as `models.scorer.scorer` has it: the value of a number, the code of a word (its place in the
    vocabulary, `len(vocabulary)` for any other word), NaN when missing. `y` is (n,) of 0.0 and 1.0.
    """

    signals: tuple[Signal, ...]
    vocabularies: tuple[tuple[str, ...] | None, ...]
    """Per signal its words, None for a number."""
    x: np.ndarray
    y: np.ndarray
    time: np.ndarray | None
    """(n,) int64 microseconds since 1970 of `as_of`, or any order that stands for time; None when there is none."""
    group: np.ndarray
    """(n,) int64: rows with the same number belong to one account and are resampled together."""
    value: np.ndarray
    """(n,) float64 money at stake, NaN when unknown."""
    entity_id: np.ndarray
    """(n,) text."""

    def __len__(self) -> int:
        return len(self.y)

    def take(self, index: np.ndarray) -> Rows:
        """The rows of an index or a mask, in its order."""
        return replace(
            self,
            x=self.x[index],
            y=self.y[index],
            time=None if self.time is None else self.time[index],
            group=self.group[index],
            value=self.value[index],
            entity_id=self.entity_id[index],
        )

    def keep(self, signals: np.ndarray) -> Rows:
        """The same rows with the signals at these positions only."""
        return replace(
            self,
            signals=tuple(self.signals[j] for j in signals),
            vocabularies=tuple(self.vocabularies[j] for j in signals),
            x=np.ascontiguousarray(self.x[:, signals]),
        )

    @property
    def categories(self) -> list[int]:
        """Positions of the signals that are words."""
        return [j for j, words in enumerate(self.vocabularies) if words is not None]


def make_rows(
    signals: Sequence[Signal],
    columns: Mapping[str, Column],
    y: np.ndarray,
    *,
    time: np.ndarray | None,
    group: np.ndarray,
    value: np.ndarray | None = None,
    entity_id: np.ndarray | None = None,
    learnt_from: np.ndarray | None = None,
) -> Rows:
    """Rows out of Arrow columns; vocabularies are read from the mask `learnt_from` (all rows when None).

    Signals that have fewer than two different values there (missing counts as one) cannot tell anything and are left out.
    """
    n = len(y)
    seen = np.ones(n, dtype=bool) if learnt_from is None else learnt_from
    mask = pa.array(seen)
    kept: list[Signal] = []
    vocabularies: list[tuple[str, ...] | None] = []
    arrays: list[np.ndarray] = []
    for signal in signals:
        column = columns[signal.name]
        words = vocabulary(column.filter(mask)) if signal.is_category else None
        encoded = encode(column, words)
        if not is_constant(encoded[seen]):
            kept.append(signal)
            vocabularies.append(words)
            arrays.append(encoded)
    return Rows(
        signals=tuple(kept),
        vocabularies=tuple(vocabularies),
        x=np.ascontiguousarray(np.column_stack(arrays)) if arrays else np.empty((n, 0)),
        y=np.asarray(y, dtype=np.float64),
        time=time,
        group=np.asarray(group, dtype=np.int64),
        value=np.full(n, np.nan) if value is None else np.asarray(value, dtype=np.float64),
        entity_id=np.arange(n).astype(str) if entity_id is None else entity_id,
    )
