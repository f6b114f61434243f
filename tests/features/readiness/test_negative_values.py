"""Amounts below zero are counted, and the advice mends them."""

from __future__ import annotations

from pathlib import Path

from features.sources.source import Source
from tests.kit.checked import account, contract, lines, query_of, wrapped
from tests.kit.company import at, make_source


class TestCredits:
    def source(self, tmp_path: Path) -> Source:
        rows = [contract("2024-02-01", 50.0), contract("2024-03-01", -250.0), contract("2024-04-01", 60.0)]
        rows += [contract("2024-05-01", -5.0, "ended")]
        return make_source(tmp_path, {"accounts": [account()], "subscriptions": rows})

    def test_negative_amounts_are_counted_and_the_advice_mends_them(self, tmp_path: Path) -> None:
        (line,) = lines(self.source(tmp_path), "subscriptions", "a credit is not recurring revenue")
        assert (line.severity, line.rows, line.column) == ("weakens", 2, "mrr")
        assert "the lowest -250.0" in line.found
        assert lines(wrapped(tmp_path, "subscriptions", query_of(line)), "subscriptions", "a credit") == []


class TestOrdersAndCosts:
    def test_negative_orders_and_costs_are_counted_and_kept(self, tmp_path: Path) -> None:
        of = {"account_id": "a", "event_time": at("2024-02-01"), "status": "placed"}
        orders = [of | {"order_id": f"o{n}", "amount": amount} for n, amount in enumerate((10.0, -10.0, -2.5))]
        costs = [{"month": at("2024-02-01"), "kind": "sales", "amount": -7.0}]
        source = make_source(tmp_path, {"accounts": [account()], "orders": orders, "costs": costs})
        (line,) = lines(source, "orders", "an order is 0 or more")
        assert (line.severity, line.rows, line.column) == ("weakens", 2, "amount")
        assert "the lowest -10.0 (order_id 'o1')" in line.found
        (cost,) = lines(source, "costs", "a cost is 0 or more")
        assert (cost.rows, source.rows("orders"), source.rows("costs")) == (1, 3, 1)
        assert lines(wrapped(tmp_path, "orders", query_of(line)), "orders", "an order is 0 or more") == []
