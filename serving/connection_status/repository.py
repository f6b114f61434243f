"""What waits, what came and what was given up, of one connection. Every query reads an index, and counts at most `MOST_COUNTED` rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, func, select

from serving.inbox.repository import FAILED, TRUNCATED
from serving.inbox.repository import WAITING as NOT_APPLIED
from serving.outbox.repository import DEAD, WAITING
from serving.store.tables import dirty, inbox, writebacks

MOST_COUNTED = 20_000
"""More are not counted: the time of a count grows with what waits."""


@dataclass(frozen=True)
class Depth:
    """Rows that wait: how many, up to `MOST_COUNTED`, and since when the oldest does (microseconds)."""

    count: int
    oldest_us: int | None


@dataclass(frozen=True)
class Letters:
    """What was given up: how many, when the newest was (microseconds; None: not kept), and why."""

    count: int
    newest_us: int | None = None
    why: str | None = None


def last_received(connection: Connection, name: str) -> int | None:
    """When the newest event of a connection came."""
    query = select(inbox.c.received_at).where(inbox.c.connection == name).order_by(inbox.c.id.desc()).limit(1)
    return connection.execute(query).scalar()


def inbox_depths(connection: Connection) -> dict[str, Depth]:
    """Events that no worker has applied, by connection, those whose record is still to be read from the CRM among them.

    They are few as long as a worker runs, and counted over all connections at once: the oldest `MOST_COUNTED` of them.
    """
    found: dict[str, Depth] = {}
    for state in (NOT_APPLIED, TRUNCATED):
        columns = (inbox.c.connection, inbox.c.received_at)
        oldest = select(*columns).where(inbox.c.state == state).order_by(inbox.c.id).limit(MOST_COUNTED).subquery()
        counted = select(oldest.c.connection, func.count(), func.min(oldest.c.received_at)).group_by(
            oldest.c.connection
        )
        for name, count, since in connection.execute(counted):
            before = found.get(name, Depth(0, since))
            found[name] = Depth(before.count + count, min(since, before.oldest_us or since))
    return found


def failed_events(connection: Connection) -> dict[str, Letters]:
    """Events that no row could be made of, by connection: the newest `MOST_COUNTED` of them."""
    rows = select(inbox.c.connection, inbox.c.id).where(inbox.c.state == FAILED).order_by(inbox.c.id.desc())
    newest = rows.limit(MOST_COUNTED).subquery()
    counted = select(newest.c.connection, func.count(), func.max(newest.c.id)).group_by(newest.c.connection)
    found = {}
    for name, count, newest_id in connection.execute(counted).all():
        at, why = connection.execute(select(inbox.c.received_at, inbox.c.detail).where(inbox.c.id == newest_id)).one()
        found[name] = Letters(count, at, why)
    return found


def outbox_depth(connection: Connection, name: str) -> Depth:
    """Scores that wait to be written into the CRM."""
    where = (writebacks.c.connection == name, writebacks.c.state == WAITING)
    first = select(writebacks.c.queued_at).where(*where).order_by(writebacks.c.due_at).limit(1)
    return Depth(_count(connection, writebacks, *where), connection.execute(first).scalar())


def last_sent(connection: Connection, name: str) -> int | None:
    """When the newest score was written into the CRM."""
    where = (writebacks.c.connection == name, writebacks.c.sent_at.is_not(None))
    return connection.execute(select(func.max(writebacks.c.sent_at)).where(*where)).scalar()


def dead_scores(connection: Connection, name: str) -> Letters:
    """Scores whose delivery was given up."""
    where = (writebacks.c.connection == name, writebacks.c.state == DEAD)
    newest: Any = select(writebacks.c.due_at, writebacks.c.error).where(*where).order_by(writebacks.c.due_at.desc())
    row = connection.execute(newest.limit(1)).one_or_none()
    return Letters(_count(connection, writebacks, *where), *row) if row else Letters(0)


def to_score(connection: Connection, source: str) -> int:
    """Accounts and leads of a source that changed, or belong to a backlog, and wait for their score."""
    return _count(connection, dirty, dirty.c.source == source, dirty.c.error.is_(None))


def set_aside(connection: Connection, source: str) -> Letters:
    """Accounts and leads of a source that cannot be scored."""
    where = (dirty.c.source == source, dirty.c.error.is_not(None))
    why = connection.execute(select(dirty.c.error).where(*where).limit(1)).scalar()
    return Letters(_count(connection, dirty, *where), None, why) if why is not None else Letters(0)


def _count(connection: Connection, table: Table, *where: ColumnElement[bool]) -> int:
    some = select(1).select_from(table).where(*where).limit(MOST_COUNTED).subquery()
    return connection.execute(select(func.count()).select_from(some)).scalar_one()
