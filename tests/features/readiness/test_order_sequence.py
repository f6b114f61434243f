"""Orders whose end is dated before their beginning."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.kit.checked import account, lines
from tests.kit.company import at, make_source


def order(day: str, status: str, name: str = "o1") -> dict[str, Any]:
    return {"order_id": name, "account_id": "a", "event_time": at(day), "status": status, "amount": 10.0}


class TestSequence:
    def test_an_order_that_was_cancelled_before_it_was_placed(self, tmp_path: Path) -> None:
        rows = [
            order("2024-03-05", "placed"),
            order("2024-03-01", "Canceled"),
            order("2024-03-05", "placed", "o2"),
            order("2024-03-09", "shipped", "o2"),
            order("2024-03-02", "returned", "o2"),
            order("2024-03-01", "cancelled", "o3"),
        ]
        found = lines(
            make_source(tmp_path, {"accounts": [account()], "orders": rows}), "orders", "an order is placed before"
        )
        assert [(line.severity, line.rows, line.rule) for line in found] == [
            ("weakens", 1, "an order is placed before it is cancelled"),
            ("weakens", 1, "an order is placed before it is returned"),
        ]
        assert "order_id 'o1'" in found[0].found
        assert "less than a day apart" not in found[0].what_to_do

    def test_a_date_without_a_time_of_day_is_named_as_the_likely_reason(self, tmp_path: Path) -> None:
        rows = [order("2024-03-05T14:00", "placed"), order("2024-03-05", "cancelled")]
        (line,) = lines(
            make_source(tmp_path, {"accounts": [account()], "orders": rows}), "orders", "an order is placed before"
        )
        assert "less than a day apart" in line.what_to_do

    def test_orders_in_their_order_are_no_finding(self, tmp_path: Path) -> None:
        """The twin; the same moment is no earlier one."""
        rows = [order("2024-03-05", "placed"), order("2024-03-05", "shipped"), order("2024-03-07", "returned")]
        assert (
            lines(
                make_source(tmp_path, {"accounts": [account()], "orders": rows}), "orders", "an order is placed before"
            )
            == []
        )
