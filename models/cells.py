"""Every signal's axis cut into cells, within which nothing that a model asks of the signal changes.

A tree's questions and the knots of a shape cut an axis at known places, so a row is known to the model by one cell per
signal: what it adds is a table look-up. "Missing" is a cell of its own.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

FEW = 48
"""Rows up to which one search over all signals beats one per signal: 2 against 40 us for one row of 40 signals, level near here."""


class Cells:
    """Cell i of a signal holds cuts[i-1] <= x < cuts[i]; after the last one comes the cell of missing values.

    >>> cells = Cells([np.array([0.0, 10.0]), np.array([1.0])])
    >>> cells.find(np.array([[-5.0, 0.0], [10.0, 1.0], [np.nan, np.nan]])).tolist()
    [[0, 4], [2, 5], [3, 6]]
    """

    def __init__(self, cuts: Sequence[np.ndarray]) -> None:
        self.cuts = [np.unique(np.asarray(own, dtype=np.float64)) for own in cuts]
        if not all(np.isfinite(own).all() for own in self.cuts):
            raise ValueError("a cut must be a finite number")
        sizes = np.array([len(own) + 2 for own in self.cuts], dtype=np.int64)
        self.count = int(sizes.sum())
        self.starts = np.concatenate([[0], np.cumsum(sizes)])[:-1].astype(np.int64)
        self._signal = np.arange(len(cuts), dtype=np.float64)
        self._missing = self._signal + 0.25
        # Complex numbers are ordered by their real part (here the signal), then by their imaginary part (here the value), so
        # that one binary search serves all signals. A missing value is (signal + 1/4, 0), between the two last marks.
        self._marks = np.empty(self.count, dtype=np.complex128)
        for j, (own, start) in enumerate(zip(self.cuts, self.starts.tolist(), strict=True)):
            mine = self._marks[start : start + len(own) + 2]
            mine.real[: len(own)], mine.imag[: len(own)] = j, own
            mine[len(own)], mine[len(own) + 1] = j + 0.125, j + 0.5

    def find(self, x: np.ndarray) -> np.ndarray:
        """(n, k) int64 cells of (n, k) values; cells are numbered through all signals."""
        gone = np.isnan(x)
        known = np.where(gone, 0.0, x)
        if len(x) <= FEW:
            key = np.empty(x.shape, dtype=np.complex128)
            key.real = np.where(gone, self._missing, self._signal)
            key.imag = known
            return self._marks.searchsorted(key, side="right")
        found = np.empty(x.shape, dtype=np.int64)
        for j, own in enumerate(self.cuts):
            found[:, j] = own.searchsorted(known[:, j], side="right") if len(own) else 0
            found[gone[:, j], j] = len(own) + 1
        found += self.starts
        return found

    def samples(self, j: int) -> np.ndarray:
        """One value out of each cell of a signal, in their order; NaN for the cell of missing values."""
        own = self.cuts[j]
        return np.concatenate([np.nextafter(own[:1], -np.inf) if len(own) else [0.0], own, [np.nan]])

    def within(self, finer: Cells) -> np.ndarray:
        """(finer.count,) the cell of this partition that each cell of a finer one lies in.

        Raises `ValueError` when the other is not finer.
        """
        for own, other in zip(self.cuts, finer.cuts, strict=True):
            if not np.isin(own, other).all():
                raise ValueError("the other partition lacks a cut of this one")
        parts = []
        for j, start in enumerate(self.starts.tolist()):
            place = self.cuts[j].searchsorted(finer.samples(j), side="right")
            place[-1] = len(self.cuts[j]) + 1
            parts.append(place + start)
        return np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)
