"""Finds gaps in the history of orders and costs: a file of an export that is missing reads as a time in which nothing was bought."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from features.kit.clock import DAY_US, from_us
from features.readiness.line import Line
from features.sources.observed_period import longest_gap_days
from features.sources.source import Source

SHOWN = 3


def gap_lines(source: Source, name: str) -> Iterable[Line]:
    """Gaps between orders beyond max(28 days, 10 x the usual one); months of a kind of cost that are not there; costs that are
    there twice."""
    if name == "orders":
        yield from _orders(source)
    elif name == "costs":
        yield from _months(source)
        yield from _twice(source)


def _orders(source: Source) -> Iterable[Line]:
    first_of_each = "SELECT min(event_us) AS placed_us FROM orders GROUP BY order_id"
    found = source.query(
        f"SELECT DISTINCT placed_us // {DAY_US} FROM ({first_of_each}) WHERE placed_us <= {source.now_us}"
    )
    days = np.array(sorted(row[0] for row in found), dtype=np.int64)
    limit = longest_gap_days(days)
    gaps = np.diff(days)
    long = np.flatnonzero(gaps > limit)
    if not len(long):
        return
    shown = ", ".join(
        f"{from_us(int(days[n] + 1) * DAY_US):%Y-%m-%d} to {from_us(int(days[n + 1] - 1) * DAY_US):%Y-%m-%d} ({gaps[n] - 1:,} days)"
        for n in long[:SHOWN]
    )
    yield Line(
        severity="weakens",
        table="orders",
        column="event_time",
        rows=None,
        rule="the history of orders has no gap: a silent customer and a missing export look alike",
        found=f"no new order from {shown}" + (f" and in {len(long) - SHOWN:,} more gaps" if len(long) > SHOWN else ""),
        needed=f"gaps of at most {limit:,.0f} days, 10 times the usual one",
        what_to_do="load the exports of that time; nothing if nobody ordered anything",
    )


def _months(source: Source) -> Iterable[Line]:
    missing = source.query(
        "WITH held AS (SELECT DISTINCT kind, date_trunc('month', make_timestamp(month_us)) AS month FROM costs), "
        "span AS (SELECT kind, unnest(generate_series(min(month), max(month), INTERVAL 1 MONTH)) AS month FROM held GROUP BY kind) "
        "SELECT kind, count(*), min(month), max(month) FROM (SELECT * FROM span EXCEPT SELECT * FROM held) GROUP BY kind ORDER BY kind"
    )
    for kind, months, first, last in missing:
        yield Line(
            severity="weakens",
            table="costs",
            column="month",
            rows=None,
            rule="a kind of cost has a row in every month between its first and its last",
            found=f"{kind!r} has none in {months:,} month{'s' if months > 1 else ''} from {first:%Y-%m} to {last:%Y-%m}",
            needed="every month",
            what_to_do="load them, or deliver a row with amount 0 where nothing was spent",
        )


def _twice(source: Source) -> Iterable[Line]:
    columns = ", ".join(["month_us", "kind", "amount", *source.custom["costs"]])
    rows, different = source.query(f"SELECT count(*), count(DISTINCT hash({columns})) FROM costs")[0]
    if rows > different:
        yield Line(
            severity="info",
            table="costs",
            column="",
            rows=rows - different,
            rule="a cost is there once; its rows are added up",
            found=f"{rows - different:,} of {rows:,} rows have the month, kind and amount of another",
            needed="none, unless two costs were alike",
            what_to_do="nothing if they are two costs, else write SELECT DISTINCT * FROM (THIS SELECT)",
        )
