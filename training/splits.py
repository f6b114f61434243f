"""Splits rows into train, calibrate and test: by time with a gap of one horizon, or into grouped folds without time.

Rows with time: train, calibrate and test are consecutive periods, and a row of one period has its outcome window closed
before the next period begins (`time + horizon <= first time of the next`). Between two periods lies therefore a gap of
one horizon. The same account may come again in a later period: that is what happens to a model in use, and its earlier
window is over by then. Groups that the user names (`--group`) are stricter: they stay on one side, the later one; where that
leaves too few rows before it, as with accounts that are observed throughout, each is assigned to one period at random.

Rows without time: grouped, stratified folds. Exact copies and groups stay in one fold.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from features.readiness.periods import TEST_SHARE, over, periods_of

FOLDS_IN_TIME = 3
FIRST_FOLD_SHARE = 0.4
LEAST_FITTED_SHARE = 0.3
"""A rolling fold that learns from less of the training period says little about a model that learns from all of it."""
FOLDS_WITHOUT_TIME = 5

Pair = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Split:
    """Index arrays into the rows. Without time `calibrate` and `test` are empty and `folds` cover every row."""

    train: np.ndarray
    calibrate: np.ndarray
    test: np.ndarray
    before_test: np.ndarray
    """Rows whose window is over before the test period: what the final model is fitted on."""
    folds: tuple[Pair, ...]
    """(train, held back) for tuning, inside `train`."""
    in_time: bool
    note: str
    """A sentence for every output."""
    periods: dict[str, tuple[int, int]]
    """First and last time per period, in the unit of `time`."""


def split_in_time(
    time: np.ndarray,
    y: np.ndarray,
    horizon: int,
    account: np.ndarray,
    strict_group: np.ndarray | None = None,
    test_share: float = TEST_SHARE,
) -> Split:
    """Consecutive periods with a gap; `horizon` in the unit of `time` (0: the outcome is known at once).

    `account` keeps tuning folds apart when time cannot. `strict_group` must stay on one side of every line (None: no such
    groups). With `test_share` 0 there is no test period: all rows are learnt from, the newest calibrate.
    Raises `TrainingRefused` when a period would be empty or hold one class.
    """
    found = periods_of(time, y, horizon, strict_group, test_share)
    dealt = found.dealt
    masks = {"train": found.train, "calibrate": found.calibrate, "test": found.test}
    index = {name: np.flatnonzero(mask) for name, mask in masks.items()}
    folds, rolling = _rolling(time, y, index["train"], horizon, account, strict_group)
    note = f"The test period is later than everything that was learnt from, {'with a gap of one horizon' if horizon else 'with no gap'}"
    if dealt:
        note += "; groups that have rows in several periods were dealt to one of them by lot, and judge or teach in that one alone"
    if not rolling:
        note += (
            "; groups were kept apart while tuning, on folds that time does not part"
            if dealt
            else "; the history was too short to tune on later periods, so that tuning used folds by account"
        )
    spans = {name: (int(time[i].min()), int(time[i].max())) for name, i in index.items() if len(i)}
    return Split(
        index["train"],
        index["calibrate"],
        index["test"],
        np.flatnonzero(found.before_test),
        folds,
        True,
        f"{note}.",
        spans,
    )


def _rolling(
    time: np.ndarray, y: np.ndarray, train: np.ndarray, horizon: int, account: np.ndarray, group: np.ndarray | None
) -> tuple[tuple[Pair, ...], bool]:
    """Rolling origin inside the training period: each fold is held back after everything it learns from, with the gap.

    False with folds by account, where the period is too short for an origin to roll.
    """
    times, counts = np.unique(time[train], return_counts=True)
    share = np.cumsum(counts) / counts.sum()
    edges = np.linspace(FIRST_FOLD_SHARE, 1, FOLDS_IN_TIME + 1)
    folds: list[Pair] = []
    for low, high in pairwise(edges):
        start = int(np.searchsorted(share, low, side="right"))
        stop = int(np.searchsorted(share, high - 1e-9)) + 1
        if start >= min(stop, len(times)):
            continue
        held = train[(time[train] >= times[start]) & (time[train] <= times[min(stop, len(times)) - 1])]
        fitted = train[over(time[train], horizon, times[start])]
        if group is not None:
            fitted = fitted[~np.isin(group[fitted], np.unique(group[held]))]
        enough = len(fitted) >= LEAST_FITTED_SHARE * len(train)
        if enough and len(np.unique(y[fitted])) == 2 and len(np.unique(y[held])) == 2:
            folds.append((fitted, held))
    if folds:
        return tuple(folds), True
    # Accounts are kept apart instead, and time still decides calibration and test.
    own = account if group is None else group
    inner = grouped_folds(y[train], own[train], FOLDS_IN_TIME)
    return tuple((train[a], train[b]) for a, b in inner), False


def split_without_time(y: np.ndarray, group: np.ndarray, seed: int = 0) -> Split:
    """Grouped, stratified folds over all rows."""
    everything = np.arange(len(y))
    nobody = np.empty(0, dtype=np.int64)
    note = (
        "The data have no time: figures come from folds, not from a later period, and are optimistic about the future."
    )
    return Split(
        everything,
        nobody,
        nobody,
        everything,
        tuple(grouped_folds(y, group, FOLDS_WITHOUT_TIME, seed)),
        False,
        note,
        {},
    )


def grouped_folds(y: np.ndarray, group: np.ndarray, folds: int, seed: int = 0) -> list[Pair]:
    """Folds with about the same number of rows and positives each; a group is in one fold only.

    Groups are dealt in a shuffled order, those with most rows first, each to the fold that is furthest behind.
    """
    names, place = np.unique(group, return_inverse=True)
    size = np.bincount(place, minlength=len(names))
    positives = np.bincount(place, weights=y, minlength=len(names))
    shuffled = np.random.default_rng(seed).permutation(len(names))
    order = shuffled[np.lexsort((-positives[shuffled], -size[shuffled]))]
    rows, hits = np.zeros(folds), np.zeros(folds)
    fold_of = np.empty(len(names), dtype=np.int64)
    share = max(y.mean(), 1e-9)
    for g in order:
        behind = (rows + size[g]) / len(y) + (hits + positives[g]) / (share * len(y))
        fold = int(np.argmin(behind))
        fold_of[g] = fold
        rows[fold] += size[g]
        hits[fold] += positives[g]
    own = fold_of[place]
    pairs = [(np.flatnonzero(own != f), np.flatnonzero(own == f)) for f in range(folds)]
    return [(a, b) for a, b in pairs if len(b) and len(np.unique(y[a])) == 2]


def copies(x: np.ndarray) -> np.ndarray:
    """(n,) int64: rows with exactly the same inputs (missing equals missing) share a number."""
    filled = np.where(np.isnan(x), np.finfo(np.float64).max, x)
    return np.asarray(np.unique(filled, axis=0, return_inverse=True)[1], dtype=np.int64).reshape(-1)


def join_groups(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Groups that share a member in either numbering become one (connected components)."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    a = np.unique(first, return_inverse=True)[1].reshape(-1)
    b = np.unique(second, return_inverse=True)[1].reshape(-1) + a.max() + 1
    size = int(b.max()) + 1
    links = coo_matrix((np.ones(len(a)), (a, b)), shape=(size, size))
    return np.asarray(connected_components(links, directed=False)[1][a], dtype=np.int64)
