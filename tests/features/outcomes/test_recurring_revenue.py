"""When revenue rose, and what of it was recorded before a moment."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from features.kit.clock import DAY_US, to_us
from features.outcomes.labels import NEVER_US, came_at, so_far
from features.outcomes.recurring_revenue import RecurringRevenue
from tests.kit.company import at
from tests.kit.contracts import AS_OF, HORIZON, RISE, START, contract, expanded, of


class TestMoments:
    def test_it_came_when_a_tenth_more_was_first_paid(self, tmp_path: Path) -> None:
        found = of(tmp_path, contract(1, START, ("2024-03-15", "active", 105.0), ("2024-04-01", "active", 112.0)))
        moments = np.array([to_us(at(d)) for d in (AS_OF, "2024-04-02", "2022-01-01")])
        assert came_at(found, ["a"] * 3, moments).tolist() == [to_us(at("2024-04-01")), NEVER_US, NEVER_US]

    def test_what_was_recorded_before_a_moment_knows_no_later_rise(self, tmp_path: Path) -> None:
        found = of(tmp_path, contract(1, START, RISE)).until(to_us(at("2024-03-20")))
        assert isinstance(found, RecurringRevenue)
        as_of = np.array([to_us(at(AS_OF))])
        assert not so_far(found, ["a"], as_of, HORIZON * DAY_US)[0]
        later = of(tmp_path, contract(1, START, RISE)).until(to_us(at("2024-04-20")))
        assert so_far(later, ["a"], as_of, HORIZON * DAY_US)[0]
        assert np.isnan(expanded(later)), "the window is not over"
