"""The linear part: a sum of one shape function per signal, with the same bits for one row and for a million.

Only comparisons, look-ups, one multiplication and additions in a fixed order: no BLAS, whose sums depend on the batch.
"""

from __future__ import annotations

import numpy as np

from models.spec import LinearSpec


class Linear:
    """Evaluates `linear.json` on an (n, k) matrix."""

    def __init__(self, spec: LinearSpec) -> None:
        self.bias = spec.bias
        k = len(spec.shapes)
        widest = max((len(s.knots) for s in spec.shapes), default=0)
        most_words = max((len(s.values) for s in spec.shapes if not s.knots), default=1)
        self._missing = np.array([s.missing for s in spec.shapes])
        self.means = np.array([s.mean for s in spec.shapes])
        self._numbers = np.array([j for j, s in enumerate(spec.shapes) if s.knots], dtype=np.int64)
        self._words = np.array([j for j, s in enumerate(spec.shapes) if not s.knots], dtype=np.int64)
        # Piece p of a number lies before knot p; the first and the last piece are constant.
        self._knots = np.full((len(self._numbers), widest), np.inf)
        self._from = np.zeros((len(self._numbers), widest + 1))
        self._at = np.zeros((len(self._numbers), widest + 1))
        self._slope = np.zeros((len(self._numbers), widest + 1))
        for row, j in enumerate(self._numbers):
            knots, values = np.array(spec.shapes[j].knots), np.array(spec.shapes[j].values)
            m = len(knots)
            self._knots[row, :m] = knots
            self._at[row, 0], self._from[row, 0] = values[0], knots[0]
            self._at[row, 1 : m + 1], self._from[row, 1 : m + 1] = values, knots
            if m > 1:
                self._slope[row, 1:m] = np.diff(values) / np.diff(knots)
        self._table = np.zeros((len(self._words), most_words))
        self._last = np.array([len(spec.shapes[j].values) - 1 for j in self._words], dtype=np.int64)
        for row, j in enumerate(self._words):
            values = spec.shapes[j].values
            self._table[row, : len(values)] = values
        self._rows = np.arange(len(self._numbers))
        self._word_rows = np.arange(len(self._words))
        self._k = k

    def terms(self, x: np.ndarray) -> np.ndarray:
        """(n, k) log-odds that each signal adds."""
        return self._terms_of_few(x) if len(x) <= 4 else self._terms_of_many(x)

    def total(self, terms: np.ndarray) -> np.ndarray:
        """(n,) bias plus the sum of the terms, added from the first signal to the last."""
        if not self._k:
            return np.full(len(terms), self.bias)
        # accumulate adds one after the other, whatever the shape; np.sum would add in pairs.
        return np.add.accumulate(terms, axis=1)[:, -1] + self.bias

    def _terms_of_few(self, x: np.ndarray) -> np.ndarray:
        out = np.empty((len(x), self._k))
        for i in range(len(x)):
            row = x[i]
            gone = np.isnan(row)
            number = row[self._numbers]
            number = np.where(gone[self._numbers], 0.0, number)
            piece = (number[:, None] >= self._knots).sum(axis=1)
            rows = self._rows
            out[i, self._numbers] = self._at[rows, piece] + self._slope[rows, piece] * (
                number - self._from[rows, piece]
            )
            word = np.where(gone[self._words], 0.0, row[self._words]).astype(np.int64)
            out[i, self._words] = self._table[self._word_rows, np.clip(word, 0, self._last)]
            out[i] = np.where(gone, self._missing, out[i])
        return out

    def _terms_of_many(self, x: np.ndarray) -> np.ndarray:
        out = np.empty((len(x), self._k))
        for row, j in enumerate(self._numbers):
            number = np.ascontiguousarray(x[:, j])
            gone = np.isnan(number)
            number = np.where(gone, 0.0, number)
            knots = self._knots[row]
            piece = np.searchsorted(knots[knots < np.inf], number, side="right")
            value = self._at[row, piece] + self._slope[row, piece] * (number - self._from[row, piece])
            out[:, j] = np.where(gone, self._missing[j], value)
        for row, j in enumerate(self._words):
            word = np.ascontiguousarray(x[:, j])
            gone = np.isnan(word)
            code = np.clip(np.where(gone, 0.0, word).astype(np.int64), 0, self._last[row])
            out[:, j] = np.where(gone, self._missing[j], self._table[row, code])
        return out
