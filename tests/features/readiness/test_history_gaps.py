"""Gaps in the history of orders and costs."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

from features.readiness.line import Line
from tests.kit.checked import account, lines
from tests.kit.company import at, make_source

DAY = dt.timedelta(days=1)


def orders(*days: int) -> list[dict[str, Any]]:
    of = {"account_id": "a", "status": "placed", "amount": 10.0}
    return [of | {"order_id": f"o{day}", "event_time": at("2024-01-01") + day * DAY} for day in days]


def cost(month: str, amount: float = 100.0, kind: str = "sales") -> dict[str, Any]:
    return {"month": at(month), "kind": kind, "amount": amount}


class TestOrders:
    def gaps(self, folder: Path, *days: int) -> list[Line]:
        return lines(make_source(folder, {"accounts": [account()], "orders": orders(*days)}), "orders", "has no gap")

    def test_a_missing_export_is_found(self, tmp_path: Path) -> None:
        """Daily orders without those of the days 60 to 99: from 2024-03-01 (day 60) to 2024-04-09 (day 99)."""
        (line,) = self.gaps(tmp_path, *range(60), *range(100, 200))
        assert line.severity == "weakens"
        assert line.found == "no new order from 2024-03-01 to 2024-04-09 (40 days)"

    def test_orders_as_usual_have_none(self, tmp_path: Path) -> None:
        """The twins: 27 silent days between daily orders, and orders that come every two months."""
        assert self.gaps(tmp_path / "daily", *range(60), *range(87, 200)) == []
        assert self.gaps(tmp_path / "rare", *range(0, 1200, 60)) == []

    def test_a_late_return_of_an_old_order_fills_no_gap(self, tmp_path: Path) -> None:
        back = orders(5)[0] | {"event_time": at("2024-03-20"), "status": "returned"}
        rows = [*orders(*range(60), *range(100, 200)), back]
        found = lines(make_source(tmp_path, {"accounts": [account()], "orders": rows}), "orders", "has no gap")
        assert len(found) == 1


class TestCosts:
    def test_missing_months_are_found_by_kind(self, tmp_path: Path) -> None:
        rows = [cost(f"2024-{month:02}-15") for month in (1, 2, 5)] + [cost("2024-02-01", kind="tools")]
        (line,) = lines(make_source(tmp_path, {"accounts": [account()], "costs": rows}), "costs", "every month")
        assert (line.severity, line.column) == ("weakens", "month")
        assert line.found == "'sales' has none in 2 months from 2024-03 to 2024-04"

    def test_months_in_a_row_are_no_finding(self, tmp_path: Path) -> None:
        """The twin, over a turn of the year; 0 is a row."""
        rows = [cost("2023-12-01"), cost("2024-01-31", 0.0), cost("2024-02-29")]
        source = make_source(tmp_path, {"accounts": [account()], "costs": rows})
        assert lines(source, "costs", "every month") == []
        assert lines(source, "costs", "added up") == []

    def test_costs_that_repeat_are_counted(self, tmp_path: Path) -> None:
        rows = [cost("2024-01-01"), cost("2024-01-01"), cost("2024-01-01", 7.0)]
        (line,) = lines(make_source(tmp_path, {"accounts": [account()], "costs": rows}), "costs", "added up")
        assert (line.severity, line.rows) == ("info", 1)
