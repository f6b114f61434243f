"""The best rule with one column: what a person could do without a model, and what a model must beat beyond noise.

Three kinds are tried for each column: a number as it is, highest or lowest first (missing values stand where their rate
belongs); a number by the rate of its decile; a word by the rate of the word. Which column, which kind and which direction is
learnt from the rows that the model learnt from, cross-validated over three parts of their groups, so that a column of many words
does not win by overfitting. The number itself is tried beside its tenths: against tenths alone a model would gain by ranking within
a tenth.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from sklearn.linear_model import LogisticRegression

from training.calibrate import sigmoid
from training.metrics import auc

TENTHS = 10
SHRUNK_BY = 10
"""Rows at the base rate that are added to each tenth and word, so that a rare word does not lead."""
FOLDS = 3
LEAST_SLOPE = 0.01
"""Least slope of `probabilities`: a reversed rule has a negative one where it was learnt, and its order is kept all the same."""

Kind = Literal["highest first", "lowest first", "by the rate of its decile", "by the rate of its word"]


@dataclass(frozen=True)
class Rule:
    """A column, and how rows are ranked by it."""

    place: int
    kind: Kind
    turned: bool = False
    """Whether it was reversed because it ranked the judged rows worse than chance: the opposite rule is as easy to follow."""

    def words(self, names: list[str]) -> str:
        """The rule as a person would follow it, such as `lead_age_days, lowest first`.

        >>> Rule(1, "lowest first").words(["employees", "lead_age_days"])
        'lead_age_days, lowest first'
        """
        opposite = {"highest first": "lowest first", "lowest first": "highest first"}
        way = opposite.get(self.kind, f"{self.kind}, the lowest rate first") if self.turned else self.kind
        return f"{names[self.place]}, {way}"


def best_rule(x: np.ndarray, categories: list[int], y: np.ndarray, group: np.ndarray, fitted: np.ndarray) -> Rule:
    """The rule with the highest AUC on the rows of `fitted`, cross-validated over three parts of their groups."""
    base = float(y[fitted].mean())
    thirds = [fitted[group[fitted] % FOLDS == n] for n in range(FOLDS)]
    parts = [(np.setdiff1d(fitted, held, assume_unique=True), held) for held in thirds if 0 < len(held) < len(fitted)]
    best, found = -np.inf, Rule(0, "by the rate of its word" if 0 in categories else "highest first")
    for j in range(x.shape[1]):
        kinds: tuple[Kind, ...] = ("by the rate of its word",)
        if j not in categories:
            up = auc(y[fitted], ranked(x[:, j], Rule(j, "highest first"), y, fitted)[fitted])
            way: Kind = "highest first" if up >= 0.5 else "lowest first"
            kinds = (way, "by the rate of its decile")
        for kind in kinds:
            rule, out = Rule(j, kind), np.full(len(y), base)
            for learnt_from, held in parts or [(fitted, fitted)]:
                out[held] = ranked(x[:, j], rule, y, learnt_from)[held]
            reached = auc(y[fitted], out[fitted])
            if reached > best:
                best, found = reached, rule
    return found


def ranked(column: np.ndarray, rule: Rule, y: np.ndarray, fitted: np.ndarray) -> np.ndarray:
    """(n,) the higher, the likelier the outcome: what the rule says of every row, with the rates of the rows of `fitted`."""
    rates = one_column_rates(column, rule.kind == "by the rate of its word", y, fitted)
    if rule.kind in ("highest first", "lowest first"):
        rates = _as_it_is(column, rates, fitted) * (1 if rule.kind == "highest first" else -1)
    return -rates if rule.turned else rates


def probabilities(score: np.ndarray, y: np.ndarray, fitted: np.ndarray) -> np.ndarray:
    """(n,) probabilities in exactly the order of a ranking, for the measures that need them: an affine log-odds of its
    inverse hyperbolic sine, learnt from the rows of `fitted`."""
    centre = np.median(score[fitted])
    spread = float(np.median(np.abs(score[fitted] - centre))) or float(np.std(score[fitted])) or 1.0
    z = np.arcsinh((score - centre) / spread)
    found = LogisticRegression().fit(z[fitted, None], y[fitted])
    slope, level = float(found.coef_[0, 0]), float(found.intercept_[0])
    if slope < LEAST_SLOPE:
        base = float(y[fitted].mean())
        slope, level = LEAST_SLOPE, float(np.log(base / (1 - base)))
    return sigmoid(slope * z + level)


def turned_to(rule: Rule, y: np.ndarray, score: np.ndarray) -> tuple[Rule, np.ndarray]:
    """The rule and its ranking, turned round where it ranks these rows worse than a draw.

    The direction is learnt before; on rows where it does not hold the opposite rule is the one to beat, so that no model
    passes by beating a rule that fails. This only ever makes the gate harder.
    """
    reached = auc(y, score)
    return (replace(rule, turned=not rule.turned), -score) if reached < 0.5 else (rule, score)


def one_column_rates(x: np.ndarray, is_category: bool, y: np.ndarray, fitted: np.ndarray) -> np.ndarray:
    """(n,) the rate of each row's tenth (or word, or "missing") on the rows of `fitted`, shrunk to the base rate."""
    known = ~np.isnan(x)
    if is_category:
        place = np.where(known, np.nan_to_num(x), -1).astype(np.int64) + 1
    else:
        present = x[fitted][known[fitted]]
        edges = np.unique(np.quantile(present, np.linspace(0, 1, TENTHS + 1)[1:-1])) if len(present) else np.empty(0)
        place = np.where(known, np.searchsorted(edges, np.nan_to_num(x), side="right"), -1) + 1
    base = y[fitted].mean()
    size = int(place.max()) + 1
    n = np.bincount(place[fitted], minlength=size)
    hits = np.bincount(place[fitted], weights=y[fitted], minlength=size)
    return np.asarray(((hits + SHRUNK_BY * base) / (n + SHRUNK_BY))[place])


def _as_it_is(x: np.ndarray, rates: np.ndarray, fitted: np.ndarray) -> np.ndarray:
    """The number, and for missing ones the median number of the tenth whose rate is nearest to theirs."""
    gone = np.isnan(x)
    if not gone.any():
        return x
    present = fitted[~gone[fitted]]
    if not len(present):
        return np.zeros(len(x))
    tenths, place = np.unique(rates[present], return_inverse=True)
    nearest = int(np.argmin(np.abs(tenths - rates[gone][0])))
    return np.where(gone, np.median(x[present][place.reshape(-1) == nearest]), x)
