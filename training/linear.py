"""Logistic regression over shape functions: one piecewise-linear function per number, one weight per word.

A number enters through its value (bounded at the 1st and 99th percentile), its rank as a normal score, and hats at
eighths of its distribution. All are piecewise linear on the same knots, so that their weighted sum is one
piecewise-linear function and the finished model needs no basis. On the first 80 % of x_education, held-back log loss was
0.476 with the rank alone, 0.460 with the value, 0.439 with all three; on telco 0.416, 0.423, 0.415.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.special import ndtri
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # it has none

from training.dataset import Rows

QUANTILES = 32
HATS = 8
MOST_COLUMNS = 320
"""Columns of the design at most; Newton's step costs rows x columns^2, so wide panels get fewer hats per number."""
MOST_WORD_COLUMNS = 600
"""Words with a weight of their own at most, the most frequent ones; a rarer one weighs nothing, as a word never seen. The trees
see all of them."""
FEWEST_MISSING = 5
STEPS = 30
TOLERANCE = 1e-7

PENALTIES = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
"""Values of C (inverse penalty) that are tried, strongest penalty first."""


@dataclass(frozen=True)
class FittedShape:
    """What one signal adds to the log-odds.

    A number: linear between `knots`, constant beyond the first and the last. A word: `values[code]`, the last one for
    any other word; `knots` is empty. `missing` when there is no value.
    """

    knots: np.ndarray
    values: np.ndarray
    missing: float

    def __call__(self, x: np.ndarray) -> np.ndarray:
        known = ~np.isnan(x)
        out = np.full(len(x), self.missing)
        if len(self.knots):
            out[known] = np.interp(x[known], self.knots, self.values)
        else:
            codes = np.clip(x[known].astype(np.int64), 0, len(self.values) - 1)
            out[known] = self.values[codes]
        return out


@dataclass(frozen=True)
class FittedLinear:
    """The fitted sum of shapes: log-odds = bias + sum of shapes."""

    shapes: tuple[FittedShape, ...]
    bias: float

    def log_odds(self, x: np.ndarray) -> np.ndarray:
        """(n,) log-odds of encoded rows (n, k)."""
        total = np.full(len(x), self.bias)
        for j, shape in enumerate(self.shapes):
            total += shape(x[:, j])
        return total


@dataclass(frozen=True)
class _Basis:
    """Basis functions of one signal: their values at the knots (m, p) and when missing (p,)."""

    knots: np.ndarray
    at_knots: np.ndarray
    missing: np.ndarray

    @property
    def width(self) -> int:
        return self.at_knots.shape[1]

    def __call__(self, x: np.ndarray) -> np.ndarray:
        known = ~np.isnan(x)
        if not len(self.knots):
            table = np.vstack([self.at_knots, self.missing])
            codes = np.full(len(x), len(self.at_knots), dtype=np.int64)
            codes[known] = np.clip(x[known].astype(np.int64), 0, len(self.at_knots) - 1)
            return np.asarray(table[codes])
        out = np.empty((len(x), self.width))
        out[~known] = self.missing
        inside = np.clip(x[known], self.knots[0], self.knots[-1])
        left = np.clip(np.searchsorted(self.knots, inside, side="right") - 1, 0, max(len(self.knots) - 2, 0))
        if len(self.knots) == 1:
            out[known] = self.at_knots[0]
            return out
        share = ((inside - self.knots[left]) / (self.knots[left + 1] - self.knots[left]))[:, None]
        out[known] = (1 - share) * self.at_knots[left] + share * self.at_knots[left + 1]
        return out


def _word_basis(x: np.ndarray, words: int, least: int) -> _Basis:
    codes = np.where(np.isnan(x), words + 1, np.nan_to_num(x)).astype(np.int64)
    counts = np.bincount(codes, minlength=words + 2)
    used = np.flatnonzero(counts >= least)
    table = np.zeros((words + 2, len(used)))
    table[used, np.arange(len(used))] = 1.0
    return _Basis(np.empty(0), table[: words + 1], table[words + 1])


def _number_basis(x: np.ndarray, hats: int) -> _Basis | None:
    known = x[~np.isnan(x)]
    if len(known) < 2 or known.min() == known.max():
        missing = len(x) - len(known)
        if missing < FEWEST_MISSING or len(known) < FEWEST_MISSING:
            return None
        return _Basis(np.array([float(known[0])]), np.zeros((1, 1)), np.ones(1))
    ordered = np.sort(known)
    n = len(ordered)
    low, high = np.quantile(ordered, [0.01, 0.99])
    if low == high:
        low, high = ordered[0], ordered[-1]
    marks = np.unique(np.quantile(ordered, np.linspace(0, 1, QUANTILES + 1)))
    knots = np.unique(np.concatenate([marks, [low, high]]))
    columns: list[np.ndarray] = [np.clip(knots, low, high)]
    if len(marks) > 2:
        rank = (np.searchsorted(ordered, knots, "left") + np.searchsorted(ordered, knots, "right")) / (2 * n)
        columns.append(ndtri(np.clip(rank, 0.5 / n, 1 - 0.5 / n)))
    table = np.column_stack(columns)
    basis = _Basis(knots, table, np.zeros(table.shape[1]))
    seen = basis(known)
    mean, deviation = seen.mean(axis=0), seen.std(axis=0)
    table = (table - mean) / np.where(deviation > 0, deviation, 1.0)
    if hats and len(marks) > 2:
        tops = np.unique(np.quantile(ordered, np.linspace(0, 1, hats + 1)))
        table = np.column_stack([table, *[np.interp(knots, tops, np.eye(len(tops))[j]) for j in range(len(tops))]])
    absent = np.zeros(table.shape[1])
    if len(x) - n >= FEWEST_MISSING:
        table = np.column_stack([table, np.zeros(len(knots))])
        absent = np.append(absent, 1.0)
    return _Basis(knots, table, absent)


def _bases(rows: Rows) -> list[_Basis | None]:
    numbers = len(rows.signals) - len(rows.categories)
    words = sum(len(rows.vocabularies[j] or ()) + 2 for j in rows.categories)
    hats = int(np.clip((MOST_COLUMNS - words) // max(numbers, 1) - 4, 0, HATS))
    least = _least_count(rows)
    bases: list[_Basis | None] = []
    for j, vocabulary in enumerate(rows.vocabularies):
        column = rows.x[:, j]
        bases.append(_number_basis(column, hats) if vocabulary is None else _word_basis(column, len(vocabulary), least))
    return bases


def _least_count(rows: Rows) -> int:
    """Rows that a word needs for a weight of its own, so that all words together have at most `MOST_WORD_COLUMNS`."""
    counts = [
        np.bincount(np.nan_to_num(rows.x[:, j], nan=-1).astype(np.int64) + 1) for j in rows.categories if len(rows)
    ]
    found = np.sort(np.concatenate(counts))[::-1] if counts else np.empty(0, dtype=np.int64)
    if len(found) <= MOST_WORD_COLUMNS or found[MOST_WORD_COLUMNS] < FEWEST_MISSING:
        return FEWEST_MISSING
    return int(found[MOST_WORD_COLUMNS]) + 1


def width(rows: Rows) -> int:
    """Columns of the design that these rows would have."""
    return 1 + sum(basis.width for basis in _bases(rows) if basis is not None)


def hessian(design: np.ndarray, curvature: np.ndarray) -> np.ndarray:
    """What a step of Newton's method spends its time on: rows x columns^2."""
    # One thread: the order of sums, and so the last bit, must not depend on how many cores there are.
    with threadpool_limits(1):
        return np.asarray((design * curvature[:, None]).T @ design)


def fit_path(rows: Rows, penalties: Sequence[float] = PENALTIES) -> list[FittedLinear]:
    """One model per penalty (ascending C), each started from the one before; deterministic.

    Minimises the sum of the log loss plus |w|^2 / (2 C) by Newton's method; the bias is not penalised.
    """
    bases = _bases(rows)
    used = [(j, basis) for j, basis in enumerate(bases) if basis is not None and basis.width]
    design = np.hstack([np.ones((len(rows), 1)), *[basis(rows.x[:, j]) for j, basis in used]])
    rate = float(np.clip(rows.y.mean(), 1e-6, 1 - 1e-6))
    weights = np.zeros(design.shape[1])
    weights[0] = np.log(rate / (1 - rate))
    models = []
    for penalty in penalties:
        # One thread: the order of sums, and so the last bit, must not depend on how many cores there are.
        with threadpool_limits(1):
            weights = _newton(design, rows.y, weights, 1.0 / penalty)
        models.append(_collapse(bases, used, weights))
    return models


def fit(rows: Rows, penalty: float) -> FittedLinear:
    """One model for one penalty."""
    return fit_path(rows, (penalty,))[0]


def _newton(design: np.ndarray, y: np.ndarray, weights: np.ndarray, strength: float) -> np.ndarray:
    ridge = np.full(design.shape[1], strength)
    ridge[0] = 0.0

    def loss(w: np.ndarray) -> float:
        z = design @ w
        return float(np.sum(np.logaddexp(0.0, z) - y * z) + 0.5 * np.sum(ridge * w * w))

    current = loss(weights)
    for _ in range(STEPS):
        z = design @ weights
        p = 1.0 / (1.0 + np.exp(-np.clip(z, -500, 500)))
        gradient = design.T @ (p - y) + ridge * weights
        curvature = np.maximum(p * (1 - p), 1e-9)
        bend = hessian(design, curvature)
        # The bias has no penalty; a speck keeps the factor positive definite when all rows agree.
        bend[np.diag_indices_from(bend)] += ridge + 1e-9
        step = cho_solve(cho_factor(bend, lower=True), gradient)
        size = 1.0
        while size > 1e-4:
            candidate = weights - size * step
            tried = loss(candidate)
            if tried <= current:
                break
            size /= 2
        else:
            break
        gain, weights, current = current - tried, candidate, tried
        if gain < TOLERANCE * (abs(current) + 1.0):
            break
    return weights


def _collapse(bases: list[_Basis | None], used: list[tuple[int, _Basis]], weights: np.ndarray) -> FittedLinear:
    shapes = [
        FittedShape(np.empty(0) if b is None else b.knots, np.zeros(0 if b is None else len(b.at_knots)), 0.0)
        for b in bases
    ]
    place = 1
    for j, basis in used:
        own = weights[place : place + basis.width]
        shapes[j] = FittedShape(basis.knots, basis.at_knots @ own, float(basis.missing @ own))
        place += basis.width
    return FittedLinear(
        tuple(s if len(s.values) else FittedShape(np.empty(0), np.zeros(1), 0.0) for s in shapes), float(weights[0])
    )
