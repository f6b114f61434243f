"""Bins each signal at the model's split points and knots; inside a cell every split decides the same.

One cell per signal is all that the trees need to know of a row, so that its effects are a table look-up. "Missing" is a
cell of its own.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

FEW = 48
"""Up to this many rows one search over all signals is faster than one per signal (one row of 40 signals: 2 us against 40 us)."""


class Cells:
    """Cell i of a signal holds cuts[i-1] <= x < cuts[i]. The cells of missing values, one a signal, come after all others.

    >>> cells = Cells([np.array([0.0, 10.0]), np.array([1.0])])
    >>> cells.find(np.array([[-5.0, 0.0], [10.0, 1.0], [np.nan, np.nan]])).tolist()
    [[0, 3], [2, 4], [5, 6]]
    """

    def __init__(self, cuts: Sequence[np.ndarray], columns: Sequence[int] | None = None) -> None:
        """`columns` says which columns of a matrix the axes are, when they are not all of them."""
        self.columns = None if columns is None else np.array(columns, dtype=np.int64)
        self.cuts = [np.unique(np.asarray(own, dtype=np.float64)) for own in cuts]
        if not all(np.isfinite(own).all() for own in self.cuts):
            raise ValueError("a cut must be a finite number")
        sizes = np.array([len(own) + 1 for own in self.cuts], dtype=np.int64)
        known, k = int(sizes.sum()), len(self.cuts)
        self.count = known + k
        self.starts = np.concatenate([[0], np.cumsum(sizes)])[:-1].astype(np.int64)
        self._signal = np.arange(k, dtype=np.float64)
        self._missing = known + np.arange(k)
        # NumPy orders complex numbers by their real part (here the signal), then by the imaginary one (here the value), those
        # whose imaginary part is NaN behind all others: one binary search serves all signals, missing values included.
        marks = np.empty(self.count, dtype=np.complex128)
        for j, (own, start) in enumerate(zip(self.cuts, self.starts.tolist(), strict=True)):
            mine = marks[start : start + len(own) + 1]
            mine.real, mine.imag[:1], mine.imag[1:] = j, -np.inf, own
        marks[known:].real, marks[known:].imag = self._signal, np.nan
        self._marks = marks[1:]  # without the first one, the number of marks not above a value is its cell

    def find(self, x: np.ndarray) -> np.ndarray:
        """(n, k) int64 cells of (n, k) values, or of the chosen columns of them; cells are numbered through all signals."""
        if self.columns is not None:
            x = x.take(self.columns, axis=1)
        if len(x) <= FEW:
            key = np.empty(x.shape, dtype=np.complex128)
            key.real = self._signal
            key.imag = x
            return self._marks.searchsorted(key, side="right")
        found = np.empty(x.shape[::-1], dtype=np.int64)  # a signal's cells beside each other
        for j, own in enumerate(self.cuts):
            found[j] = own.searchsorted(x[:, j], side="right") if len(own) else 0
        found += self.starts[:, None]
        np.copyto(found, self._missing[:, None], where=np.isnan(x.T))
        return found.T

    def samples(self, j: int) -> np.ndarray:
        """One value out of each cell of a signal, in their order; at the end NaN, for the cell of missing values."""
        own = self.cuts[j]
        return np.concatenate([np.nextafter(own[:1], -np.inf) if len(own) else [0.0], own, [np.nan]])

    def places(self, j: int) -> np.ndarray:
        """The numbers of a signal's cells, in the order of `samples`."""
        start = int(self.starts[j])
        return np.append(np.arange(start, start + len(self.cuts[j]) + 1), self._missing[j])

    def within(self, finer: Cells) -> np.ndarray:
        """(finer.count,) the cell of this partition that each cell of a finer one lies in.

        Raises `ValueError` when the other is not finer.
        """
        for own, other in zip(self.cuts, finer.cuts, strict=True):
            if not np.isin(own, other).all():
                raise ValueError("the other partition lacks a cut of this one")
        found = np.empty(finer.count, dtype=np.int64)
        for j in range(len(self.cuts)):
            known = finer.samples(j)[:-1]
            own = self.cuts[j].searchsorted(known, side="right") + self.starts[j]
            found[finer.places(j)] = np.append(own, self._missing[j])
        return found
