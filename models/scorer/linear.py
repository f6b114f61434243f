"""The linear part: a sum of one shape function per signal, with the same bits for one row and for a million.

Only comparisons, look-ups, one multiplication and additions in a fixed order: no BLAS, whose sums depend on the batch.
"""

from __future__ import annotations

import numpy as np

from models.scorer.artefact_schema import LinearSpec, Shape
from models.scorer.bins import Cells

CHUNK = 1024
"""Rows at a time, for the cache."""


class Linear:
    """Evaluates `linear.json` on an (n, k) matrix; `cells` cut the axes at least where the shapes' knots do."""

    def __init__(self, spec: LinearSpec, cells: Cells | None = None) -> None:
        self.bias = spec.bias
        self.means = np.array([shape.mean for shape in spec.shapes])
        self._k = len(spec.shapes)
        own = Cells([cuts_of(shape) for shape in spec.shapes])
        pieces = [_pieces(shape) for shape in spec.shapes]
        at, slope, origin = np.empty(own.count), np.empty(own.count), np.empty(own.count)
        for j, piece in enumerate(pieces):
            places = own.places(j)
            if len(places) != len(piece[0]):
                raise ValueError("the knots of a shape are not ascending")
            at[places], slope[places], origin[places] = piece
        self.is_flat = not (at.any() or slope.any() or self.means.any())
        """Whether it is its bias alone: a model of trees."""
        self.cells = own if cells is None else cells
        if cells is not None:
            inside = own.within(cells)
            at, slope, origin = at[inside], slope[inside], origin[inside]
        self._at, self._slope, self._from = at, slope, origin

    def terms(self, x: np.ndarray) -> np.ndarray:
        """(n, k) log-odds that each signal adds."""
        if len(x) <= CHUNK:
            return self.terms_at(x, self.cells.find(x))
        parts = (x[start : start + CHUNK] for start in range(0, len(x), CHUNK))
        return np.concatenate([self.terms_at(part, self.cells.find(part)) for part in parts])

    def terms_at(self, x: np.ndarray, cells: np.ndarray) -> np.ndarray:
        """The same for rows whose cells are known."""
        number = np.where(np.isnan(x), 0.0, x)
        number -= self._from.take(cells)
        number *= self._slope.take(cells)
        number += self._at.take(cells)
        return number

    def total(self, terms: np.ndarray) -> np.ndarray:
        """(n,) bias plus the sum of the terms, added from the first signal to the last."""
        if not self._k:
            return np.full(len(terms), self.bias)
        # accumulate adds one after the other, whatever the shape; np.sum would add in pairs.
        return np.add.accumulate(terms, axis=1)[:, -1] + self.bias


def cuts_of(shape: Shape) -> np.ndarray:
    """Where a shape bends; a text has a cell per code, the last one for all codes beyond the vocabulary."""
    return np.array(shape.knots) if shape.knots else np.arange(1.0, len(shape.values))


def _pieces(shape: Shape) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Per cell: the value at its origin, its slope, its origin. Constant before the first knot, after the last, and missing."""
    values = np.array(shape.values, dtype=np.float64)
    if not shape.knots:
        flat = np.zeros(len(values) + 1)
        return np.append(values, shape.missing), flat, flat
    knots = np.array(shape.knots, dtype=np.float64)
    between = np.diff(values) / np.diff(knots)
    return (
        np.concatenate([values[:1], values, [shape.missing]]),
        np.concatenate([[0.0], between, [0.0, 0.0]]),
        np.concatenate([knots[:1], knots, [0.0]]),
    )
