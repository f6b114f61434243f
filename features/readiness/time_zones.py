"""Says which times of a table have no zone: they are read as UTC, and a SELECT names another zone where an export has local times."""

from __future__ import annotations

from collections.abc import Iterable

from features.kit.clock import DAY_US
from features.readiness.line import Line
from features.sources.casts import OTHER_UNITS, internal, quote
from features.sources.schema import TABLES
from features.sources.source import Source

_NAIVE = ("TIMESTAMP", *(name for name, (read, _) in OTHER_UNITS.items() if read == "TIMESTAMP"))


def zone_lines(source: Source, name: str) -> Iterable[Line]:
    """One line for the columns of a table with a time of day and no zone. A date has none, and no hint is needed for it."""
    types = source.given_types.get(name, {})
    naive = [c.name for c in TABLES[name].canonical if c.type == "time" and types.get(c.name) in _NAIVE]
    if not naive:
        return
    timed = ", ".join(f"count(*) FILTER (WHERE {internal(column)} % {DAY_US} <> 0)" for column in naive)
    counts = source.query(f"SELECT {timed} FROM {quote(name)}")[0]
    local = [(column, rows) for column, rows in zip(naive, counts, strict=True) if rows]
    if local:
        first = local[0][0]
        yield Line(
            severity="info",
            table=name,
            column=", ".join(column for column, _ in local),
            rows=max(rows for _, rows in local),
            rule="a time without a zone is read as UTC",
            found="times of day without a zone",
            needed="times in UTC, or with their zone",
            what_to_do=f"nothing if they are in UTC, else name the zone in which the system exports: SELECT * REPLACE ({first} AT TIME ZONE 'Europe/Berlin' "
            f"AS {first}) FROM (THIS SELECT)",
        )
