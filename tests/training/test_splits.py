"""Periods follow each other with a gap; groups stay on one side; too little is refused with what would work."""

from __future__ import annotations

import numpy as np
import pytest

from features.kit.clock import DAY_US
from training.errors import TrainingRefused
from training.splits import Split, copies, grouped_folds, join_groups, split_in_time, split_without_time

HORIZON = 90 * DAY_US


def panel(dates: int = 24, accounts: int = 40, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(time, y, account): every account at every date, 28 days apart."""
    time = np.repeat(np.arange(dates) * 28 * DAY_US, accounts)
    account = np.tile(np.arange(accounts), dates)
    return time, (np.random.default_rng(seed).random(len(time)) < 0.2).astype(float), account


def overlaps(split: Split, time: np.ndarray, horizon: int) -> list[str]:
    """Pairs of parts whose windows reach into the next one."""
    pairs = [("train", split.train, "calibrate", split.calibrate), ("fitted", split.before_test, "test", split.test)]
    pairs += [(f"fold {n}", fitted, "its held-back rows", held) for n, (fitted, held) in enumerate(split.folds)]
    return [f"{a} into {b}" for a, x, b, y in pairs if len(y) and time[x].max() + horizon > time[y].min()]


class TestInTime:
    def test_a_horizon_lies_between_two_periods(self) -> None:
        time, y, account = panel(40)
        split = split_in_time(time, y, HORIZON, account)
        assert overlaps(split, time, HORIZON) == []
        assert len(split.folds) >= 2
        assert time[split.train].max() < time[split.calibrate].min() < time[split.test].min()

    def test_a_split_without_a_gap_is_caught(self) -> None:
        """The sabotaged twin: consecutive periods that forget the horizon."""
        time, y, account = panel(40)
        careless = split_in_time(time, y, 0, account)
        assert "fitted into test" in overlaps(careless, time, HORIZON)
        assert "train into calibrate" in overlaps(careless, time, HORIZON)

    def test_the_note_says_whether_there_is_a_gap(self) -> None:
        time, y, account = panel(40)
        assert "with a gap of one horizon" in split_in_time(time, y, HORIZON, account).note
        assert "with no gap" in split_in_time(time, y, 0, account).note

    @pytest.mark.parametrize("horizon", [0, HORIZON])
    def test_groups_that_are_there_throughout_are_dealt_to_the_periods(self, horizon: int) -> None:
        """Going to the later side leaves nobody to learn from."""
        time, y, account = panel(40)
        split = split_in_time(time, y, horizon, account, strict_group=account)
        parts = [set(account[i]) for i in (split.train, split.calibrate, split.test)]
        assert all(parts)
        assert sum(map(len, parts)) == len(set().union(*parts)) == 40
        assert not set(account[split.before_test]) & set(account[split.test])
        assert not [where for where in overlaps(split, time, horizon) if not where.startswith("fold")]
        assert all(not set(account[a]) & set(account[b]) for a, b in split.folds)
        assert "dealt to one of them by lot" in split.note

    def test_groups_that_come_and_go_stay_on_the_later_side(self) -> None:
        time, y, account = panel(40)
        own = (time // (28 * DAY_US) // 2) * 1000 + account
        split = split_in_time(time, y, 0, account, strict_group=own)
        assert "by lot" not in split.note
        assert len(split.test) == len(split_in_time(time, y, 0, account).test)

    def test_too_few_groups_to_deal(self) -> None:
        time, y, account = panel(40)
        with pytest.raises(TrainingRefused, match=r"2 groups.*name a column with more different values"):
            split_in_time(time, y, 0, account, strict_group=account % 2)

    def test_the_test_period_is_the_newest_fifth(self) -> None:
        time, y, account = panel(40)
        split = split_in_time(time, y, HORIZON, account)
        assert len(split.test) == pytest.approx(0.2 * len(y), rel=0.1)
        assert time[split.test].max() == time.max()

    def test_all_rows_of_a_date_are_on_one_side(self) -> None:
        time = np.sort(np.random.default_rng(1).integers(0, 7, 500))
        y = np.tile([0.0, 1.0], 250)
        split = split_in_time(time, y, 0, np.arange(500))
        assert not set(time[split.test]) & set(time[split.before_test])

    def test_named_groups_stay_on_the_later_side(self) -> None:
        time, y, account = panel(40)
        group = np.arange(len(y)) // 60
        split = split_in_time(time, y, HORIZON, account, strict_group=group)
        for earlier, later in ((split.before_test, split.test), (split.train, split.calibrate), *split.folds):
            assert not set(group[earlier]) & set(group[later])

    def test_a_short_history_tunes_on_folds_by_account(self) -> None:
        time, y, account = panel(16)
        split = split_in_time(time, y, HORIZON, account)
        assert "folds by account" in split.note
        for fitted, held in split.folds:
            assert not set(account[fitted]) & set(account[held])

    def test_too_short_says_which_horizon_would_work(self) -> None:
        time, y, account = panel(5)
        with pytest.raises(TrainingRefused, match=r"5 observation dates over 112 days.*horizon of at most 56 days"):
            split_in_time(time, y, HORIZON, account)

    def test_a_period_without_outcomes_is_named_with_all_its_kind(self) -> None:
        time, y, account = panel(40)
        y[time > time.max() // 2] = 0
        with pytest.raises(TrainingRefused) as refused:
            split_in_time(time, y, HORIZON, account)
        assert [fault.where for fault in refused.value.faults] == ["the calibrate period", "the test period"]


class TestWithoutTime:
    def test_folds_cover_every_row_once_and_keep_groups(self) -> None:
        rng = np.random.default_rng(0)
        group = rng.integers(0, 60, 400)
        y = (rng.random(400) < 0.3).astype(float)
        split = split_without_time(y, group)
        assert sorted(np.concatenate([held for _, held in split.folds])) == list(range(400))
        for fitted, held in split.folds:
            assert not set(group[fitted]) & set(group[held])
            assert y[held].mean() == pytest.approx(0.3, abs=0.1)
        assert "optimistic" in split.note

    def test_copies_dealt_apart_are_caught(self) -> None:
        """The sabotaged twin: folds that do not know which rows are copies."""
        x = np.repeat(np.random.default_rng(0).normal(size=(60, 3)), 3, axis=0)
        group, y = copies(x), np.tile([0.0, 1.0, 0.0], 60)
        held_apart = [set(group[a]) & set(group[b]) for a, b in grouped_folds(y, group, 5)]
        careless = [set(group[a]) & set(group[b]) for a, b in grouped_folds(y, np.arange(180), 5)]
        assert not any(held_apart)
        assert all(careless)


class TestGroups:
    def test_missing_equals_missing(self) -> None:
        assert len(set(copies(np.array([[1, np.nan], [1, np.nan], [1, 2.0]])))) == 2

    def test_groups_that_share_a_member_become_one(self) -> None:
        joined = join_groups(np.array([0, 0, 1, 2]), np.array([5, 6, 6, 7]))
        assert joined[0] == joined[1] == joined[2] != joined[3]
