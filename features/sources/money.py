"""Converts the amounts of a source with several currencies into the reporting currency, `ACCOUNTSCORE_CURRENCY`.

A money table with a column `currency` is converted with the table `rates` (date, currency, rate: reporting currency for one unit):

    flow    invoices.amount, orders.amount, costs.amount
            cents = round(cents * rate(currency, day)): day is when the bill was issued, the order placed, the month of the cost
    stock   subscriptions.mrr, opportunities.amount
            cents = round(cents * rate(currency, D)): D is one day for all rows, `ACCOUNTSCORE_RATE_DATE`, else the first of `rates`

    rate(currency, day) = the newest rate of the currency with date <= day, not older than `MOST_AGE_DAYS`
    rate(currency, D)   = the newest one with date <= D, else its first one

A flow is what was paid on its day. A stock is compared with itself at another time: at the rates of both days a contract of 100 EUR
would grow with the euro. At one rate a movement of rates is no movement of revenue. D is the first day of `rates` and not the last one,
since rates that are added each night would else rescale the whole history, which models have learnt.

Every version of a bill or an order has the day of the earliest version that was known with it, so that its amount does not move
between versions, and no later row decides it. A null currency is the reporting one. Rates after the clock are not used.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from features.kit.clock import DAY_US, from_us, to_us
from features.kit.errors import Fault, UserMistake
from features.kit.settings import Settings
from features.sources.currency_codes import CODES
from features.sources.source_fault import source_fault

if TYPE_CHECKING:
    from features.sources.source import Source

_BEGIN = "min(event_us) OVER (PARTITION BY {} ORDER BY visible_us)"  # as `created_us` of `casts.versions`
STOCKS = {"subscriptions": "mrr", "opportunities": "amount"}
FLOWS = {"invoices": _BEGIN.format("invoice_id"), "orders": _BEGIN.format("order_id"), "costs": "month_us"}
"""Per table of flows the SQL of the day of the rate; its money is `amount`."""
MOST_AGE_DAYS = 100
"""Covers a file with one rate a quarter. An older rate is missing: a file that nobody writes any more must not go unnoticed."""
LARGEST = 9.2e18
SHOWN = 4


@dataclass(frozen=True)
class Reporting:
    """The reporting currency, and the day of the rates of stocks in microseconds; None is the first of `rates`."""

    code: str
    stock_us: int | None

    @classmethod
    def from_env(cls) -> Reporting:
        """Raises `UserMistake` for a code that is none, and for a date that cannot be read."""
        settings = Settings.from_env()
        if settings.currency not in CODES:
            raise UserMistake(
                f"ACCOUNTSCORE_CURRENCY is {settings.currency!r}; a code of ISO 4217 in capital letters is needed; write USD"
            )
        try:
            day = dt.date.fromisoformat(settings.rate_date) if settings.rate_date else None
        except ValueError:
            raise UserMistake(
                f"ACCOUNTSCORE_RATE_DATE is {settings.rate_date!r}; a date is needed; write 2026-01-01"
            ) from None
        return cls(settings.currency, None if day is None else to_us(dt.datetime.combine(day, dt.time(), dt.UTC)))


def money_column(table: str) -> str | None:
    """The column of a table that is converted; None when the table has none."""
    return STOCKS.get(table) or ("amount" if table in FLOWS else None)


def is_converted(source: Source, table: str) -> bool:
    """Whether a table has amounts in currencies that it names."""
    return money_column(table) is not None and source.has(table, "currency")


def rate_faults(source: Source, path: Path) -> list[Fault]:
    """Faults of the table `rates`: a rate that is not above 0, two of one day, and one of the reporting currency that is not 1."""
    code = Reporting.from_env().code
    twice = "SELECT 1 FROM rates GROUP BY currency, date_us HAVING count(DISTINCT rate) > 1"
    tests = (
        (
            "SELECT 1 FROM rates WHERE rate <= 0",
            "is 0 or less",
            "a rate is above 0",
            "correct them, or leave them out: SELECT * FROM (THIS SELECT) WHERE rate > 0",
        ),
        (
            f"SELECT 1 FROM rates WHERE currency = '{code}' AND rate <> 1",
            f"is not 1 for {code}, the reporting currency",
            f"a rate is what one unit of its currency is worth in {code} (ACCOUNTSCORE_CURRENCY)",
            f"deliver rates to {code}, or set ACCOUNTSCORE_CURRENCY to the currency that these are rates to",
        ),
        (
            twice,
            "is another one of the same currency and day",
            "a currency has one rate a day",
            "keep one: SELECT currency, date, max(rate) AS rate FROM (THIS SELECT) GROUP BY ALL",
        ),
    )
    found = [(source.query(f"SELECT count(*) FROM ({rows})")[0][0], *said) for rows, *said in tests]
    return [
        source_fault(path, column="rate", rows=rows, found=what, rule=rule, next_step=step)
        for rows, what, rule, step in found
        if rows
    ]


def convert(source: Source, path: Path, table: str, select: str) -> tuple[str, list[Fault]]:
    """SQL of the rows of `select`, those of a money table with a `currency`, with converted amounts; and the faults of currencies
    that are unknown or have no rate. With a fault the amounts are as they were.

    It comes before versions are told apart: those of one moment are ordered by the hash of what the table has.
    """
    reporting, column = Reporting.from_env(), str(money_column(table))
    held = "unpriced"
    source.connection.execute(f"CREATE OR REPLACE TEMP TABLE {held} AS {select}")
    source.connection.execute(
        f"CREATE OR REPLACE TEMP TABLE priced AS {_priced(source, reporting, table, column, held)}"
    )
    faults: list[Fault] = (
        [
            source_fault(
                path,
                column="currency",
                found="it cannot be converted: rates cannot be read",
                rule="amounts in several currencies need rates",
                next_step="mend the faults of rates",
            )
        ]
        if "rates" in source.broken
        else _unknown(source, path) or _without_rate(source, path, reporting) or _too_large(source, path, reporting)
    )
    if not faults:
        source.connection.execute(
            f"UPDATE {held} AS t SET {column} = CAST(round(t.{column} * p.rate) AS BIGINT) FROM priced p WHERE t.rowid = p.row"
        )
    return f"SELECT * FROM {held}", faults


def forget(source: Source) -> None:
    """Drop what `convert` held for the last table."""
    source.connection.execute("DROP TABLE IF EXISTS unpriced; DROP TABLE IF EXISTS priced")


def _priced(source: Source, reporting: Reporting, table: str, column: str, held: str) -> str:
    """SQL of the rows of the table `held` in another currency: row, currency, cents, day_us, and the rate, null when there is none."""
    rates = _rates(source)
    day = FLOWS.get(table, "event_us")
    every = f"SELECT rowid AS row, currency, {column} AS cents, least({day}, {source.now_us}) AS day_us FROM {held}"
    other = f"SELECT * FROM ({every}) WHERE currency <> '{reporting.code}' AND cents IS NOT NULL"
    if table in STOCKS:
        fixed = reporting.stock_us if reporting.stock_us is not None else f"(SELECT min(date_us) FROM ({rates}))"
        rate = f"coalesce(arg_max(rate, date_us) FILTER (WHERE date_us <= {fixed}), arg_min(rate, date_us)) AS rate"
        return (
            f"SELECT t.*, r.rate FROM ({other}) t LEFT JOIN (SELECT currency, {rate} FROM ({rates}) GROUP BY currency) r "
            "ON t.currency = r.currency"
        )
    recent = f"CASE WHEN r.date_us >= t.day_us - {MOST_AGE_DAYS * DAY_US} THEN r.rate END AS rate"
    return (
        f"SELECT t.*, {recent} FROM ({other}) t ASOF LEFT JOIN ({rates}) r "
        "ON t.currency = r.currency AND t.day_us >= r.date_us"
    )


def _rates(source: Source) -> str:
    """SQL of the rates up to the clock: currency, date_us, rate."""
    if source.has("rates"):
        return f"SELECT currency, date_us, rate FROM rates WHERE date_us <= {source.now_us}"
    return "SELECT NULL::VARCHAR AS currency, NULL::BIGINT AS date_us, NULL::DOUBLE AS rate WHERE false"


def _unknown(source: Source, path: Path) -> list[Fault]:
    listed = ", ".join(f"'{code}'" for code in sorted(CODES))
    found = source.query(
        f"SELECT currency, count(*) FROM priced WHERE currency NOT IN ({listed}) "
        f"AND currency NOT IN (SELECT currency FROM ({_rates(source)})) GROUP BY 1 ORDER BY 2 DESC, 1"
    )
    if not found:
        return []
    first = "'" + found[0][0].replace("'", "''") + "'"
    return [
        source_fault(
            path,
            column="currency",
            rows=sum(rows for _, rows in found),
            found="is " + _listed([f"{code!r} ({rows:,})" for code, rows in found]),
            rule="a currency is a code of ISO 4217, or has a rate",
            next_step=f"translate it: SELECT * REPLACE (CASE upper(currency) WHEN {first} THEN 'EUR' ELSE currency END AS currency) FROM (THIS SELECT), "
            "with its code in the place of EUR",
        )
    ]


def _without_rate(source: Source, path: Path, reporting: Reporting) -> list[Fault]:
    found = source.query(
        "SELECT currency, count(*), min(day_us), max(day_us) FROM priced WHERE rate IS NULL GROUP BY 1 ORDER BY 2 DESC, 1"
    )
    if not found:
        return []
    said = [
        f"{code} ({rows:,} from {from_us(first):%Y-%m-%d} to {from_us(last):%Y-%m-%d})"
        for code, rows, first, last in found
    ]
    code = reporting.code
    return [
        source_fault(
            path,
            column="currency",
            rows=sum(rows for _, rows, _, _ in found),
            found=f"has no rate to {code}: {_listed(said)}",
            rule=f"an amount in another currency than {code} has a rate of its day, at most {MOST_AGE_DAYS} days old",
            next_step=f"add to rates.sql (date, currency, rate: {code} for one {found[0][0]}) the rates of that time; where all amounts are in one "
            f"currency, set ACCOUNTSCORE_CURRENCY={found[0][0]} and no rates are needed",
        )
    ]


def _too_large(source: Source, path: Path, reporting: Reporting) -> list[Fault]:
    rows = source.query(f"SELECT count(*) FROM priced WHERE abs(cents * rate) >= {LARGEST}")[0][0]
    if not rows:
        return []
    return [
        source_fault(
            path,
            column="currency",
            rows=rows,
            found=f"is too large in {reporting.code}",
            rule="money fits into 64 bits, in cents",
            next_step="correct the amounts or the rates",
        )
    ]


def _listed(items: list[str]) -> str:
    more = len(items) - SHOWN
    return ", ".join(items[:SHOWN]) + (f" and {more:,} more" if more > 0 else "")


def knows(source: Source, currency: str) -> bool:
    """Whether an amount in a currency that came later can be converted: it is the reporting one, or has a rate."""
    if currency == Reporting.from_env().code:
        return True
    return bool(
        source.connection.execute(
            f"SELECT 1 FROM ({_rates(source)}) WHERE currency = $1 LIMIT 1", [currency]
        ).fetchall()
    )


def in_reporting_currency(
    source: Source, table: str, change: Mapping[str, Any], before: Mapping[str, Any], created_us: int
) -> dict[str, int]:
    """The amount of a version that came later (`features.sources.overlay`), in cents of the reporting currency.

    `change` is what came, its amount in the currency of the version; `before` the version before it, already converted. When the
    currency alone changes, the number stays and its currency is another. Empty when the amount is as before.
    """
    column = str(money_column(table))
    currency = change.get("currency", before.get("currency"))
    if change.get(column) is not None:
        return {column: round(change[column] * _rate(source, table, currency, created_us))}
    if column in change or before.get(column) is None or currency == before.get("currency"):
        return {}
    was = _rate(source, table, before.get("currency"), created_us)
    return {column: round(before[column] / was * _rate(source, table, currency, created_us))}


def _rate(source: Source, table: str, currency: str | None, created_us: int) -> float:
    """The rate of a currency that has one (`knows`): as for a row of the file, but of any age, and the first where none is before."""
    reporting = Reporting.from_env()
    if currency in (None, reporting.code):
        return 1.0
    day: int | None = created_us if table in FLOWS else reporting.stock_us
    rate: float = source.connection.execute(
        f"WITH known AS ({_rates(source)}), day AS (SELECT coalesce($2, (SELECT min(date_us) FROM known)) AS us) "
        "SELECT coalesce(arg_max(rate, date_us) FILTER (WHERE date_us <= us), arg_min(rate, date_us)) FROM known, day WHERE currency = $1",
        [currency, day],
    ).fetchall()[0][0]
    return rate
