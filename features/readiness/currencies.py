"""Says how amounts of several currencies were converted, and finds rates that stopped. What has no rate is a fault (`features.sources.money`)."""

from __future__ import annotations

from collections.abc import Iterable

from features.kit.clock import DAY_US, from_us
from features.kit.errors import UserMistake
from features.readiness.line import Line
from features.sources.casts import quote
from features.sources.money import FLOWS, MOST_AGE_DAYS, STOCKS, Reporting, is_converted, money_column
from features.sources.source import Source

STALE_DAYS = 35
"""Rates of each month are at most so old."""


def currency_lines(source: Source, name: str) -> Iterable[Line]:
    """One line for a money table with a currency, one for a money table without it beside such a table, and one for rates that
    ended before the data."""
    if is_converted(source, name):
        yield _converted(source, name)
    elif money_column(name) and any(is_converted(source, other) for other in source.tables):
        code = Reporting.from_env().code
        yield Line(
            severity="info",
            table=name,
            column="currency",
            rows=source.rows(name),
            rule="an amount without a currency is in the reporting currency",
            found=f"{name} has no column currency, and other tables do: its amounts are read as {code}",
            needed=f"amounts in {code}, or the column",
            what_to_do=f"nothing if they are in {code}, else select their currency AS currency",
        )
    if name == "rates":
        yield from _stale(source)


def _converted(source: Source, name: str) -> Line:
    code = Reporting.from_env().code
    found = source.query(f"SELECT currency, count(*) FROM {quote(name)} GROUP BY 1 ORDER BY 2 DESC, 1")
    counts = {currency: rows for currency, rows in found if currency is not None}
    null = sum(rows for currency, rows in found if currency is None)
    said = ", ".join(f"{currency} ({rows:,})" for currency, rows in counts.items()) or "no currency"
    at = "at one rate, that of " + _stock_day(source) if name in STOCKS else "at the rate of their day"
    others = sum(rows for currency, rows in counts.items() if currency != code)
    return Line(
        severity="info",
        table=name,
        column="currency",
        rows=others,
        rule="recurring revenue and deals are converted at one rate, so that a movement of rates is no movement of revenue; bills, orders and costs at that "
        "of their day",
        found=said
        + (f", {null:,} without one, read as {code}" if null else "")
        + (f"; {others:,} rows were converted to {code} {at}" if others else ""),
        needed=f"amounts in {code} (ACCOUNTSCORE_CURRENCY)",
        what_to_do="nothing",
    )


def _stock_day(source: Source) -> str:
    day = Reporting.from_env().stock_us
    if day is None and source.has("rates"):
        day = source.query("SELECT min(date_us) FROM rates")[0][0]
    return f"{from_us(day):%Y-%m-%d}" if day is not None else "the first of the rates"


def _stale(source: Source) -> Iterable[Line]:
    """Rates of currencies that flows are in, whose newest one is old at the end of the data."""
    used = [f"SELECT currency FROM {quote(table)}" for table in FLOWS if is_converted(source, table)]
    try:
        end = source.observed.last_us
    except UserMistake:  # no row has a time: another line says so
        return
    if not used:
        return
    found = source.query(
        f"SELECT currency, max(date_us) AS newest FROM rates WHERE currency IN ({' UNION '.join(used)}) AND currency <> '{Reporting.from_env().code}' "
        f"GROUP BY currency HAVING newest < {end - STALE_DAYS * DAY_US} ORDER BY currency"
    )
    if found:
        yield Line(
            severity="weakens",
            table="rates",
            column="date",
            rows=None,
            rule=f"rates reach as far as the source does; one that is older than {MOST_AGE_DAYS} days is not used",
            found=", ".join(f"{currency} ends on {from_us(us):%Y-%m-%d}" for currency, us in found)
            + f", the data on {from_us(end):%Y-%m-%d}",
            needed=f"a rate of the last {STALE_DAYS} days",
            what_to_do="add the newer rates to the file",
        )
