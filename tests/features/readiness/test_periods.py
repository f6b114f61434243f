"""Train, calibrate and test follow each other with a horizon between them, and each holds both classes."""

from __future__ import annotations

import numpy as np
import pytest

from features.kit.clock import DAY_US
from features.kit.errors import TrainingRefused
from features.readiness.periods import Periods, is_split, over, periods_of

DATES = 20
TIME = np.repeat(np.arange(DATES) * 30 * DAY_US, 10)
"""Twenty dates 30 days apart, ten rows each, of which one in two has the outcome."""
Y = np.tile([0.0, 1.0], 5 * DATES)


def days(found: Periods) -> dict[str, list[int]]:
    """First and last day of each period."""
    return {
        name: [int(TIME[getattr(found, name)].min() // DAY_US), int(TIME[getattr(found, name)].max() // DAY_US)]
        for name in ("train", "calibrate", "test")
    }


class TestPeriods:
    def test_a_window_is_over_before_the_next_period_begins(self) -> None:
        """A fifth of the rows judges: four dates from day 480 on; 60 days before it the windows are over."""
        found = periods_of(TIME, Y, 60 * DAY_US)
        assert days(found) == {"train": [0, 300], "calibrate": [360, 420], "test": [480, 570]}
        assert TIME[found.before_test].max() == 420 * DAY_US
        assert not found.dealt

    def test_without_a_horizon_only_the_rows_of_the_moment_itself_are_not_before_it(self) -> None:
        found = periods_of(TIME, Y, 0)
        assert days(found)["test"] == [480, 570]
        assert TIME[found.before_test].max() == 450 * DAY_US

    def test_no_test_is_cut_off_with_a_share_of_0(self) -> None:
        found = periods_of(TIME, Y, 60 * DAY_US, test_share=0)
        assert not found.test.any()
        assert found.before_test.all()


class TestRefused:
    def test_too_few_dates_with_a_horizon_that_would_work(self) -> None:
        """Of 150 days 120 lie before the last date: with a horizon of 60 days two windows fit, with 61 one."""
        time = np.repeat(np.arange(6) * 30 * DAY_US, 10)
        with pytest.raises(TrainingRefused) as refused:
            periods_of(time, np.tile([0.0, 1.0], 30), 90 * DAY_US)
        (fault,) = refused.value.faults
        assert fault.found == "6 observation dates over 150 days with a horizon of 90 days"
        advised = int(fault.next_step.rsplit(" ", 2)[1])
        assert is_split(time, advised * DAY_US)
        assert not is_split(time, (advised + 1) * DAY_US)

    def test_a_period_of_one_class_is_named(self) -> None:
        y = Y.copy()
        y[TIME >= 480 * DAY_US] = 0.0
        with pytest.raises(TrainingRefused, match="the test period: 40 rows with no outcome"):
            periods_of(TIME, y, 60 * DAY_US)


class TestGroups:
    def test_a_group_stays_on_the_later_side_of_a_line(self) -> None:
        """Ten groups of one date each but one, whose rows lie on the first and on the last date."""
        group = np.arange(len(TIME))
        group[[0, len(TIME) - 1]] = -1
        found = periods_of(TIME, Y, 60 * DAY_US, strict_group=group)
        assert found.test[-1]
        assert not (found.train | found.calibrate | found.before_test)[0]

    def test_groups_with_rows_everywhere_are_dealt_by_lot_and_always_alike(self) -> None:
        group = np.tile(np.arange(10), DATES)
        # The outcome goes by the date, so that each group has both.
        y = np.repeat(np.arange(DATES) % 2, 10).astype(float)
        found, again = (periods_of(TIME, y, 60 * DAY_US, strict_group=group) for _ in range(2))
        assert found.dealt
        parts = [set(group[mask]) for mask in (found.train, found.calibrate, found.test)]
        assert [len(part) for part in parts] == [5, 2, 3]
        assert set.union(*parts) == set(range(10))
        assert (found.train == again.train).all()

    def test_too_few_groups_for_three_periods_are_refused(self) -> None:
        with pytest.raises(TrainingRefused, match="2 groups"):
            periods_of(
                TIME, np.repeat(np.arange(DATES) % 2, 10).astype(float), 60 * DAY_US, strict_group=np.tile([0, 1], 100)
            )


@pytest.mark.parametrize(("time", "horizon", "is_over"), [(10, 5, True), (11, 5, False), (15, 0, False), (14, 0, True)])
def test_a_window_is_over_at_the_moment_at_which_a_period_begins(time: int, horizon: int, is_over: bool) -> None:
    assert over(np.array([time]), horizon, 15).tolist() == [is_over]
