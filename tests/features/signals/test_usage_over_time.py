"""Trends and rhythm of usage, against a line and a calendar that are known."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from tests.kit.company import at
from tests.kit.panels import signals_at

AS_OF = at("2024-05-30")
RHYTHM = ("longest_silence_84d", "usage_regularity_28d", "days_since_usage", "days_since_first_usage")


def used(*days_before: float) -> list[dict[str, Any]]:
    moments = [AS_OF - dt.timedelta(days=days) for days in days_before]
    return [{"account_id": "a", "user_id": "u", "event_time": moment} for moment in moments]


def signals(folder: Path, usage: list[dict[str, Any]], *names: str) -> Any:
    tables = {"accounts": [{"account_id": "a", "event_time": at("2023-01-01")}], "usage": usage}
    return signals_at(folder, tables, AS_OF.isoformat(), *names)["a"]


def test_the_slope_is_that_of_the_line_over_its_mean(tmp_path: Path) -> None:
    """Week t of 12 has t acts: one more each week, 5.5 in the mean."""
    line = [7 * (11 - week) + 3.5 for week in range(12) for _ in range(week)]
    assert signals(tmp_path, used(*line), "events_slope_84d") == {"events_slope_84d": pytest.approx(1 / 5.5, abs=1e-12)}


def test_changes_compare_a_period_with_the_one_before(tmp_path: Path) -> None:
    found = signals(tmp_path, used(1, 2, 3, 10, 40), "events_change_7d", "events_change_28d")
    assert found == {"events_change_7d": pytest.approx((3 - 1) / 3), "events_change_28d": pytest.approx((4 - 1) / 4)}


def test_rhythm(tmp_path: Path) -> None:
    """Used half a day, 2.5 and 20.5 days ago: 17 whole days without use, three active days in two active weeks."""
    found = signals(tmp_path, used(0.5, 2.5, 20.5), *RHYTHM)
    assert found == {
        "longest_silence_84d": 17.0,
        "usage_regularity_28d": 3 / 14,
        "days_since_usage": 0.0,
        "days_since_first_usage": 20.0,
    }


def test_a_product_that_was_never_used_has_no_rhythm(tmp_path: Path) -> None:
    found = signals(tmp_path, [], "events_change_28d", "events_slope_84d", *RHYTHM)
    assert set(found.values()) == {None}
