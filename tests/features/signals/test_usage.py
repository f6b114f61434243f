"""How much the product is used, and by whom."""

from __future__ import annotations

from typing import Any

import pytest

from tests.kit.company import at
from tests.kit.panels import signals_at

AS_OF = "2024-05-30"


def use(user: str | None, when: str, **columns: Any) -> dict[str, Any]:
    return {"account_id": "a", "user_id": user, "event_time": at(when), **columns}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    contract = {"subscription_id": "s", "account_id": "a", "event_time": at("2024-01-01"), "status": "active"}
    tables: dict[str, list[dict[str, Any]]] = {
        "accounts": [{"account_id": name, "event_time": at("2023-01-01")} for name in ("a", "none")],
        "subscriptions": [contract | {"mrr": 9.0, "seats": 4}],
        "usage": [
            use("u1", "2024-05-29", quantity=7),
            use("u1", "2024-05-28", kind="error"),
            use("u1", "2024-05-15", kind="admin"),
            use("u2", "2024-05-15"),
            # The busiest of the 28 days before, silent since.
            use("u9", "2024-04-20"),
            use("u9", "2024-04-21"),
        ],
    }
    names = [
        "active_users_28d",
        "events_28d",
        "quantity_28d",
        "active_days_28d",
        "admin_acts_28d",
        "new_users_28d",
        "events_per_user_28d",
        "stickiness_28d",
        "seat_use_28d",
        "top_user_share_28d",
        "error_rate_28d",
        "lost_key_user",
    ]
    return signals_at(tmp_path_factory.mktemp("company"), tables, AS_OF, *names)


def test_counts_of_the_last_28_days(found: dict[str, Any]) -> None:
    row = found["a"]
    assert (row["active_users_28d"], row["events_28d"], row["active_days_28d"]) == (2.0, 4.0, 3.0)
    assert row["quantity_28d"] == 7 + 1 + 1 + 1, "an act without a quantity is one"
    assert (row["admin_acts_28d"], row["new_users_28d"]) == (1.0, 2.0)


def test_shares(found: dict[str, Any]) -> None:
    row = found["a"]
    assert (row["events_per_user_28d"], row["seat_use_28d"]) == (4 / 2, 2 / 4)
    assert row["stickiness_28d"] == (2 + 1) / (4 * 2), "u1 in two weeks, u2 in one, of four weeks each"
    assert (row["top_user_share_28d"], row["error_rate_28d"]) == (3 / 4, 1 / 4)


def test_the_busiest_of_the_month_before_fell_silent(found: dict[str, Any]) -> None:
    assert found["a"]["lost_key_user"] == 1.0


def test_without_usage_counts_are_0_and_shares_are_missing(found: dict[str, Any]) -> None:
    row = found["none"]
    assert (row["active_users_28d"], row["events_28d"], row["quantity_28d"]) == (0.0, 0.0, 0.0)
    assert row["stickiness_28d"] is row["top_user_share_28d"] is row["seat_use_28d"] is None
