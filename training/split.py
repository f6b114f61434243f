"""Who is learnt from, who calibrates, who judges.

Rows with time: train, calibrate and test are consecutive periods, and a row of one period has its outcome window closed
before the next period begins (`time + horizon <= first time of the next`). Between two periods lies therefore a gap of
one horizon. The same account may come again in a later period: that is what happens to a model in use, and its earlier
window is over by then. Groups that the user names (`--group`) are stricter: they stay on one side, the later one; where that
leaves too little before it, as with accounts that are observed throughout, they are dealt to the periods by lot.

Rows without time: grouped, stratified folds. Exact copies and groups stay in one fold.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from features.errors import Fault
from training.errors import TrainingRefused

TEST_SHARE = 0.2
CALIBRATE_SHARE = 0.15
FOLDS_IN_TIME = 3
FIRST_FOLD_SHARE = 0.4
LEAST_FITTED_SHARE = 0.3
"""A rolling fold that learns from less of the training period says little about a model that learns from all of it."""
FOLDS_WITHOUT_TIME = 5
DAY_US = 86_400_000_000
KEPT_SHARE = 0.5
"""Share of the rows before a line that must be left when groups go to the later side; with less they are dealt by lot."""
DEALT = (0.5, 0.2, 0.3)
"""How often a group goes to train, calibrate and test, by lot, among the periods that it has rows in."""

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
    times = np.unique(time)
    masks, dealt = _masks(time, horizon, test_share, strict_group), False
    if strict_group is not None:
        free = _masks(time, horizon, test_share, None)
        if free is not None and (masks is None or masks[0].sum() < KEPT_SHARE * free[0].sum()):
            masks, dealt = _by_lot(free, strict_group), True
    if masks is None:
        raise TrainingRefused("the split by time", [_too_short(times, horizon)])
    *periods, before = masks
    index = {name: np.flatnonzero(mask) for name, mask in zip(("train", "calibrate", "test"), periods, strict=True)}
    if dealt and not all(len(i) for i in index.values()):
        raise TrainingRefused("the split by time", [_too_few_groups(strict_group)])
    faults = [_one_class(name, y[i]) for name, i in index.items() if len(i) and len(np.unique(y[i])) < 2]
    if faults:
        raise TrainingRefused("the split by time", faults)
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
        index["train"], index["calibrate"], index["test"], np.flatnonzero(before), folds, True, f"{note}.", spans
    )


Masks = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def _masks(time: np.ndarray, horizon: int, test_share: float, group: np.ndarray | None) -> Masks | None:
    """Rows of train, calibrate and test, and all that may be learnt from before the test; None when time is too short.

    A `group` goes to the later side of each line.
    """
    times, counts = np.unique(time, return_counts=True)
    if len(times) < 3:
        return None
    first_test = _cut(times, counts, test_share) if test_share else None
    limit = np.inf if first_test is None else times[first_test]
    before = _over(time, horizon, limit) if first_test is not None else np.ones(len(time), dtype=bool)
    test = time >= limit
    if group is not None and test.any():
        before &= ~np.isin(group, np.unique(group[test]))
    earlier, earlier_counts = np.unique(time[before], return_counts=True)
    if len(earlier) < 2:
        return None
    first_calibrate = _cut(earlier, earlier_counts, CALIBRATE_SHARE / (1 - test_share))
    calibrate = before & (time >= earlier[first_calibrate])
    train = before & _over(time, horizon, earlier[first_calibrate])
    if group is not None:
        train &= ~np.isin(group, np.unique(group[calibrate]))
    return (train, calibrate, test, before) if train.any() else None


def _by_lot(masks: Masks, group: np.ndarray) -> Masks:
    """Each group in one of the periods that it has rows in; the same groups give the same lot."""
    train, calibrate, test, before = masks
    own = np.unique(group, return_inverse=True)[1].reshape(-1)
    size = int(own.max()) + 1
    has = np.column_stack([np.bincount(own[mask], minlength=size) > 0 for mask in (train, calibrate, test)])
    side = np.zeros(size, dtype=np.int64)
    shuffled = np.random.default_rng(0).permutation(size)
    for pattern in np.unique(has, axis=0):
        if not pattern.any():
            continue
        alike = shuffled[(has[shuffled] == pattern).all(axis=1)]
        ends = np.cumsum(np.where(pattern, DEALT, 0.0))
        side[alike] = np.searchsorted(ends / ends[-1], (np.arange(len(alike)) + 0.5) / len(alike))
    side = side[own]
    return train & (side == 0), calibrate & (side == 1), test & (side == 2), before & (side != 2)


def _too_few_groups(group: np.ndarray | None) -> Fault:
    found = 0 if group is None else len(np.unique(group))
    return Fault(
        "groups with rows in every period",
        f"{found:,} groups",
        "each of train, calibrate and test holds groups of its own",
        "name a column with more different values",
    )


def _too_short(times: np.ndarray, horizon: int) -> Fault:
    longest = max((min(t - times[0], times[-1] - t) for t in times), default=0)
    found = f"{len(times)} observation dates"
    if horizon:
        found += f" over {(times[-1] - times[0]) // DAY_US if len(times) else 0:,} days with a horizon of {horizon // DAY_US} days"
    return Fault(
        "observation dates",
        found,
        "train, calibrate and test are three periods with one horizon between each two",
        f"deliver a longer history, or take a horizon of at most {longest // DAY_US} days"
        if horizon and longest >= DAY_US
        else "deliver a longer history",
    )


def _one_class(name: str, y: np.ndarray) -> Fault:
    kind = "no outcome" if not y.any() else "nothing but outcomes"
    return Fault(
        f"the {name} period",
        f"{len(y):,} rows with {kind}",
        "each of train, calibrate and test holds rows with and without the outcome",
        "deliver a longer history or more entities, or check that the outcome is recorded throughout",
    )


def _over(time: np.ndarray, horizon: int, begin: float) -> np.ndarray:
    """Rows whose window is over when a period begins; with a horizon of 0 the rows of that moment are not before it."""
    return (time + horizon <= begin) & (time < begin)


def _cut(times: np.ndarray, counts: np.ndarray, share: float) -> int:
    """Place of the first time of the newest `share` of the rows; at least one time on each side."""
    newest = np.cumsum(counts[::-1])[::-1]
    place = int(np.argmin(np.abs(newest - share * counts.sum())))
    return int(np.clip(place, 1, len(times) - 1))


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
        fitted = train[_over(time[train], horizon, times[start])]
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
