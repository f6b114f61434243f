"""Finds exact copies of rows (an export loaded twice), and versions of one moment that contradict each other."""

from __future__ import annotations

from collections.abc import Iterable

from features.kit.clock import DAY_US, from_us
from features.readiness.line import Line
from features.sources.casts import quote
from features.sources.schema import TABLES, Table
from features.sources.source import Source

MOST_COMPARED = 2_000_000
"""Above so many rows only some are compared, chosen by their hash so that copies stay together."""
FEWEST_ROWS_OF_A_DAY = 5
"""A day was loaded twice when at least so many different rows of it are each there twice or more."""
COPIES_SHARE = 0.01
"""Share of copies above which the finding weakens; a counter that is written twice now and then is no second load."""
EXAMPLES = 3
_MADE = ("from_us", "until_us", "created_us")
"""Columns of a state table that are derived from other versions."""


def repeated_lines(source: Source, name: str) -> Iterable[Line]:
    """Exact copies of rows, and of a state table versions of one key and moment that differ."""
    table = TABLES[name]
    if table.kind in ("event", "state") and source.rows(name):
        yield from _copies(source, table)
    if table.kind == "state":
        yield from _contradictions(source, table)


def _copies(source: Source, table: Table) -> Iterable[Line]:
    rows = source.rows(table.name)
    parts = -(-rows // MOST_COMPARED)
    kept = f"* EXCLUDE ({', '.join(_MADE)})" if table.kind == "state" else "*"
    hashed = f"SELECT hash(t) AS row_hash, t.event_us FROM (SELECT {kept} FROM {quote(table.name)}) t"
    some = f"SELECT * FROM ({hashed})" + (f" WHERE row_hash % {parts} = 0" if parts > 1 else "")
    grouped = f"SELECT event_us // {DAY_US} AS day, event_us % {DAY_US} <> 0 AS timed, count(*) AS times FROM ({some}) GROUP BY row_hash, event_us"
    days = source.query(
        f"SELECT day, count(*), sum(times), min(times), count(*) FILTER (WHERE times > 1 AND timed) FROM ({grouped}) GROUP BY day"
    )
    copies = sum(all_rows - different for _, different, all_rows, _, _ in days)
    if not copies:
        return
    twice = sorted(day for day, different, _, least, _ in days if least > 1 and different >= FEWEST_ROWS_OF_A_DAY)
    share = copies / sum(day[2] for day in days)
    timed = sum(day[4] for day in days) > 0
    if not twice and not timed:
        return  # days without a time of day: two rows alike may well be two things that happened
    about = "about " if parts > 1 else ""
    found = f"{about}{copies * parts:,} of {rows:,} rows are exact copies of another"
    if twice:
        first, last = from_us(twice[0] * DAY_US), from_us(twice[-1] * DAY_US)
        found += f"; on {len(twice):,} days from {first:%Y-%m-%d} to {last:%Y-%m-%d} every row is there more than once: an export was loaded twice"
    yield Line(
        severity="weakens" if twice or share > COPIES_SHARE else "info",
        table=table.name,
        column="",
        rows=copies * parts,
        rule="a row is there once",
        found=found,
        needed="no copies: each counts again",
        what_to_do="leave the second file out, or write SELECT DISTINCT * FROM (THIS SELECT): a column that tells two real rows apart, such as an id, keeps both",
    )


def _contradictions(source: Source, table: Table) -> Iterable[Line]:
    key = quote(table.key or "")
    columns = [
        c.name
        for c in table.columns
        if c.name in source.columns[table.name] and c.type != "time" and c.name != table.key
    ]
    columns += source.custom[table.name]
    if not columns:
        return
    differing = ", ".join(
        f"count(DISTINCT {quote(c)}) > 1 OR count({quote(c)}) BETWEEN 1 AND count(*) - 1" for c in columns
    )
    # Groups of one row are most of the table, and contradict nobody.
    several = (
        f"SELECT {key} AS key, event_us, count(*) AS versions, [{differing}] AS differs FROM {quote(table.name)} "
        f"GROUP BY {key}, event_us, known_us HAVING count(*) > 1"
    )
    found = source.query(
        f"SELECT key, event_us, versions, differs FROM ({several}) WHERE list_contains(differs, true) ORDER BY 1, 2"
    )
    if not found:
        return
    rows = sum(row[2] for row in found)
    named = [c for c, *flags in zip(columns, *(row[3] for row in found), strict=True) if any(flags)]
    some = ", ".join(f"{key!r} at {from_us(us):%Y-%m-%d}" for key, us, _, _ in found[:EXAMPLES])
    order = named[0]
    yield Line(
        severity="weakens",
        table=table.name,
        column=", ".join(named),
        rows=rows,
        rule=f"a {table.key} has one version of each moment",
        found=f"{len(found):,} moments have versions that contradict each other, such as {some}",
        needed="one version of each key, event_time and known_time",
        what_to_do=f"keep one: SELECT * FROM (THIS SELECT) QUALIFY row_number() OVER (PARTITION BY {table.key}, event_time ORDER BY {order} DESC) = 1, with the "
        f"column that says which is later in the place of {order}; until then a hash decides",
    )
