"""Pairs and families of columns that together rank the outcome better than their columns add up to.

The lengths of two stages say little alone, but the share that the first one took may say who won. A pair is compared
with the sum of what its columns give: boosted trees of 8 leaves against boosted stumps, which can only add, on the
same folds. All pairs are screened on a grid first (the rate of a cell against the sum of both rates, out of fold), and
only the best are judged by trees. Seeds are fixed and rows bounded, so that a table is always judged alike; measured
by `make bench-audit`.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd

from features.audit.families import by_stem
from features.audit.finding import AuditedTable, Finding, auc_of, codes, is_date
from features.audit.leaks import BEYOND_DOUBT_AUC, is_key
from features.audit.named import BEYOND_NOISE, STRIKING_AUC, Facts, is_constant
from features.audit.names import says_before

MOST_ROWS, MOST_COLUMNS, MOST_NAMED, MOST_FAMILIES, JUDGED_PAIRS = 6_000, 40, 5, 4, 8
CELLS = 8
"""Quantile bins, or most frequent words, of a column on the grid."""
FOLDS = 3
LEAST_GAIN = 0.02
"""Of AUC, that a pair must give over its sum, and at least twice the standard error of an AUC."""
INTERESTING_AUC = 0.65
KNOWING = ("end", "step")


class Ranks:
    """ROC AUC of sets of columns on some rows, each computed once."""

    def __init__(self, table: AuditedTable) -> None:
        self.table = table
        self.rows = np.random.default_rng(0).permutation(len(table.outcome))[:MOST_ROWS]
        self.y = table.outcome[self.rows]
        self.fold = np.random.default_rng(1).permutation(len(self.y)) % FOLDS
        self.rarer = int(min(self.y.sum(), len(self.y) - self.y.sum()))
        self._columns: dict[str, np.ndarray] = {}
        self._aucs: dict[tuple[tuple[str, ...], int], float] = {}

    def column(self, name: str) -> np.ndarray:
        if name not in self._columns:
            self._columns[name] = _numbers(self.table.inputs[name].iloc[self.rows])
        return self._columns[name]

    def auc(self, names: tuple[str, ...], leaves: int = 8) -> float:
        """ROC AUC of trees on these columns, out of fold; with 2 leaves of what the columns add up to."""
        if (names, leaves) not in self._aucs:
            x = np.column_stack([self.column(name) for name in names])
            self._aucs[names, leaves] = crossed_auc(x, self.y, self.fold, leaves)
        return self._aucs[names, leaves]

    def gains(self, auc: float, without: float) -> bool:
        """Whether an AUC is beyond noise, and above another by more than it."""
        error = float(np.sqrt((len(self.y) + 1) / (12 * self.rarer * (len(self.y) - self.rarer))))
        return auc >= 0.5 + BEYOND_NOISE * error and auc - without >= max(LEAST_GAIN, 2 * error)


def known_together(table: AuditedTable, facts: Mapping[str, Facts], doubted: Collection[str] = ()) -> list[Finding]:
    """Pairs and families that know more than what each of their columns gives.

    A column that is doubted already makes any other one look good beside it, so that such a pair proves nothing of the other.
    """
    names, ranks = candidates(table, facts), Ranks(table)
    if len(names) < 2 or ranks.rarer < 5 * FOLDS:
        return []
    named = [n for n in names if knows(facts[n])][:MOST_NAMED]
    return [*_pairs(ranks, facts, names, named, set(doubted)), *_families(ranks, facts, names, named, set(doubted))]


def _pairs(
    ranks: Ranks, facts: Mapping[str, Facts], names: Sequence[str], named: Sequence[str], doubted: set[str]
) -> list[Finding]:
    """Pairs that know more than their sum, when a name says what of, or when together they rank beyond doubt."""
    gains = _screened({n: _cells(ranks.table.inputs[n].iloc[ranks.rows]) for n in names}, ranks.y, ranks.fold)
    judged = dict.fromkeys(itertools.combinations(named, 2))
    judged |= dict.fromkeys(sorted(gains, key=lambda pair: -gains[pair])[:JUDGED_PAIRS])
    found = []
    for pair in judged:
        left, right = pair
        both = max(ranks.auc(pair), ranks.auc(pair, leaves=2))
        # Two lengths of one case are compared with the better one: they may tell by their difference, which is a sum.
        alone = max(ranks.auc((left,)), ranks.auc((right,)))
        other = alone if set(pair) <= set(named) else ranks.auc(pair, leaves=2)
        if not ranks.gains(both, other):
            continue
        finding = _of_pair(facts[left], facts[right], both, other)
        if finding and (set(finding.columns) <= set(named) or not set(pair) & doubted):
            found.append(finding)
    return found


def _families(
    ranks: Ranks, facts: Mapping[str, Facts], names: Sequence[str], named: Sequence[str], doubted: set[str]
) -> list[Finding]:
    """Three columns or more that begin with one word, or whose names speak of an end or a step, and know more than the best of them."""
    found = []
    for family in [family for family in (list(named), *by_stem(names, fewest=3)) if len(family) > 2][:MOST_FAMILIES]:
        known = all(knows(facts[n]) for n in family)
        if not known and (set(family) & doubted or any(says_before(n) for n in family)):
            continue
        joint = ranks.auc(tuple(family))
        best, name = max((ranks.auc((n,)), n) for n in family)
        if ranks.gains(joint, best) and (known or joint >= STRIKING_AUC):
            evidence = (
                f"together they rank the outcome with an AUC of {joint:.3f}, the best of them ({name}) with {best:.3f}"
            )
            advice = "find out when they are filled in: what was written at one moment tells together how it ended"
            numbers = {"auc": joint, "without": best}
            severity: Literal["high", "medium"] = "high" if known else "medium"
            found.append(Finding("family_knows", severity, tuple(family), evidence, advice, numbers))
    return found


def knows(facts: Facts) -> bool:
    """Whether a name speaks of an end or of a step, and not of earlier things."""
    return facts.reading is not None and facts.reading.kind in KNOWING and not facts.reading.history


def _of_pair(left: Facts, right: Facts, both: float, other: float) -> Finding | None:
    """Named are the columns whose names speak of an end or a step; both where neither does and the pair is beyond doubt."""
    told = tuple(f.name for f in (left, right) if knows(f))
    columns: tuple[str, ...] = (left.name, right.name)
    severity: Literal["high", "medium"] = "high"
    if both >= BEYOND_DOUBT_AUC:
        pass
    elif told:
        columns = told
    elif both >= INTERESTING_AUC and both - other >= 0.05:
        severity = "medium"
    else:
        return None
    evidence = (
        f"{left.name} and {right.name} together rank the outcome with an AUC of {both:.3f} (without that {other:.3f}; "
        f"alone {left.auc:.3f} and {right.auc:.3f})"
    )
    advice = "find out when they are known: two lengths or amounts of one case tell together how it ended"
    numbers = {"auc": both, "without": other}
    return Finding("known_together", severity, columns, evidence, advice, numbers)


def candidates(table: AuditedTable, facts: Mapping[str, Facts]) -> list[str]:
    """Columns that a model would take and that no one doubts yet, those whose names say something first."""
    kept = [
        name
        for name in table.names
        if facts[name].auc < BEYOND_DOUBT_AUC
        and not is_constant(table.inputs[name])
        and not is_key(table.inputs[name])
        and not is_date(table.inputs[name].dropna())
    ]
    return sorted(kept, key=lambda name: (facts[name].reading is None, -facts[name].auc))[:MOST_COLUMNS]


def _cells(column: pd.Series[Any]) -> np.ndarray:
    """(n,) small integers; words beyond the most frequent ones share a cell."""
    keys = codes(column, bins=CELLS)
    if int(keys.max()) <= 2 * CELLS:
        return np.asarray(keys, dtype=np.int64)
    counts = np.bincount(keys)
    common = np.argsort(-counts, kind="stable")[:CELLS]
    place = np.full(len(counts), CELLS)
    place[common] = np.arange(len(common))
    return np.asarray(place[keys], dtype=np.int64)


def _screened(keys: Mapping[str, np.ndarray], y: np.ndarray, fold: np.ndarray) -> dict[tuple[str, str], float]:
    """Pairs by how much nearer the rate of a cell of two columns comes to the outcome than the sum of their log-odds does."""
    alone = {name: _log_odds(key, y, fold) for name, key in keys.items()}
    base = float(np.log(y.mean() / (1 - y.mean())))
    found = {}
    for left, right in itertools.combinations(keys, 2):
        pair = keys[left] * (int(keys[right].max()) + 1) + keys[right]
        added = alone[left] + alone[right] - base
        gain = _loss(added, y) - _loss(_log_odds(pair, y, fold, added), y)
        if gain > 0:
            found[left, right] = gain
    return found


def _log_odds(key: np.ndarray, y: np.ndarray, fold: np.ndarray, start: np.ndarray | None = None) -> np.ndarray:
    """Out-of-fold log-odds of a cell, drawn to `start` (the base rate) where it has few rows."""
    prior, size = 20.0, int(key.max()) + 1
    toward = np.full(len(y), y.mean()) if start is None else 1 / (1 + np.exp(-start))
    found = np.empty(len(y))
    for i in range(FOLDS):
        held = fold == i
        hits = np.bincount(key[~held], y[~held], size)[key[held]]
        seen = np.bincount(key[~held], minlength=size)[key[held]]
        rate = (hits + prior * toward[held]) / (seen + prior)
        found[held] = np.log(rate / (1 - rate))
    return found


def _loss(log_odds: np.ndarray, y: np.ndarray) -> float:
    return float(np.mean(np.logaddexp(0, log_odds) - y * log_odds))


def _numbers(column: pd.Series[Any]) -> np.ndarray:
    """(n,) numbers as they are; words as small integers in order of frequency."""
    if pd.api.types.is_numeric_dtype(column):
        return np.asarray(column.to_numpy(dtype=float, na_value=np.nan))
    order = {value: n for n, value in enumerate(column.astype("object").value_counts().index)}
    return np.asarray(column.astype("object").map(order).to_numpy(dtype=float))


def crossed_auc(x: np.ndarray, y: np.ndarray, fold: np.ndarray, leaves: int) -> float:
    """ROC AUC, out of fold, of 30 boosted trees; with 2 leaves they can only add what the columns give."""
    import lightgbm as lgb

    settings = {
        "objective": "binary",
        "learning_rate": 0.15,
        "num_leaves": leaves,
        "min_data_in_leaf": 20,
        "verbosity": -1,
        "num_threads": 1,
        "seed": 0,
        "deterministic": True,
        "force_row_wise": True,
        "max_bin": 63,
    }
    score = np.empty(len(y))
    for i in range(FOLDS):
        held = fold == i
        score[held] = lgb.train(settings, lgb.Dataset(x[~held], y[~held]), 30).predict(x[held], num_threads=1)
    return auc_of(y, score)
