"""Rows of a table as a panel first asks for them: whose they are, and where they lie on its lattice of weeks.

This is the edge, where DuckDB reads a source for every engine: what it does here with a few integers is the same for all three,
and costs a fraction of the same steps in Narwhals (a floor division there is eight copies of what is divided).
"""

from __future__ import annotations

from collections.abc import Sequence

from features.kit.clock import DAY_US, WEEK_US
from features.sources.casts import quote

PLACED = ("entity_id", "week", "seen", "day")
"""What `events` adds to the columns of a table."""


def events(rows: str, owner: str, anchor: int, until_us: int, late: bool = False) -> str:
    """SQL of the rows with an owner that were visible before `until_us`, and of each the week in which it happened, the week in
    which it was seen, and its day of the week from 0 on; with `late` only those that were seen in a later week."""
    week, seen = _floor("event_us", anchor, WEEK_US), _floor("visible_us", anchor, WEEK_US)
    placed = (
        f"SELECT *, {quote(owner)} AS entity_id, {week} AS week, {seen} AS seen FROM {rows} "
        f"WHERE {quote(owner)} IS NOT NULL AND visible_us < {until_us}"
    )
    day = f"(event_us - {anchor} - week * {WEEK_US}) // {DAY_US} AS day"
    return f"SELECT *, {day} FROM ({placed})" + (" WHERE seen > week" if late else "")


def versions(rows: str, owner: str, moments: Sequence[int]) -> str:
    """SQL of the version rows with an owner that are in force at any of the moments, and of some that are not."""
    return (
        f"SELECT *, {quote(owner)} AS entity_id FROM {rows} "
        f"WHERE {quote(owner)} IS NOT NULL AND from_us < {max(moments)} AND until_us >= {min(moments)}"
    )


def _floor(column: str, anchor: int, width: int) -> str:
    """Floor division; DuckDB's own goes to the nearest of 0, for times before 1970 as well."""
    return f"(({column} - {anchor}) // {width} - (({column} - {anchor}) % {width} < 0)::BIGINT)"
