"""Objections, erasure and retention, in every table with rows of an account, a lead or a contact."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Table, and_, delete, exists, false, or_, select, update

from serving.audit_log import repository as audit_log
from serving.audit_log.chain import Ranges
from serving.audit_log.entry import Entry, Who, command
from serving.notes import repository as notes
from serving.store import search_terms
from serving.store.connect import upsert
from serving.store.deletions import (
    DELETED,
    PRESENT,
    deleted_among,
    ids_among,
    parts,
    rename_parent,
    stored_hash_of_id,
)
from serving.store.listed import forget_listed
from serving.store.tables import (
    changes,
    decisions,
    dirty,
    eligibilities,
    idempotency,
    inbox,
    latest_scores,
    ledger,
    objections,
    overrides,
    profile_terms,
    profiles,
    removals,
    sessions,
    signals,
    tombstones,
    writebacks,
)
from serving.store.version_counters import bump

GENERATION = "privacy"
KINDS = ("account", "lead", "contact")
TABLES = {"account": "accounts", "lead": "leads", "contact": "contacts"}
"""The canonical table with the kind's rows."""
OWNED = ("account", "lead")
"""The kinds of which notes are told."""
ERASED = "erased"
"""State of an event whose subject was erased. It is kept without content, so that a repetition is recognised."""
_EMPTY = {
    "state": ERASED,
    "detail": None,
    "object_id": "",
    "value": None,
    "into": None,
    "entity": None,
    "entity_id": None,
}


# Objections


def object_to(connection: Connection, entity: str, entity_id: str, now_us: int, by: Who | None = None) -> bool:
    """Record an objection: the entity is not scored any more, and is on no list. False when there was one. `by` records
    it; by default the user of the command."""
    forget_listed(connection, entity, [entity_id])
    if not _set(connection, objections, entity, entity_id, now_us):
        return False
    who = by or command("privacy object")
    audit_log.append(connection, Entry(who, "objection", entity, entity_id, *_SWITCHED), now_us)
    return True


def allow(connection: Connection, entity: str, entity_id: str, now_us: int, by: Who | None = None) -> bool:
    """Take an objection back; False when there was none."""
    if not _take_back(connection, objections, entity, entity_id, now_us):
        return False
    who = by or command("privacy allow")
    audit_log.append(connection, Entry(who, "objection_taken_back", entity, entity_id, *reversed(_SWITCHED)), now_us)
    return True


_SWITCHED = ({"holds": False}, {"holds": True})


def objecting(connection: Connection, entity: str | None = None) -> dict[tuple[str, str], int]:
    """(entity, `stored_hash_of_id`) of all objections that hold, to their moment in microseconds."""
    query = select(objections.c.entity, objections.c.id_hash, objections.c.since).where(holds(objections))
    if entity is not None:
        query = query.where(objections.c.entity == entity)
    return {(e, i): since for e, i, since in connection.execute(query)}


def holds(table: Table) -> ColumnElement[bool]:
    """The condition that an objection or a tombstone was not taken back."""
    return table.c.taken_back_at.is_(None)


def _set(connection: Connection, table: Table, kind: str, name: str, now_us: int) -> bool:
    """Set an objection or a tombstone. False when it holds already. Its time is later than the withdrawal before it,
    whatever the clock says, because `serving.privacy.protections` compares copies by time."""
    key, since, back = _row(connection, table, kind, name)
    bump(connection, GENERATION)
    if since is not None and back is None:
        return False
    row = {**key, _SINCE[table.name]: max(now_us, (back or 0) + 1), "taken_back_at": None}
    upsert(connection, table, [row], unique=list(key))
    return True


def _take_back(connection: Connection, table: Table, kind: str, name: str, now_us: int) -> bool:
    """The row stays, with the time, so that an older copy does not bring the protection back."""
    key, since, back = _row(connection, table, kind, name)
    bump(connection, GENERATION)
    if since is None or back is not None:
        return False
    of_it = and_(*(table.c[column] == value for column, value in key.items()))
    connection.execute(update(table).where(of_it).values(taken_back_at=max(now_us, since + 1)))
    return True


_SINCE = {objections.name: "since", tombstones.name: "erased_at"}


def _row(connection: Connection, table: Table, kind: str, name: str) -> tuple[dict[str, str], int | None, int | None]:
    """The key of a row, when it was set (None: never), and when it was taken back (None: it holds)."""
    key = dict(zip((column.name for column in table.primary_key), (kind, stored_hash_of_id(kind, name)), strict=True))
    asked = select(table.c[_SINCE[table.name]], table.c.taken_back_at)
    found = connection.execute(asked.where(*(table.c[column] == value for column, value in key.items()))).first()
    return (key, None, None) if found is None else (key, found[0], found[1])


# Tombstones


@dataclass(frozen=True)
class Erased:
    """All tombstones, in memory."""

    id_hashes: frozenset[tuple[str, str]] = frozenset()

    @classmethod
    def load(cls, connection: Connection) -> Erased:
        rows = connection.execute(select(tombstones.c.kind, tombstones.c.id_hash).where(holds(tombstones)))
        return cls(frozenset((kind, found) for kind, found in rows))

    def has(self, kind: str, name: str) -> bool:
        return bool(self.id_hashes) and (kind, stored_hash_of_id(kind, name)) in self.id_hashes

    def any(self, subjects: Iterable[tuple[str, str | None] | None]) -> bool:
        """Whether one of these (kind, id) was erased. None, and an id of None, count as not erased."""
        return bool(self.id_hashes) and any(
            s is not None and s[1] is not None and self.has(s[0], s[1]) for s in subjects
        )


def erased_among(connection: Connection, kind: str, ids: Iterable[str]) -> set[str]:
    """Those of the ids that were erased."""
    return ids_among(connection, tombstones, kind, ids, tombstones.c.kind == kind, holds(tombstones))


def not_to_score(connection: Connection, entity: str, ids: Iterable[str]) -> set[str]:
    """Those of the ids that objected, were erased, or are no longer in the CRM: the batch and the worker do not score
    them."""
    wanted = set(ids)
    objected = ids_among(connection, objections, entity, wanted, objections.c.entity == entity, holds(objections))
    return objected | erased_among(connection, entity, wanted) | deleted_among(connection, entity, wanted)


def without_erased(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The rows of `signals` or `decisions` whose entity was neither erased nor deleted in the CRM: only these are
    stored."""
    kept = list(rows)
    for among in (deleted_among, erased_among):
        for kind in {row["entity"] for row in kept}:
            ids = {row["entity_id"] for row in kept if row["entity"] == kind and row["entity_id"]}
            gone = among(connection, kind, ids)
            if gone:
                kept = [row for row in kept if row["entity"] != kind or row["entity_id"] not in gone]
    return kept


def admit(connection: Connection, kind: str, name: str, now_us: int, by: Who | None = None) -> bool:
    """Take a tombstone back: the entity returns with the next batch or event. False when there was none."""
    if not _take_back(connection, tombstones, kind, name, now_us):
        return False
    who = by or command("privacy admit")
    audit_log.append(connection, Entry(who, "erasure_taken_back", kind, name, *reversed(_SWITCHED)), now_us)
    return True


# Erasure


Alias = tuple[str, str, str]
"""Connection, object type and object id: how a CRM names the entity."""
Naming = tuple[str, str, str, str]
"""Connection, object type, property and value: how a record of a CRM says that it is of the entity."""


@dataclass(frozen=True)
class Aliases:
    """How CRMs name an entity, in events that were not applied yet."""

    records: Sequence[Alias] = ()
    owners: Sequence[Naming] = ()
    """Of rows that are the entity's."""
    parents: Sequence[Naming] = ()
    """Of accounts that belong to it."""


NO_ALIASES = Aliases()


def erase(
    connection: Connection,
    kind: str,
    name: str,
    now_us: int,
    aliases: Aliases = NO_ALIASES,
    by: Who | None = None,
) -> dict[str, int]:
    """Delete the store's rows of an entity and set a tombstone, in the caller's transaction. Returns the deleted rows
    by table. `by` erases; by default the user of the command. Its row in the audit log names the entity by its hash,
    as the tombstone does.

    `aliases` find events that were not applied. Events lose their content but not their row, so that a repetition is
    recognised.
    """
    of_row = and_(changes.c.table_name == TABLES[kind], changes.c.key == name)
    owner = {"account": changes.c.account_id == name, "lead": changes.c.lead_id == name}.get(kind, false())
    events = select(changes.c.inbox_id).where(or_(of_row, owner), changes.c.inbox_id.is_not(None))
    of_entity = and_(inbox.c.entity == kind, inbox.c.entity_id == name)
    unread = [
        and_(inbox.c.connection == where, inbox.c.object_type == what, inbox.c.object_id == which)
        for where, what, which in aliases.records
    ]
    unread += map(_names, aliases.owners)
    emptied = connection.execute(
        update(inbox).where(or_(inbox.c.id.in_(events), of_entity, *unread)).values(_EMPTY)
    ).rowcount
    done = {"inbox": emptied, "changes": _delete(connection, changes, or_(of_row, owner))}
    written = select(writebacks.c.connection, writebacks.c.object_type, writebacks.c.object_id).where(
        writebacks.c.entity == kind, writebacks.c.entity_id == name
    )
    ours = [
        and_(ledger.c.connection == where, ledger.c.object_type == what, ledger.c.object_id == which)
        for where, what, which in {*aliases.records, *(tuple(row) for row in connection.execute(written))}
    ]
    done["ledger"] = _delete(connection, ledger, or_(false(), *ours))
    done[profile_terms.name] = search_terms.forget(connection, kind, [name])  # before the profile: it names them
    done[latest_scores.name] = forget_listed(connection, kind, [name])
    for table in (signals, profiles, eligibilities, decisions, overrides, dirty, writebacks):
        done[table.name] = _delete(connection, table, and_(table.c.entity == kind, table.c.entity_id == name))
    if kind == "account":
        rename_parent(connection, name, None)
        done["changes"] += _forget_parent(connection, name)
        # Those that wait: their accounts belong to nobody, as `apply_inbox` would find.
        connection.execute(update(inbox).where(or_(false(), *map(_names, aliases.parents))).values(value=None))
    if kind in OWNED:
        done["notes"] = notes.erase(connection, kind, name, now_us)
    # These rows have only hashes. They stay, as taken back: if they were deleted, the home's copy would bring them
    # back.
    done["objections"] = int(_take_back(connection, objections, kind, name, now_us))
    of_it = and_(
        removals.c.entity == kind, removals.c.id_hash == stored_hash_of_id(kind, name), removals.c.state != PRESENT
    )
    done["removals"] = connection.execute(update(removals).where(of_it).values(state=PRESENT, into=None)).rowcount
    # Entities that were merged into it now count as deleted.
    merged = and_(removals.c.entity == kind, removals.c.into == name)
    connection.execute(update(removals).where(merged).values(state=DELETED, into=None))
    done["idempotency"] = _forget_answers(connection, name)
    _set(connection, tombstones, kind, name, now_us)
    bump(connection, "overrides")
    redacted = audit_log.redact_subjects(connection, [stored_hash_of_id(kind, name)])
    deleted = {table: count for table, count in done.items() if count}
    after = {"id_hash": stored_hash_of_id(kind, name), "deleted": deleted, "redacted": redacted}
    audit_log.append(connection, Entry(by or command("privacy erase"), "erasure", kind, None, None, after), now_us)
    return done


def _names(naming: Naming) -> ColumnElement[bool]:
    """Events that name an entity."""
    where, what, told, value = naming
    return and_(
        inbox.c.connection == where, inbox.c.object_type == what, inbox.c.property == told, inbox.c.value == value
    )


def parents_told(connection: Connection, holding: bytes = b"") -> Iterator[tuple[int, int | None, dict[str, Any]]]:
    """Stored changes of accounts that name a parent: id, id of the event, and columns. `holding`: only those whose columns have these
    bytes."""
    asked = select(changes.c.id, changes.c.inbox_id, changes.c.columns).where(changes.c.table_name == "accounts")
    for row in connection.execute(asked):
        if b'"parent_id"' in bytes(row.columns) and holding in bytes(row.columns):
            yield row.id, row.inbox_id, msgspec.json.decode(row.columns, type=dict[str, Any])


def _forget_parent(connection: Connection, name: str) -> int:
    """Take an account out of the changes that name it as the parent of another, and out of their events. The changes stay."""
    found = [each for each in parents_told(connection, msgspec.json.encode(name)) if each[2]["parent_id"] == name]
    for row, _, columns in found:
        without = msgspec.json.encode({**columns, "parent_id": None})
        connection.execute(update(changes).where(changes.c.id == row).values(columns=without))
    empty_values(connection, [event for _, event, _ in found if event is not None])
    return len(found)


def empty_values(connection: Connection, ids: Sequence[int]) -> None:
    """Remove the value of events about another entity that name an erased one."""
    for start in range(0, len(ids), 500):
        connection.execute(update(inbox).where(inbox.c.id.in_(ids[start : start + 500])).values(value=None))


def empty_events(connection: Connection, ids: Sequence[int]) -> None:
    """Remove the content of events that arrived after their subject was erased."""
    for start in range(0, len(ids), 500):
        connection.execute(update(inbox).where(inbox.c.id.in_(ids[start : start + 500])).values(_EMPTY))


def _forget_answers(connection: Connection, name: str) -> int:
    """Delete the stored answers that name it. A repetition of such a request is scored again."""
    named = msgspec.json.encode(name)
    keys = [
        key
        for key, body in connection.execute(select(idempotency.c.key_hash, idempotency.c.body))
        if body is not None and named in bytes(body)
    ]
    return sum(_delete(connection, idempotency, idempotency.c.key_hash.in_(part)) for part in parts(keys))


# Retention


def forget_before(
    connection: Connection, moment_us: int, now_us: int | None = None, by: Who | None = None
) -> dict[str, int]:
    """Delete older decision records, settled events, ended overrides, stored answers, unused sessions and the free text of older notes, and
    take names and contents out of older rows of the audit log. Returns the rows by table.

    Signals and changes are the present state, not history: they stay until they are replaced or erased. Waiting events
    stay too. A profile goes with the last decision record of its entity, when nothing has renewed it since. List rows are
    history, as the decision records that they show.
    """
    settled = inbox.c.state.in_(("scored", "kept", "echo", "failed", ERASED))
    of_it = and_(decisions.c.entity == profiles.c.entity, decisions.c.entity_id == profiles.c.entity_id)
    done = {
        "decisions": _delete(connection, decisions, decisions.c.recorded_at < moment_us),
        "latest_scores": _delete(connection, latest_scores, latest_scores.c.recorded_at < moment_us),
    }
    # After the decision records: the batch of a source that ended long ago has an old as_of too.
    ended = and_(profiles.c.as_of < moment_us, ~exists().where(of_it))
    old = connection.execute(select(profiles.c.entity, profiles.c.entity_id).where(ended)).all()
    done["profile_terms"] = sum(
        search_terms.forget(connection, kind, part)
        for kind in sorted({row.entity for row in old})
        for part in parts([row.entity_id for row in old if row.entity == kind])
    )
    done |= {
        "profiles": _delete(connection, profiles, ended),
        "inbox": _delete(connection, inbox, and_(inbox.c.received_at < moment_us, settled)),
        "overrides": _delete(
            connection, overrides, or_(overrides.c.withdrawn_at < moment_us, overrides.c.until < moment_us)
        ),
        "notes": notes.forget_text_before(connection, moment_us),
        "idempotency": _delete(connection, idempotency, idempotency.c.begun_at < moment_us),
        "sessions": _delete(connection, sessions, sessions.c.seen_at < moment_us),
    }
    redacted = audit_log.redact_before(connection, moment_us)
    after = {"before": moment_us, "deleted": {name: n for name, n in done.items() if n}, "redacted": redacted}
    who = by or command("retention")
    audit_log.append(connection, Entry(who, "retention", "store", None, None, after), now_us or moment_us)
    done["audit_log"] = len(Ranges([*redacted["actor"], *redacted["details"]]))
    return done


def _delete(connection: Connection, table: Table, where: ColumnElement[bool]) -> int:
    return connection.execute(delete(table).where(where)).rowcount
