"""When revenue rose, and what of it was recorded before a moment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from features.kit.clock import DAY_US, to_us
from features.outcomes.expansion import EXPANSION
from features.outcomes.labels import NEVER_US, Outcomes, came_at, label, so_far
from features.outcomes.read import read_outcomes
from features.outcomes.recurring_revenue import RecurringRevenue
from features.sources.source import Source
from tests.kit.company import at, make_source

AS_OF, HORIZON = "2024-03-01", 90
"""The window ends on 2024-05-30."""


def contract(number: int, *versions: tuple[str, str, float]) -> list[dict[str, Any]]:
    return [
        {"subscription_id": f"s{number}", "account_id": "a", "event_time": at(when), "status": status, "mrr": mrr}
        for when, status, mrr in versions
    ]


def company(folder: Path, *contracts: list[dict[str, Any]], end: str = "2025-01-01") -> Source:
    rows: dict[str, Any] = {
        "accounts": [{"account_id": "a", "event_time": at("2023-01-01")}],
        "subscriptions": [row for rows in contracts for row in rows],
        "usage": [{"account_id": "a", "event_time": at(end)}],
    }
    return make_source(folder, rows)


def expanded(outcomes: Outcomes, as_of: str = AS_OF) -> float:
    return float(label(outcomes, ["a"], np.array([to_us(at(as_of))]), HORIZON * DAY_US)[0])


def of(folder: Path, *contracts: list[dict[str, Any]], **more: str) -> Outcomes:
    return read_outcomes(company(folder, *contracts, **more), EXPANSION)


START = ("2023-06-01", "active", 100.0)


RISE = ("2024-04-01", "active", 110.0)


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
