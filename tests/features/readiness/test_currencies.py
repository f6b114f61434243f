"""How amounts were converted is told, and rates that stopped are found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from features.readiness.line import Line
from features.sources.source import Source
from tests.kit.checked import account, contract, lines
from tests.kit.company import at, make_source

RATES = [{"date": at("2024-01-01"), "currency": "EUR", "rate": 1.1}]


@pytest.fixture(autouse=True)
def dollars(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ACCOUNTSCORE_CURRENCY", raising=False)
    monkeypatch.delenv("ACCOUNTSCORE_RATE_DATE", raising=False)


def order(day: str, currency: str | None) -> dict[str, Any]:
    of = {"account_id": "a", "status": "placed", "amount": 1.0, "currency": currency}
    return of | {"order_id": day, "event_time": at(day)}


def company(folder: Path, **tables: Any) -> Source:
    return make_source(folder, {"accounts": [account()], "rates": RATES, **tables})


class TestConverted:
    def test_currencies_are_counted(self, tmp_path: Path) -> None:
        days = (("2024-01-05", "EUR"), ("2024-01-06", "EUR"), ("2024-01-07", "USD"), ("2024-01-08", None))
        source = company(
            tmp_path, orders=[order(*day) for day in days], subscriptions=[contract("2024-01-05", 1.0, currency="EUR")]
        )
        (flow,) = lines(source, "orders", "are converted at one rate")
        assert (flow.severity, flow.rows) == ("info", 2)
        assert (
            flow.found
            == "EUR (2), USD (1), 1 without one, read as USD; 2 rows were converted to USD at the rate of their day"
        )
        (stock,) = lines(source, "subscriptions", "are converted at one rate")
        assert stock.found.endswith("1 rows were converted to USD at one rate, that of 2024-01-01")

    def test_a_money_table_without_the_column_beside_one_with_it_is_named(self, tmp_path: Path) -> None:
        orders = [order("2024-01-05", "EUR")]
        (line,) = lines(
            company(tmp_path / "one", orders=orders, subscriptions=[contract("2024-01-05", 1.0)]),
            "subscriptions",
            "without a currency",
        )
        assert "read as USD" in line.found
        # The twin: a company with one currency hears nothing of currencies.
        alone = make_source(tmp_path / "two", {"accounts": [account()], "subscriptions": [contract("2024-01-05", 1.0)]})
        assert lines(alone, "subscriptions", "currency") == []


class TestStale:
    def stale(self, folder: Path, last: str, currency: str = "EUR") -> list[Line]:
        orders = [order("2024-01-05", "EUR"), order(last, currency)]
        return lines(company(folder, orders=orders), "rates", "rates reach as far")

    def test_rates_that_ended_before_the_data_are_found(self, tmp_path: Path) -> None:
        """2024-01-01 and 35 days is 2024-02-05; the twin is not older."""
        (line,) = self.stale(tmp_path / "old", "2024-02-06")
        assert (line.severity, line.found) == ("weakens", "EUR ends on 2024-01-01, the data on 2024-02-06")
        assert self.stale(tmp_path / "new", "2024-02-05") == []
