"""Tickets: how many, how grave, how fast they were answered, and how they were rated."""

from __future__ import annotations

from typing import Any

import pytest

from tests.kit.company import at
from tests.kit.panels import signals_at

AS_OF = "2024-05-30"
"""28 days before it is 2024-05-02, 56 days 2024-04-04."""


def ticket(name: str, when: str, status: str = "open", **columns: Any) -> dict[str, Any]:
    return {"ticket_id": name, "account_id": "a", "event_time": at(when), "status": status, **columns}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    grave: dict[str, Any] = {"escalated": True, "priority": "urgent", "first_response_minutes": 60}
    tables = {
        "accounts": [{"account_id": name, "event_time": at("2023-01-01")} for name in ("a", "none")],
        "tickets": [
            ticket("new", "2024-05-20", **grave),
            ticket("new", "2024-05-25", "closed", satisfaction=5, **grave),
            ticket("open", "2024-04-20", first_response_minutes=180),
            ticket("again", "2024-04-10", satisfaction=2),
            ticket("again", "2024-04-12", "reopened", satisfaction=2),
            ticket("at the edge", "2024-05-02", "closed"),
            ticket("a moment before it", "2024-05-01T23:59:59.999999", "closed"),
        ],
    }
    names = [
        "tickets_opened_28d",
        "tickets_open",
        "tickets_escalated_28d",
        "tickets_urgent_84d",
        "tickets_reopened_84d",
        "low_ratings_84d",
        "first_response_hours_84d",
        "satisfaction_84d",
        "tickets_change_28d",
        "days_since_ticket",
        "oldest_open_ticket_days",
    ]
    return signals_at(tmp_path_factory.mktemp("company"), tables, AS_OF, *names)


def test_a_ticket_lies_in_the_window_in_which_it_was_opened(found: dict[str, Any]) -> None:
    row = found["a"]
    assert row["tickets_opened_28d"] == 2.0, "the one at the edge and the new one, whatever came of it since"
    assert row["tickets_change_28d"] == pytest.approx((2 - 3) / 3)
    assert row["days_since_ticket"] == 9.0


def test_what_is_unresolved_is_open_also_when_it_was_reopened(found: dict[str, Any]) -> None:
    row = found["a"]
    assert (row["tickets_open"], row["tickets_reopened_84d"]) == (2.0, 1.0)
    assert row["oldest_open_ticket_days"] == 49.0, "of 2024-04-10, 50 days to the microsecond"


def test_gravity_answers_and_ratings(found: dict[str, Any]) -> None:
    row = found["a"]
    assert (row["tickets_escalated_28d"], row["tickets_urgent_84d"]) == (1.0, 1.0)
    assert row["first_response_hours_84d"] == (60 + 180) / 2 / 60
    assert (row["satisfaction_84d"], row["low_ratings_84d"]) == ((5 + 2) / 2, 1.0)


def test_without_tickets_counts_are_0_and_means_are_missing(found: dict[str, Any]) -> None:
    row = found["none"]
    assert (row["tickets_opened_28d"], row["tickets_open"]) == (0.0, 0.0)
    assert row["first_response_hours_84d"] is row["satisfaction_84d"] is row["days_since_ticket"] is None
