"""SQL that adds owner, week and day to a table's rows before a panel reads them.

DuckDB reads the source for every engine. Done there, this integer arithmetic is the same for all three and costs a
fraction of the same steps in Narwhals, where a floor division copies its operand eight times.
"""

from __future__ import annotations

from collections.abc import Sequence

from features.kit.clock import DAY_US, WEEK_US
from features.sources.casts import quote

PLACED = ("entity_id", "week", "seen", "day")
"""Columns that `events` adds."""


def events(rows: str, owner: str, anchor: int, until_us: int, late: bool = False) -> str:
    """SQL of the rows that have an owner and were visible before `until_us`, with the week in which each happened, the
    week in which it became visible, and its day of the week from 0. `late` keeps rows that became visible in a later
    week."""
    week, seen = _floor("event_us", anchor, WEEK_US), _floor("visible_us", anchor, WEEK_US)
    placed = (
        f"SELECT *, {quote(owner)} AS entity_id, {week} AS week, {seen} AS seen FROM {rows} "
        f"WHERE {quote(owner)} IS NOT NULL AND visible_us < {until_us}"
    )
    day = f"(event_us - {anchor} - week * {WEEK_US}) // {DAY_US} AS day"
    return f"SELECT *, {day} FROM ({placed})" + (" WHERE seen > week" if late else "")


def versions(rows: str, owner: str, moments: Sequence[int]) -> str:
    """SQL of the version rows that have an owner and may be in force at one of the moments; some that are not are among
    them."""
    return (
        f"SELECT *, {quote(owner)} AS entity_id FROM {rows} "
        f"WHERE {quote(owner)} IS NOT NULL AND from_us < {max(moments)} AND until_us >= {min(moments)}"
    )


def _floor(column: str, anchor: int, width: int) -> str:
    """Floor division; DuckDB's own goes to the nearest of 0, for times before 1970 as well."""
    return f"(({column} - {anchor}) // {width} - (({column} - {anchor}) % {width} < 0)::BIGINT)"
