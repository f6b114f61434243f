"""Says what identifies an event, and counts the events that are there more than once.

With `event_id` that is the identity: a row with the same one is the same event. Without it, events are told apart by entity, time,
kind, and user or feature. Two of one person in one second may well be two events then, so that they are counted and kept.
Nothing is left out of a source because it repeats.
"""

from __future__ import annotations

from collections.abc import Iterable

from features.readiness.line import Line
from features.readiness.repeated_rows import MOST_COMPARED
from features.sources.casts import internal_of, quote
from features.sources.schema import TABLES, Column
from features.sources.source import Source

WITHOUT_ID = {
    "touches": ("account_id", "lead_id", "contact_id", "event_time", "kind"),
    "usage": ("account_id", "event_time", "kind", "user_id", "feature"),
    "orders": ("order_id", "event_time", "status"),
}
"""Per table of events, what identifies one without `event_id`, as far as the source delivers it."""


def identity_lines(source: Source, name: str) -> Iterable[Line]:
    """One line for a table of events: its identity, and the number of rows that repeat one."""
    if name not in WITHOUT_ID:
        return
    if source.has(name, "event_id") and source.query(f"SELECT 1 FROM {quote(name)} WHERE event_id IS NOT NULL LIMIT 1"):
        yield _by_id(source, name)
        return
    columns = [c for c in map(TABLES[name].column, WITHOUT_ID[name]) if c and source.has(name, c.name)]
    rows, repeated, about = _repeated(source, name, columns)
    named = ", ".join(c.name for c in columns)
    yield Line(
        severity="info",
        table=name,
        column="event_id",
        rows=repeated,
        rule="an event has an identity; without event_id it is entity, time, kind, and user or feature",
        found=f"no event_id: {about}{repeated:,} of {rows:,} rows repeat the {named} of another"
        + (", and each counts" if repeated else ""),
        needed="event_id, where the system has one",
        what_to_do="select the system's id of the event AS event_id: then two events of one moment are told from one that was delivered twice",
    )


def _by_id(source: Source, name: str) -> Line:
    column = TABLES[name].column("event_id")
    assert column is not None
    rows, repeated, about = _repeated(source, name, [column])
    without = source.query(f"SELECT count(*) FROM {quote(name)} WHERE event_id IS NULL")[0][0]
    found = f"{about}{repeated:,} of {rows:,} rows have the event_id of another" + (
        ", and each counts" if repeated else ""
    )
    return Line(
        severity="weakens" if repeated else "info",
        table=name,
        column="event_id",
        rows=repeated,
        rule="an event has one row; its identity is event_id",
        found=found + (f"; {without:,} have none" if without else ""),
        needed="each event_id once",
        what_to_do="keep one of each: SELECT * FROM (THIS SELECT) QUALIFY event_id IS NULL OR row_number() OVER (PARTITION BY event_id ORDER BY event_time) = 1"
        if repeated
        else "nothing",
    )


def _repeated(source: Source, name: str, columns: list[Column]) -> tuple[int, int, str]:
    """Number of rows, of those that repeat the columns of another, and "about " where only some rows were compared. Rows that
    have none of the columns repeat nothing."""
    rows = source.rows(name)
    parts = -(-rows // MOST_COMPARED)
    named = [internal_of(c) for c in columns]
    hashed = f"SELECT hash({', '.join(named)}) AS h FROM {quote(name)} WHERE coalesce({', '.join(f'{c}::VARCHAR' for c in named)}) IS NOT NULL"
    some = f"SELECT h FROM ({hashed})" + (f" WHERE h % {parts} = 0" if parts > 1 else "")
    repeated = source.query(f"SELECT count(*) - count(DISTINCT h) FROM ({some})")[0][0] * parts
    return rows, repeated, "about " if parts > 1 else ""
