"""Limits the rows to learn from to what a time budget allows, estimated from this machine's own speed.

Some fits are needed whatever the budget: the penalties, one trial of trees, and the bags that judge and are handed over. Their
time grows with the rows. Where it would be more than `PLANNED` of the budget, accounts are left out at random, each with all its
rows.
"""

from __future__ import annotations

import time as clock
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from training import linear, trees
from training.dataset import Rows
from training.splits import Split

PLANNED = 0.75
"""Share of the budget for what must be done; the rest is for the search and for judging."""
FEWEST_ROWS = 1_000
"""Least rows to learn from, however small the budget is."""
PROBE_ROWS = 2_000
PROBE_TREES = 10
NEWTON_STEPS, MORE_STEPS = 30, 10
"""Steps of Newton's method over all penalties of one fold, and of one penalty alone; seen on the public datasets."""
TREES = 300


@dataclass(frozen=True)
class Allowance:
    """The split that is learnt from, and what was left out."""

    split: Split
    rows: np.ndarray
    """Index of the rows that may be learnt from at all, for a model that is refitted on everything."""
    note: str | None = None


def allowed(rows: Rows, split: Split, budget_s: float, seed: int, *, refit: bool) -> Allowance:
    """The whole split where the budget allows it, else the part of it that does. The test period stays whole."""
    everything = np.arange(len(rows))
    learnt = len(split.before_test) if split.in_time else len(rows)
    seconds = _seconds(rows, split, refit)
    share = PLANNED * budget_s / seconds if seconds else 1.0
    if share >= 1 or learnt <= FEWEST_ROWS:
        return Allowance(split, everything)
    share = max(share, FEWEST_ROWS / learnt)
    place = np.unique(rows.group, return_inverse=True)[1].reshape(-1)
    # By the number of the account and the seed alone, so that the same account is in or out in every period.
    kept = np.random.default_rng(seed).permutation(int(place.max()) + 1)[place] < share * (int(place.max()) + 1)
    part = _part(split, kept)
    for pair in (*part.folds, (part.train, part.calibrate if split.in_time else part.train)):
        if any(len(np.unique(rows.y[index])) < 2 for index in pair):
            return Allowance(split, everything)
    count = int(kept[split.before_test].sum()) if split.in_time else int(kept.sum())
    note = (
        f"Learnt from {count:,} of {learnt:,} rows, whole accounts by lot: a budget of {budget_s:,.0f} s allows no more here; "
        f"--budget {int(np.ceil(seconds / PLANNED / 10) * 10):,} takes all of them."
    )
    return Allowance(part, np.flatnonzero(kept), note)


def _part(split: Split, kept: np.ndarray) -> Split:
    def some(index: np.ndarray) -> np.ndarray:
        return index[kept[index]]

    return replace(
        split,
        train=some(split.train),
        calibrate=some(split.calibrate),
        before_test=some(split.before_test),
        folds=tuple((some(fitted), some(held)) for fitted, held in split.folds),
    )


def _seconds(rows: Rows, split: Split, refit: bool) -> float:
    """What the unavoidable fits on all rows would take."""
    step, tree = _speed(rows)
    folds = [len(fitted) for fitted, _ in split.folds]
    final = len(split.before_test) if split.in_time else len(rows)
    once = (len(split.train) + final) * (2 if refit else 1)
    linear_rows = sum(folds) * NEWTON_STEPS + once * MORE_STEPS
    tuned = sum(sorted(folds)[-3:])
    tree_rows = tuned * trees.MOST_TREES + (sum(folds) + once) * trees.SEEDS * TREES
    return step * linear_rows + tree * tree_rows


def _speed(rows: Rows) -> tuple[float, float]:
    """Seconds a row of one step of Newton's method, and of one tree, on this machine as busy as it is."""
    sample = rows.take(np.linspace(0, len(rows) - 1, min(PROBE_ROWS, len(rows))).astype(np.int64))
    design = np.random.default_rng(0).random((len(sample), linear.width(rows)))
    data = trees.dataset(sample)
    data.construct()
    step = _quickest(lambda: linear.hessian(design, np.ones(len(sample))))
    tree = _quickest(lambda: trees.grow(sample, data, PROBE_TREES)) / PROBE_TREES
    # The gradient and the line search cost half as much as the matrix; of a tree of so few rows half is the same for any
    # number of rows.
    return 1.5 * step / len(sample), tree / len(sample) / 2


def _quickest(work: Callable[[], object], times: int = 3) -> float:
    """Seconds of the quickest of a few runs: the others shared the machine."""
    taken = []
    for _ in range(times):
        began = clock.monotonic()
        work()
        taken.append(clock.monotonic() - began)
    return min(taken)
