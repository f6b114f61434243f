"""Splits dated rows into train, calibrate and test periods, and checks that there are enough rows for it.

The periods follow each other, and the outcome windows of one are over before the next begins. `features check` and
training use the same split.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from features.kit.clock import DAY_US
from features.kit.errors import Fault, TrainingRefused

TEST_SHARE = 0.2
CALIBRATE_SHARE = 0.15
KEPT_SHARE = 0.5
"""Share of the training rows that must be left when groups go to the later period; with less, groups are assigned at
random."""
DEALT = (0.5, 0.2, 0.3)
"""Shares of groups assigned at random to train, calibrate and test, among the periods that a group has rows in."""


@dataclass(frozen=True)
class Periods:
    """Masks over the rows; `test` is empty with a test share of 0."""

    train: np.ndarray
    calibrate: np.ndarray
    test: np.ndarray
    before_test: np.ndarray
    """Rows whose window is over before the test period: what the final model is fitted on."""
    dealt: bool = False
    """Whether groups with rows in several periods were assigned at random to one of them."""


def periods_of(
    time: np.ndarray,
    y: np.ndarray,
    horizon: int,
    strict_group: np.ndarray | None = None,
    test_share: float = TEST_SHARE,
) -> Periods:
    """Consecutive periods with a gap; `horizon` in the unit of `time` (0: the outcome is known at once).

    `strict_group` must stay on one side of every line (None: no such groups). Raises `TrainingRefused` when a period would be
    empty or hold one class.
    """
    found = _cut_in_time(time, horizon, test_share, strict_group)
    if strict_group is not None:
        free = _cut_in_time(time, horizon, test_share, None)
        if free is not None and (found is None or found.train.sum() < KEPT_SHARE * free.train.sum()):
            found = _by_lot(free, strict_group)
    if found is None:
        raise TrainingRefused("the split by time", [_too_short(time, horizon, test_share, strict_group)])
    named = {"train": found.train, "calibrate": found.calibrate, "test": found.test}
    if found.dealt and not all(mask.any() for mask in named.values()):
        raise TrainingRefused("the split by time", [_too_few_groups(strict_group)])
    faults = [_one_class(name, y[mask]) for name, mask in named.items() if mask.any() and len(np.unique(y[mask])) < 2]
    if faults:
        raise TrainingRefused("the split by time", faults)
    return found


def _cut_in_time(time: np.ndarray, horizon: int, test_share: float, group: np.ndarray | None) -> Periods | None:
    """Rows of train, calibrate and test, and all that may be learnt from before the test; None when time is too short.

    A `group` goes to the later side of each line.
    """
    times, counts = np.unique(time, return_counts=True)
    if len(times) < 3:
        return None
    first_test = _cut(times, counts, test_share) if test_share else None
    limit = np.inf if first_test is None else times[first_test]
    before = over(time, horizon, limit) if first_test is not None else np.ones(len(time), dtype=bool)
    test = time >= limit
    if group is not None and test.any():
        before &= ~np.isin(group, np.unique(group[test]))
    earlier, earlier_counts = np.unique(time[before], return_counts=True)
    if len(earlier) < 2:
        return None
    first_calibrate = _cut(earlier, earlier_counts, CALIBRATE_SHARE / (1 - test_share))
    calibrate = before & (time >= earlier[first_calibrate])
    train = before & over(time, horizon, earlier[first_calibrate])
    if group is not None:
        train &= ~np.isin(group, np.unique(group[calibrate]))
    return Periods(train, calibrate, test, before) if train.any() else None


def _by_lot(free: Periods, group: np.ndarray) -> Periods:
    """Assigns each group at random to one of the periods that it has rows in; the same groups give the same
    assignment."""
    train, calibrate, test = free.train, free.calibrate, free.test
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
    return Periods(
        train & (side == 0), calibrate & (side == 1), test & (side == 2), free.before_test & (side != 2), True
    )


def _too_few_groups(group: np.ndarray | None) -> Fault:
    found = 0 if group is None else len(np.unique(group))
    return Fault(
        where="groups with rows in every period",
        found=f"{found:,} groups",
        rule="each of train, calibrate and test holds groups of its own",
        next_step="name a column with more different values",
    )


def is_split(time: np.ndarray, horizon: int) -> bool:
    """Whether rows at these times make three periods with one horizon between each two."""
    return _cut_in_time(time, horizon, TEST_SHARE, None) is not None


def _too_short(time: np.ndarray, horizon: int, test_share: float, group: np.ndarray | None) -> Fault:
    times = np.unique(time)
    # Half of the time would do if the periods could be cut anywhere: the horizon that is advised is tried.
    half = max((min(t - times[0], times[-1] - t) for t in times), default=0)
    tried = range(min(half, horizon - 1) // DAY_US, 0, -1)
    longest = DAY_US * next((days for days in tried if _cut_in_time(time, days * DAY_US, test_share, group)), 0)
    found = f"{len(times)} observation dates"
    if horizon:
        found += f" over {(times[-1] - times[0]) // DAY_US if len(times) else 0:,} days with a horizon of {horizon // DAY_US} days"
    return Fault(
        where="observation dates",
        found=found,
        rule="train, calibrate and test are three periods with one horizon between each two",
        next_step=f"deliver a longer history, or take a horizon of at most {longest // DAY_US} days"
        if horizon and longest >= DAY_US
        else "deliver a longer history",
    )


def _one_class(name: str, y: np.ndarray) -> Fault:
    kind = "no outcome" if not y.any() else "nothing but outcomes"
    return Fault(
        where=f"the {name} period",
        found=f"{len(y):,} rows with {kind}",
        rule="each of train, calibrate and test holds rows with and without the outcome",
        next_step="deliver a longer history or more entities, or check that the outcome is recorded throughout",
    )


def over(time: np.ndarray, horizon: int, begin: float) -> np.ndarray:
    """Rows whose window is over when a period begins; with a horizon of 0 the rows of that moment are not before it."""
    return (time + horizon <= begin) & (time < begin)


def _cut(times: np.ndarray, counts: np.ndarray, share: float) -> int:
    """Place of the first time of the newest `share` of the rows; at least one time on each side."""
    newest = np.cumsum(counts[::-1])[::-1]
    place = int(np.argmin(np.abs(newest - share * counts.sum())))
    return int(np.clip(place, 1, len(times) - 1))
