"""The table of the audit log. A row is added in the transaction of the change that it tells of: neither is there alone.

Rows are never updated, except that a retention run or an erasure takes the actor or the details out (`redact_*`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, insert, select, update

from serving.audit_log.chain import Head, Ranges, Row, read_json, row_of
from serving.audit_log.entry import NEVER_REDACTED, Entry
from serving.store.deletions import parts
from serving.store.tables import audit_log
from serving.store.version_counters import bump

GENERATION = "audit_log"
ROWS_AT_A_TIME = 1000


def append(connection: Connection, entry: Entry, now_us: int) -> Head:
    """Add one row, in the caller's transaction, which makes the change. Returns the new head.

    Call it last: on Postgres it holds the lock of the chain until the transaction ends, and a transaction that takes
    another lock after it may meet one that took them the other way round.
    """
    return append_all(connection, [entry], now_us)


def append_all(connection: Connection, entries: Sequence[Entry], now_us: int) -> Head:
    """Add several rows, in their order; see `append`."""
    before = locked_head(connection)
    rows = []
    for entry in entries:
        rows.append(row_of(entry, now_us, before))
        before = Head(rows[-1]["seq"], rows[-1]["hash"])
    if rows:
        connection.execute(insert(audit_log), rows)
    return before


def append_event(connection: Connection, entry: Entry, at_us: int, event: str) -> bool:
    """Add the row of an event that happened elsewhere. False when the log has it already."""
    before = locked_head(connection)
    if connection.execute(select(audit_log.c.seq).where(audit_log.c.event == event)).first() is not None:
        return False
    connection.execute(insert(audit_log), [row_of(entry, at_us, before, event)])
    return True


def locked_head(connection: Connection) -> Head:
    """The newest row. Nobody else appends until the transaction ends.

    A write transaction of SQLite is alone anyway. On Postgres the counter's row is the lock: the second one waits for
    it, and reads the head after that with what the first one committed.
    """
    bump(connection, GENERATION)
    return head(connection)


def head(connection: Connection) -> Head:
    """The newest row, as it is committed or as this transaction made it."""
    query = select(audit_log.c.seq, audit_log.c.hash).order_by(audit_log.c.seq.desc()).limit(1)
    found = connection.execute(query).first()
    return Head() if found is None else Head(*found)


def has(connection: Connection, known: Head) -> bool:
    """Whether the log has this row, or a restore or an accepted loss says that it was given up."""
    query = select(audit_log.c.hash).where(audit_log.c.seq == known.seq)
    if known == Head() or connection.execute(query).scalar() == known.hash:
        return True
    return str(known) in given_up(connection)


def given_up(connection: Connection) -> set[str]:
    """The heads that restores and accepted losses name."""
    query = select(audit_log.c.details).where(audit_log.c.action.in_(("restore", "loss_accepted")))
    return {each for found in connection.execute(query).scalars() for each in _after(found).get("given_up") or ()}


def rows(connection: Connection) -> Iterator[Row]:
    """Every row, in the order of the chain, some at a time."""
    query = select(audit_log).order_by(audit_log.c.seq)
    for part in connection.execute(query, execution_options={"yield_per": ROWS_AT_A_TIME}).mappings().partitions():
        for row in part:
            yield dict(row)


def newest(connection: Connection, before: int | None, action: str | None, limit: int) -> list[Row]:
    """The newest rows, or those before a `seq`, of one action or of all."""
    query = select(audit_log).order_by(audit_log.c.seq.desc()).limit(limit)
    if before is not None:
        query = query.where(audit_log.c.seq < before)
    if action is not None:
        query = query.where(audit_log.c.action == action)
    return [dict(row) for row in connection.execute(query).mappings()]


# Taking personal data out


def redact_subjects(connection: Connection, id_hashes: Iterable[str]) -> dict[str, list[list[int]]]:
    """Delete the details of all rows about those who are erased, by `stored_hash_of_id`; who did it stays. Returns the
    ranges of rows, which the row of the erasure must name under `redacted`."""
    ranges = Ranges()
    for part in parts(sorted(id_hashes)):
        about = (audit_log.c.subject.in_(part), audit_log.c.details.is_not(None))
        for first, last in _without(connection, "details", *about):
            ranges.add(first, last)
    return {"details": ranges.pairs()}


def redact_before(connection: Connection, moment_us: int) -> dict[str, list[list[int]]]:
    """Delete actor and details of all rows that are older than the moment. Returns the ranges of rows, which the row of
    the retention run must name under `redacted`."""
    older = audit_log.c.at < moment_us
    plain = audit_log.c.action.not_in(sorted(NEVER_REDACTED))
    return {
        "actor": _without(connection, "actor", older, audit_log.c.actor.is_not(None)),
        "details": _without(connection, "details", older, plain, audit_log.c.details.is_not(None)),
    }


def _without(connection: Connection, part: str, *where: ColumnElement[bool]) -> list[list[int]]:
    locked_head(connection)  # nobody appends between the two statements
    ranges = Ranges()
    for seq in connection.execute(select(audit_log.c.seq).where(*where).order_by(audit_log.c.seq)).scalars():
        ranges.add(seq)
    nothing: dict[str, None] = {"actor": None} if part == "actor" else {"details": None, "subject": None}
    connection.execute(update(audit_log).where(*where).values(nothing))
    return ranges.pairs()


def _after(details: bytes | None) -> dict[str, Any]:
    after: dict[str, Any] | None = read_json(details).get("after")
    return after or {}
