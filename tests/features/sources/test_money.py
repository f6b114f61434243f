"""Amounts in several currencies: flows at the rate of their day, stocks at one rate, and no amount without a rate."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from features.kit.errors import BadInput, UserMistake
from features.sources import money
from features.sources.casts import versions
from features.sources.fingerprint import fingerprint
from features.sources.loader import open_source
from features.sources.overlay import overlay, readable
from features.sources.source import Source
from tests.kit.checked import account, contract
from tests.kit.company import at, make_source

RATES = [
    {"date": at("2024-01-01"), "currency": "EUR", "rate": 1.10},
    {"date": at("2024-03-01"), "currency": "eur ", "rate": 1.20},
    {"date": at("2024-02-01"), "currency": "GBP", "rate": 1.25},
]


@pytest.fixture(autouse=True)
def dollars(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ACCOUNTSCORE_CURRENCY", raising=False)
    monkeypatch.delenv("ACCOUNTSCORE_RATE_DATE", raising=False)


def order(name: str, day: str, amount: float, currency: str | None, status: str = "placed") -> dict[str, Any]:
    of = {"account_id": "a", "status": status, "amount": amount, "currency": currency}
    return of | {"order_id": name, "event_time": at(day)}


def company(folder: Path, rates: list[dict[str, Any]] | None = None, **tables: Any) -> Source:
    priced = {"rates": RATES if rates is None else rates}
    return make_source(folder, {"accounts": [account()], **tables, **{n: r for n, r in priced.items() if r}})


def cents(source: Source, table: str, column: str = "amount") -> list[int]:
    return [row[0] for row in source.query(f"SELECT {column} FROM {table} ORDER BY event_us, 1")]


class TestFlows:
    def test_an_order_has_the_rate_of_its_day(self, tmp_path: Path) -> None:
        """100 EUR x 1.10 until the end of February, x 1.20 from March 1st on; GBP 1.25; dollars and null as they are."""
        rows = [
            order("o1", "2024-01-01", 100.0, "EUR"),
            order("o2", "2024-02-29T23:59", 100.0, "Eur"),
            order("o3", "2024-03-01", 100.0, "EUR"),
            order("o4", "2024-03-02", 10.0, "GBP"),
            order("o5", "2024-03-03", 12.34, "USD"),
            order("o6", "2024-03-04", 56.78, None),
        ]
        assert cents(company(tmp_path, orders=rows), "orders") == [11000, 11000, 12000, 1250, 1234, 5678]

    def test_its_amount_does_not_move_between_its_versions(self, tmp_path: Path) -> None:
        """Shipped in March, at the rate of its placing in February; the twin is an order of its own in March."""
        rows = [order("o1", "2024-02-20", 100.0, "EUR"), order("o1", "2024-03-05", 100.0, "EUR", "shipped")]
        assert cents(company(tmp_path / "one", orders=rows), "orders") == [11000, 11000]
        rows[1]["order_id"] = "o2"
        assert cents(company(tmp_path / "two", orders=rows), "orders") == [11000, 12000]

    def test_an_earlier_version_that_was_known_later_decides_nothing_before(self, tmp_path: Path) -> None:
        """The placing of February was learnt in April: what was known in March stays what it was."""
        rows = [
            order("o1", "2024-03-05", 100.0, "EUR", "shipped"),
            order("o1", "2024-02-20", 100.0, "EUR") | {"known_time": at("2024-04-01")},
        ]
        found = company(tmp_path, orders=rows).query("SELECT status, amount FROM orders ORDER BY 1")
        assert found == [("placed", 11000), ("shipped", 12000)]

    def test_bills_and_costs_too(self, tmp_path: Path) -> None:
        bill = {"invoice_id": "i", "account_id": "a", "amount": 100.0, "currency": "EUR"}
        invoices = [
            bill | {"event_time": at("2024-02-20"), "status": "open"},
            bill | {"event_time": at("2024-03-20"), "status": "paid"},
        ]
        costs = [{"month": at("2024-03-01"), "kind": "sales", "amount": 50.0, "currency": "EUR"}]
        source = company(tmp_path, invoices=invoices, costs=costs)
        assert cents(source, "invoices") == [11000, 11000]
        assert source.query("SELECT amount FROM costs") == [(6000,)]


class TestStocks:
    def test_a_movement_of_rates_is_no_movement_of_revenue(self, tmp_path: Path) -> None:
        """100 EUR a month before and after the euro rose: 1.10 both times, the rate of the first day of the rates."""
        rows = [contract("2024-01-15", 100.0, currency="EUR"), contract("2024-03-15", 100.0, currency="EUR", seats=9)]
        assert cents(company(tmp_path, subscriptions=rows), "subscriptions", "mrr") == [11000, 11000]

    def test_at_the_rate_of_the_day_it_would_move(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The twin: contracts as flows."""
        monkeypatch.setattr(money, "STOCKS", {})
        monkeypatch.setitem(money.FLOWS, "subscriptions", "event_us")  # and no stock
        monkeypatch.setattr(money, "money_column", lambda table: "mrr" if table == "subscriptions" else None)
        rows = [contract("2024-01-15", 100.0, currency="EUR"), contract("2024-03-15", 100.0, currency="EUR", seats=9)]
        assert cents(company(tmp_path, subscriptions=rows), "subscriptions", "mrr") == [11000, 12000]

    def test_rates_of_later_nights_rescale_nothing(self, tmp_path: Path) -> None:
        rows = [contract("2024-01-15", 100.0, currency="EUR"), contract("2024-03-15", 80.0, currency="GBP")]
        later = [{"date": at("2024-05-01"), "currency": code, "rate": 9.0} for code in ("EUR", "GBP", "SEK")]
        before = company(tmp_path / "before", subscriptions=rows)
        after = company(tmp_path / "after", [*RATES, *later], subscriptions=rows)
        # GBP has its first rate in February: 80 x 1.25.
        assert cents(before, "subscriptions", "mrr") == cents(after, "subscriptions", "mrr") == [11000, 10000]

    def test_the_day_is_a_setting(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        deal = {
            "opportunity_id": "d",
            "account_id": "a",
            "stage": "x",
            "status": "open",
            "amount": 100.0,
            "currency": "EUR",
        }
        rows = [deal | {"event_time": at("2024-01-10")}]
        monkeypatch.setenv("ACCOUNTSCORE_RATE_DATE", "2024-03-31")
        assert cents(company(tmp_path, opportunities=rows), "opportunities") == [12000]
        monkeypatch.setenv("ACCOUNTSCORE_RATE_DATE", "31.3.2024")
        with pytest.raises(UserMistake, match=r"ACCOUNTSCORE_RATE_DATE is '31\.3\.2024'; a date is needed"):
            company(tmp_path, opportunities=rows)

    def test_a_credit_in_another_currency_is_still_the_revenue_before(self, tmp_path: Path) -> None:
        rows = [contract("2024-01-15", 100.0, currency="EUR"), contract("2024-02-15", -30.0, currency="EUR")]
        assert cents(company(tmp_path, subscriptions=rows), "subscriptions", "mrr") == [11000, 11000]


class TestTiedVersions:
    def test_their_order_is_that_of_what_the_table_has(self, tmp_path: Path) -> None:
        """Two versions of each bill contradict each other, and their hash decides. Whoever tells versions apart anew, as the audit
        does, has the converted amounts: it must come to the same."""
        bill = {"account_id": "a", "event_time": at("2024-02-20"), "status": "open", "currency": "EUR"}
        rows = [bill | {"invoice_id": f"i{n}", "amount": amount} for n in range(40) for amount in (100.0, 70.0)]
        source = company(tmp_path, invoices=rows)
        columns = [c[0] for c in source.query("DESCRIBE invoices") if c[0] not in ("from_us", "until_us", "created_us")]
        anew = versions(f"SELECT {', '.join(columns)} FROM invoices", "invoice_id")
        told = "SELECT invoice_id, amount, until_us FROM ({}) ORDER BY ALL"
        assert source.query(told.format("FROM invoices")) == source.query(told.format(anew))
        assert set(cents(source, "invoices")) == {11000, 7700}


class TestFaults:
    def refused(self, folder: Path, rates: list[dict[str, Any]] | None = None, **tables: Any) -> dict[str, str]:
        with pytest.raises(BadInput) as refused:
            company(folder, rates, **tables)
        return {fault.found: fault.next_step for fault in refused.value.faults}

    def test_an_unknown_currency_is_counted_and_the_advice_mends_it(self, tmp_path: Path) -> None:
        rows = [order(f"o{n}", "2024-03-05", 1.0, code) for n, code in enumerate(("euro", "Euro", "US$", "EUR"))]
        found = self.refused(tmp_path, orders=rows)
        assert list(found) == ["3 rows where it is 'EURO' (2), 'US$' (1)"]
        path = tmp_path / "orders.sql"
        step = "SELECT * REPLACE (CASE upper(currency) WHEN 'EURO' THEN 'EUR' WHEN 'US$' THEN 'USD' ELSE currency END AS currency) FROM (THIS SELECT)"
        assert step.split(" WHEN 'US$'", maxsplit=1)[0] in next(iter(found.values()))
        path.write_text(step.replace("(THIS SELECT)", f"({path.read_text()})"))
        assert cents(open_source(str(tmp_path), tmp_path), "orders") == [100, 120, 120, 120]

    @pytest.mark.parametrize(
        ("day", "currency"),
        [("2023-12-31", "EUR"), ("2024-06-10", "EUR"), ("2024-03-05", "SEK")],
        ids=["before-the-first", "older-than-100-days", "of-no-rate"],
    )
    def test_a_missing_rate_is_counted(self, day: str, currency: str, tmp_path: Path) -> None:
        """2024-03-01 and 100 days is 2024-06-09."""
        rows = [order("o1", day, 1.0, currency), order("o2", "2024-06-09", 1.0, "EUR")]
        found = self.refused(tmp_path, orders=rows)
        assert list(found) == [f"1 rows where it has no rate to USD: {currency} (1 from {day} to {day})"]
        assert "rates.sql" in next(iter(found.values()))

    def test_without_rates_one_currency_needs_the_setting(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        rows = [contract("2024-01-15", 100.0, currency="EUR")]
        found = self.refused(tmp_path, [], subscriptions=rows)
        assert "set ACCOUNTSCORE_CURRENCY=EUR and no rates are needed" in next(iter(found.values()))
        monkeypatch.setenv("ACCOUNTSCORE_CURRENCY", "EUR")
        assert cents(company(tmp_path, [], subscriptions=rows), "subscriptions", "mrr") == [10000]

    @pytest.mark.parametrize(
        ("row", "found"),
        [
            ({"date": at("2024-01-01"), "currency": "GBP", "rate": -1.0}, "is 0 or less"),
            ({"date": at("2024-01-01"), "currency": "USD", "rate": 0.9}, "is not 1 for USD"),
            ({"date": at("2024-01-01"), "currency": "EUR", "rate": 1.3}, "another one of the same currency and day"),
        ],
    )
    def test_rates_that_cannot_be_are_refused(self, row: dict[str, Any], found: str, tmp_path: Path) -> None:
        first, *others = self.refused(tmp_path, [*RATES, row], orders=[order("o1", "2024-03-05", 1.0, "EUR")])
        assert found in first
        assert others == ["it cannot be converted: rates cannot be read"]

    def test_an_amount_beyond_64_bits_is_refused(self, tmp_path: Path) -> None:
        rates = [{"date": at("2024-01-01"), "currency": "EUR", "rate": 1e6}]
        found = self.refused(tmp_path, rates, orders=[order("o1", "2024-03-05", 1e12, "EUR")])
        assert list(found) == ["1 rows where it is too large in USD"]

    def test_a_code_that_is_none_is_refused(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ACCOUNTSCORE_CURRENCY", "usd")
        with pytest.raises(UserMistake, match="ACCOUNTSCORE_CURRENCY is 'usd'"):
            company(tmp_path, orders=[order("o1", "2024-03-05", 1.0, "EUR")])

    def test_rates_after_the_clock_are_not_used(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ACCOUNTSCORE_NOW", "2024-02-20T00:00:00Z")
        rows = [order("o1", "2024-03-05", 100.0, "EUR")]
        assert cents(company(tmp_path, orders=rows), "orders") == [11000]


class TestWithoutCurrency:
    def test_a_company_without_the_column_is_what_it_was(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Whatever the setting; the twin has the column."""
        rows = [contract("2024-01-15", 100.0)]
        bare = fingerprint(company(tmp_path / "bare", [], subscriptions=rows))
        monkeypatch.setenv("ACCOUNTSCORE_CURRENCY", "EUR")
        assert fingerprint(company(tmp_path / "euros", [], subscriptions=rows)) == bare
        named = [row | {"currency": "EUR"} for row in rows]
        assert fingerprint(company(tmp_path / "named", [], subscriptions=named)) != bare


class TestChanges:
    """Later changes of a CRM (`features.sources.overlay`) are in the currency of their row."""

    def test_they_are_converted_as_the_file_is(self, tmp_path: Path) -> None:
        """200 EUR x 1.10; the same in GBP x 1.25; a currency that changes alone takes the amount along: 110 USD / 1.10 x 1.25."""
        source = company(tmp_path, subscriptions=[contract("2024-01-15", 100.0, currency="EUR")])
        of = {"subscription_id": "s", "event_time": at("2024-04-01"), "known_time": at("2024-04-01")}
        for change, expected in (
            ({"mrr": "200"}, 22000),
            ({"mrr": "200", "currency": "gbp"}, 25000),
            ({"currency": "GBP"}, 12500),
            ({"seats": "3"}, 11000),
        ):
            assert cents(overlay(source, "subscriptions", [of | change]), "subscriptions", "mrr")[-1] == expected

    def test_a_flow_has_the_day_of_its_begin(self, tmp_path: Path) -> None:
        source = company(tmp_path, orders=[order("o1", "2024-02-20", 100.0, "EUR")])
        of = {"account_id": "a", "event_time": at("2024-04-01"), "status": "shipped", "amount": "100"}
        assert cents(overlay(source, "orders", [of | {"order_id": "o1"}]), "orders") == [11000, 11000]
        new = of | {"order_id": "o9", "currency": "EUR"}
        assert cents(overlay(source, "orders", [new]), "orders") == [11000, 12000]

    def test_one_in_a_currency_without_a_rate_cannot_be_read(self, tmp_path: Path) -> None:
        source = company(tmp_path, subscriptions=[contract("2024-01-15", 100.0, currency="EUR")])
        change = {"subscription_id": "s", "event_time": at("2024-04-01"), "mrr": "5", "currency": "SEK"}
        good, bad = readable(source, "subscriptions", [change, change | {"currency": "EUR"}])
        assert [each["currency"] for each in good] == ["EUR"]
        assert bad[0][0] == 0
        assert "that has a rate in rates.sql" in bad[0][1]
        assert "SEK" not in bad[0][1]
