"""Finds rows outside of the observed period: dated after its end, known only after the clock, or dated long before its begin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from features.sources.casts import quote
from features.sources.schema import TABLES
from features.sources.source import Source

EXAMPLES = 3


@dataclass(frozen=True)
class Beyond:
    """Rows of one table on one side of the observed period."""

    table: str
    column: Literal["event_time", "known_time"]
    side: Literal["after", "before"]
    rows: int
    first_us: int
    """Their oldest and newest time in `column`, microseconds since 1970."""
    last_us: int
    key: str
    """The column that names the entity, and up to three of its values; empty when the table has no such column."""
    examples: tuple[str, ...]


def rows_beyond(source: Source) -> list[Beyond]:
    """The rows beyond, by table: after the end, and for event tables before the begin. One pass over each table that has a time."""
    period, found = source.observed, []
    for table in source.tables:
        definition = TABLES[table]
        if definition.kind == "action" or "event_time" not in source.columns[table]:
            continue
        ahead = f"event_us > {period.last_us}"
        sides = [
            ("event_time", "after", "event_us", ahead),
            ("known_time", "after", "known_us", f"known_us > {source.now_us} AND NOT ({ahead})"),
        ]
        if definition.kind == "event":  # a company or a contract may be older than the first record of it
            sides.append(("event_time", "before", "event_us", f"event_us < {period.first_us}"))
        key = next((k for k in ("account_id", "lead_id", definition.key) if k and source.has(table, k)), "")
        for column, side, time, where in sides:
            named = f"min({quote(key)}, {EXAMPLES})" if key else "NULL"
            rows, first, last, examples = source.query(
                f"SELECT count(*), min({time}), max({time}), {named} FROM {quote(table)} WHERE {where}"
            )[0]
            if rows:
                found.append(
                    Beyond(table, column, side, rows, first, last, key, tuple(examples or ()))  # type: ignore[arg-type]  # the literals above
                )
    return found
