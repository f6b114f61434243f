"""Contracts and deals: what is paid, since when, until when, and how that has changed."""

from __future__ import annotations

from typing import Any

import pytest

from tests.kit.company import at
from tests.kit.panels import signals_at

AS_OF = "2024-04-10"
"""84 days before it is 2024-01-17; the four-week steps end on 2024-03-13 and 2024-02-14."""


def version(day: str, mrr: float, status: str = "active", name: str = "s", **columns: Any) -> dict[str, Any]:
    row = {"subscription_id": name, "account_id": "a", "event_time": at(day), "status": status, "mrr": mrr}
    return row | columns


def deal(name: str, day: str, status: str, amount: float) -> dict[str, Any]:
    row = {"opportunity_id": name, "account_id": "a", "event_time": at(day), "status": status, "stage": "x"}
    return row | {"amount": amount}


TABLES = {
    "accounts": [{"account_id": name, "event_time": at("2023-01-01")} for name in ("a", "none")],
    "subscriptions": [
        version("2024-01-01", 100.0, seats=10, term_end=at("2024-05-10"), auto_renew=True),
        version("2024-03-01", 150.0, seats=8, term_end=at("2024-05-10"), auto_renew=True),
        version("2023-02-01", 20.0, name="old"),
        version("2023-06-01", 0.0, "ended", name="old"),
    ],
    "opportunities": [
        deal("open", "2024-03-01", "open", 500.0),
        deal("lost", "2024-02-01", "lost", 90.0),
        deal("lost long ago", "2023-03-01", "lost", 90.0),
    ],
}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    names = [
        "mrr",
        "paid_seats",
        "tenure_days",
        "days_to_renewal",
        "renews_automatically",
        "mrr_change_84d",
        "seats_change_84d",
        "expansions_84d",
        "contractions_84d",
        "contract_changes_84d",
        "days_since_contract_change",
        "ended_contracts",
        "has_left_before",
        "open_deals",
        "open_deal_amount",
        "lost_deals_364d",
    ]
    return signals_at(tmp_path_factory.mktemp("company"), TABLES, AS_OF, *names)


def test_what_is_paid_now_and_for_how_long(found: dict[str, Any]) -> None:
    row = found["a"]
    assert (row["mrr"], row["paid_seats"]) == (150.0, 8.0)
    assert row["tenure_days"] == 99.0, "100 days to the microsecond"
    assert (row["days_to_renewal"], row["renews_automatically"]) == (30.0, 1.0)


def test_changes_are_relative_to_the_larger_of_both(found: dict[str, Any]) -> None:
    assert found["a"]["mrr_change_84d"] == pytest.approx((150 - 100) / 150)
    assert found["a"]["seats_change_84d"] == pytest.approx((8 - 10) / 10)


def test_a_rise_is_counted_in_the_four_weeks_in_which_it_came(found: dict[str, Any]) -> None:
    row = found["a"]
    assert (row["expansions_84d"], row["contractions_84d"]) == (1.0, 0.0)
    assert (row["contract_changes_84d"], row["days_since_contract_change"]) == (1.0, 39.0)


def test_a_contract_that_ended_is_remembered(found: dict[str, Any]) -> None:
    assert (found["a"]["ended_contracts"], found["a"]["has_left_before"]) == (1.0, 1.0)


def test_deals_are_open_or_lost_within_a_year(found: dict[str, Any]) -> None:
    row = found["a"]
    assert (row["open_deals"], row["open_deal_amount"], row["lost_deals_364d"]) == (1.0, 500.0, 1.0)


def test_without_contracts_amounts_are_0_and_terms_are_missing(found: dict[str, Any]) -> None:
    row = found["none"]
    assert [row[n] for n in ("mrr", "paid_seats", "has_left_before", "open_deals")] == [0.0] * 4
    assert [row[n] for n in ("tenure_days", "days_to_renewal", "mrr_change_84d", "renews_automatically")] == [None] * 4
