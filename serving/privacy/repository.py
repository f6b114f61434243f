"""Objections, erasure and retention, on every table that knows an account, a lead or a contact."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Table, and_, delete, false, or_, select, update

from features.sources.suppression import mark_of
from serving.store.connect import insert_new
from serving.store.deletions import DELETED, removed_among
from serving.store.tables import (
    changes,
    decisions,
    dirty,
    idempotency,
    inbox,
    ledger,
    objections,
    overrides,
    removals,
    signals,
    tombstones,
    writebacks,
)  # fmt: skip
from serving.store.version_counters import bump

GENERATION = "privacy"
KINDS = ("account", "lead", "contact")
TABLES = {"account": "accounts", "lead": "leads", "contact": "contacts"}
"""The canonical table that has the kind's row."""
ERASED = "erased"
"""State of an event that came after its subject was erased: kept without content, so that it is not taken for new."""
_EMPTY = {
    "state": ERASED, "detail": None, "object_id": "", "value": None, "into": None, "entity": None, "entity_id": None,
}  # fmt: skip


# Objections


def object_to(connection: Connection, entity: str, entity_id: str, now_us: int) -> bool:
    """Stop scoring it; False when it was stopped already."""
    row = {"entity": entity, "entity_id": entity_id, "since": now_us}
    new = insert_new(connection, objections, [row], unique=("entity", "entity_id"))
    bump(connection, GENERATION)
    return bool(new)


def allow(connection: Connection, entity: str, entity_id: str) -> bool:
    """Take an objection back; False when there was none."""
    gone = connection.execute(
        delete(objections).where(objections.c.entity == entity, objections.c.entity_id == entity_id)
    )
    bump(connection, GENERATION)
    return bool(gone.rowcount)


def objecting(connection: Connection, entity: str | None = None) -> dict[tuple[str, str], int]:
    """(entity, id) of all who objected, and since when."""
    query = select(objections.c.entity, objections.c.entity_id, objections.c.since)
    if entity is not None:
        query = query.where(objections.c.entity == entity)
    return {(e, i): since for e, i, since in connection.execute(query)}


# Tombstones


@dataclass(frozen=True)
class Erased:
    """All tombstones, in memory."""

    marks: frozenset[tuple[str, str]] = frozenset()

    @classmethod
    def load(cls, connection: Connection) -> Erased:
        rows = connection.execute(select(tombstones.c.kind, tombstones.c.id_hash))
        return cls(frozenset((kind, mark) for kind, mark in rows))

    def has(self, kind: str, name: str) -> bool:
        return bool(self.marks) and (kind, mark_of(kind, name)) in self.marks

    def any(self, subjects: Iterable[tuple[str, str | None] | None]) -> bool:
        """Whether one of these was erased; what is not known was not."""
        return bool(self.marks) and any(s is not None and s[1] is not None and self.has(s[0], s[1]) for s in subjects)


def erased_among(connection: Connection, kind: str, ids: Iterable[str]) -> set[str]:
    """The ids that were erased."""
    marks = {mark_of(kind, each): each for each in ids}
    found: set[str] = set()
    for part in _parts(sorted(marks)):
        query = select(tombstones.c.id_hash).where(tombstones.c.kind == kind, tombstones.c.id_hash.in_(part))
        found |= {marks[row[0]] for row in connection.execute(query)}
    return found


def not_to_score(connection: Connection, entity: str, ids: Iterable[str]) -> set[str]:
    """The ids that objected, were erased or are no longer in the CRM: the batch and the worker give them no score."""
    wanted = set(ids)
    objected = {each for _, each in objecting(connection, entity)}
    return (wanted & objected) | erased_among(connection, entity, wanted) | removed_among(connection, entity, wanted)


def without_erased(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The rows of `signals` or `decisions` whose entity was not erased and is still in the CRM: what writers of both store."""
    kept = list(rows)
    for kind in {row["entity"] for row in rows}:
        gone = removed_among(connection, kind, {r["entity_id"] for r in rows if r["entity"] == kind and r["entity_id"]})
        if gone:
            kept = [r for r in kept if r["entity"] != kind or r["entity_id"] not in gone]
    if connection.execute(select(tombstones.c.kind).limit(1)).first() is None:
        return kept
    for kind in {row["entity"] for row in rows}:
        gone = erased_among(connection, kind, {r["entity_id"] for r in rows if r["entity"] == kind and r["entity_id"]})
        if gone:
            kept = [r for r in kept if r["entity"] != kind or r["entity_id"] not in gone]
    return kept


def admit(connection: Connection, kind: str, name: str) -> bool:
    """Take a tombstone away: it comes back with the next batch or event. False when there was none."""
    gone = connection.execute(
        delete(tombstones).where(tombstones.c.kind == kind, tombstones.c.id_hash == mark_of(kind, name))
    )
    bump(connection, GENERATION)
    return bool(gone.rowcount)


def keep_erased(connection: Connection, marks: Iterable[tuple[str, str]], now_us: int) -> None:
    """Tombstones by kind and mark (`features.sources.suppression.mark_of`), of a store that did not know of them."""
    rows = [{"kind": kind, "id_hash": mark, "erased_at": now_us} for kind, mark in marks]
    insert_new(connection, tombstones, rows, unique=("kind", "id_hash"))
    bump(connection, GENERATION)


# Erasure


Alias = tuple[str, str, str]
"""Connection, object type and object id: what a CRM calls it."""


def erase(
    connection: Connection, kind: str, name: str, now_us: int, aliases: Sequence[Alias] = ()
) -> dict[str, int]:  # fmt: skip
    """Delete what the store holds of it and set a tombstone, in the caller's transaction; rows deleted by table.

    `aliases` find events that were not worked on or could not be. Events lose their content and keep their place, so that a repetition is not taken for a new one.
    """
    of_row = and_(changes.c.table_name == TABLES[kind], changes.c.key == name)
    owner = {"account": changes.c.account_id == name, "lead": changes.c.lead_id == name}.get(kind, false())
    letters = select(changes.c.inbox_id).where(or_(of_row, owner), changes.c.inbox_id.is_not(None))
    of_entity = and_(inbox.c.entity == kind, inbox.c.entity_id == name)
    unread = [
        and_(inbox.c.connection == where, inbox.c.object_type == what, inbox.c.object_id == which)
        for where, what, which in aliases
    ]
    emptied = connection.execute(
        update(inbox).where(or_(inbox.c.id.in_(letters), of_entity, *unread)).values(_EMPTY)
    ).rowcount
    done = {"inbox": emptied, "changes": _delete(connection, changes, or_(of_row, owner))}
    written = select(writebacks.c.connection, writebacks.c.object_type, writebacks.c.object_id).where(
        writebacks.c.entity == kind, writebacks.c.entity_id == name
    )
    ours = [
        and_(ledger.c.connection == where, ledger.c.object_type == what, ledger.c.object_id == which)
        for where, what, which in {*aliases, *(tuple(row) for row in connection.execute(written))}
    ]
    done["ledger"] = _delete(connection, ledger, or_(false(), *ours))
    for table in (signals, decisions, overrides, objections, dirty, writebacks):
        done[table.name] = _delete(connection, table, and_(table.c.entity == kind, table.c.entity_id == name))
    done["removals"] = _delete(connection, removals, and_(removals.c.entity == kind, removals.c.entity_id == name))
    # What was merged into it has nothing that remains.
    merged = and_(removals.c.entity == kind, removals.c.into == name)
    connection.execute(update(removals).where(merged).values(state=DELETED, into=None))
    done["idempotency"] = _forget_answers(connection, name)
    row = {"kind": kind, "id_hash": mark_of(kind, name), "erased_at": now_us}
    insert_new(connection, tombstones, [row], unique=("kind", "id_hash"))
    for generation in (GENERATION, "overrides"):
        bump(connection, generation)
    return done


def empty_letters(connection: Connection, ids: Sequence[int]) -> None:
    """Take the content out of events that came after their subject was erased."""
    for start in range(0, len(ids), 500):
        connection.execute(update(inbox).where(inbox.c.id.in_(ids[start : start + 500])).values(_EMPTY))


def _forget_answers(connection: Connection, name: str) -> int:
    """Stored answers that name it. Their requests were answered long ago; a repetition is worked on anew."""
    named = msgspec.json.encode(name)
    keys = [
        key
        for key, body in connection.execute(select(idempotency.c.key_hash, idempotency.c.body))
        if body is not None and named in bytes(body)
    ]
    return sum(_delete(connection, idempotency, idempotency.c.key_hash.in_(part)) for part in _parts(keys))


# Retention


def forget_before(connection: Connection, moment_us: int) -> dict[str, int]:
    """Delete decision records, worked-off events, withdrawn overrides and stored answers that are older; rows by table.

    Signals and changes are the present state, not history: they stay until they are replaced or erased. What waits to be
    worked on stays too.
    """
    settled = inbox.c.state.in_(("scored", "kept", "echo", "failed", ERASED))
    return {
        "decisions": _delete(connection, decisions, decisions.c.recorded_at < moment_us),
        "inbox": _delete(connection, inbox, and_(inbox.c.received_at < moment_us, settled)),
        "overrides": _delete(
            connection, overrides, or_(overrides.c.withdrawn_at < moment_us, overrides.c.until < moment_us)
        ),
        "idempotency": _delete(connection, idempotency, idempotency.c.begun_at < moment_us),
    }


def _delete(connection: Connection, table: Table, where: ColumnElement[bool]) -> int:
    return connection.execute(delete(table).where(where)).rowcount


def _parts(items: Sequence[str], size: int = 500) -> Iterator[Sequence[str]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
