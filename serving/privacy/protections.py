"""Protections: erasures, objections, deletions in CRMs and revoked keys. They outlive a restore of an older backup and
the loss of the store.

They have hashes instead of ids. So whose rows a backup brought back is found by hashing every id in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Table, delete, insert, select, text, update

from features.kit.clock import system_us
from serving.audit_log import repository as audit_log
from serving.audit_log.entry import Entry, Who, command
from serving.connections.config import ConnectionConfig
from serving.privacy import repository as privacy
from serving.privacy.aliases import aliases
from serving.store.connect import upsert
from serving.store.deletions import PRESENT, forget_scores, stored_hash_of_id
from serving.store.listed import forget_listed
from serving.store.tables import (
    api_keys,
    changes,
    decisions,
    dirty,
    eligibilities,
    idempotency,
    inbox,
    notes,
    objections,
    overrides,
    profiles,
    removals,
    signals,
    tombstones,
    writebacks,
)
from serving.store.version_counters import bump

_Row = dict[str, Any]
_KINDS = {table: kind for kind, table in privacy.TABLES.items()}


@dataclass(frozen=True)
class Protections:
    """The protections of a store before a restore, or of a home whose store was lost."""

    tombstones: list[_Row] = field(default_factory=list)
    objections: list[_Row] = field(default_factory=list)
    removals: list[_Row] = field(default_factory=list)
    """Entities that are no longer in the CRM, and those that came back."""
    keys: list[_Row] = field(default_factory=list)
    """All API keys. One that is not in the backup comes back revoked, so that a restore never opens a closed API."""

    def __len__(self) -> int:
        return len(self.tombstones) + len(self.objections) + len(self.removals)

    def holding(self) -> Protections:
        """Only the protections that hold, without keys."""
        return Protections(**{name: [row for row in getattr(self, name) if _holds(row)] for name in _TABLES})

    def newer_than(self, other: Protections) -> Protections:
        """The protections that hold here and that `other` does not know, or knows with an older time. A newer removal
        counts also where the CRM brought the entity back, because the CRM decides that."""

        def rows(name: str) -> list[_Row]:
            table = _TABLES[name]
            known = {_key(table, row): row for row in getattr(other, name)}

            def is_newer(row: _Row) -> bool:
                there = known.get(_key(table, row))
                if there is None:
                    return _holds(row)
                return _moment(row) > _moment(there) and (_holds(row) or table is removals)

            return [row for row in getattr(self, name) if is_newer(row)]

        return Protections(**{name: rows(name) for name in _TABLES})

    def joined(self, other: Protections) -> Protections:
        """The newer one of each protection; the keys of this one."""
        newer = other.newer_than(self)

        def rows(name: str) -> list[_Row]:
            both = [*getattr(self, name), *getattr(newer, name)]
            return list({_key(_TABLES[name], row): row for row in both}.values())

        return Protections(**{name: rows(name) for name in _TABLES}, keys=self.keys)


_TABLES = {"tombstones": tombstones, "objections": objections, "removals": removals}


def _key(table: Table, row: _Row) -> tuple[str, ...]:
    return tuple(row[column.name] for column in table.primary_key)


def _moment(row: _Row) -> int:
    """When a row was set or taken back, whichever is later, in microseconds."""
    return max(row.get(name) or 0 for name in ("erased_at", "since", "occurred_at", "taken_back_at"))


def _holds(row: _Row) -> bool:
    return row.get("taken_back_at") is None and row.get("state") != PRESENT


@dataclass(frozen=True)
class KeptProtections:
    """What a restore kept because it was newer than the backup."""

    erasures: int = 0
    """Erasures that are not in the backup."""
    erased_again: int = 0
    """How many of them had rows in the backup, which were erased again."""
    objections: int = 0
    removals: int = 0
    """Entities that CRMs deleted, merged or brought back since the backup."""
    keys_revoked: int = 0
    """Keys that were revoked since the backup."""
    keys_ended: int = 0
    """Live keys that are newer than the backup: they are now revoked."""


def read(connection: Connection) -> Protections:
    """All protections of the store, also those that were taken back."""

    def rows(table: Table) -> list[_Row]:
        return [dict(row._mapping) for row in connection.execute(select(table).order_by(*table.primary_key))]

    return Protections(rows(tombstones), rows(objections), rows(removals), rows(api_keys))


def apply(
    here: Connection, held: Protections, now_us: int, connections: Iterable[ConnectionConfig] = ()
) -> KeptProtections:
    """Apply the protections in `held` to the rows of a backup, in the caller's transaction.

    `connections` map waiting events to entities; without them the worker does so when it applies the events.
    """
    newer = held.newer_than(read(here))
    again = put_back(here, newer, connections, command("restore"))
    there = {row.id: row.revoked_at for row in here.execute(select(api_keys.c.id, api_keys.c.revoked_at))}
    ended = [row for row in held.keys if row["id"] not in there and row["revoked_at"] is None]
    revoked = [row for row in held.keys if row["revoked_at"] is not None and there.get(row["id"]) is None]
    for row in revoked:
        if row["id"] in there:
            here.execute(update(api_keys).where(api_keys.c.id == row["id"]).values(revoked_at=row["revoked_at"]))
    unknown = [row for row in revoked if row["id"] not in there] + [{**row, "revoked_at": now_us} for row in ended]
    if unknown:
        here.execute(insert(api_keys), unknown)
    return KeptProtections(
        len(newer.tombstones), again, len(newer.objections), len(newer.removals), len(revoked), len(ended)
    )


def put_back(
    here: Connection, newer: Protections, connections: Iterable[ConnectionConfig] = (), by: Who | None = None
) -> int:
    """Store the protections that a store does not know (`Protections.newer_than`), in the caller's transaction, and
    delete the rows of erased and deleted entities. Returns how many of the erased had rows. `by` is who erases them
    again; by default a process that started on an older copy of the store."""
    if not newer:
        return 0
    connections, again, by = list(connections), 0, by or command("privacy publish")
    erased = {(row["kind"], row["id_hash"]): row["erased_at"] for row in newer.tombstones}
    gone = {(row["entity"], row["id_hash"]) for row in newer.removals if _holds(row)}
    for name, table in _TABLES.items():
        upsert(here, table, getattr(newer, name), unique=[column.name for column in table.primary_key])
    objecting = {(row["entity"], row["id_hash"]) for row in newer.objections if _holds(row)}
    if erased or gone or objecting:
        for kind, name in _named(here, connections):
            hashed = stored_hash_of_id(kind, name)
            if (kind, hashed) in erased:
                privacy.erase(here, kind, name, erased[kind, hashed], aliases(connections, kind, name), by)
                again += 1
            elif (kind, hashed) in gone:
                forget_scores(here, kind, [name])
            elif (kind, hashed) in objecting:
                forget_listed(here, kind, [name])
    redacted = audit_log.redact_subjects(here, [id_hash for _, id_hash in erased])
    if redacted["details"]:  # of those of whom the store has nothing else
        audit_log.append(here, Entry(by, "erasure", "store", None, None, {"redacted": redacted}), system_us())
    if erased:
        here.execute(delete(idempotency))  # a stored answer may name them; a repeated request is scored again
    bump(here, privacy.GENERATION)
    return again


def lock(here: Connection, *tables: Table) -> None:
    """Lock the tables against writers until the transaction ends. A write transaction of SQLite does so already."""
    if here.dialect.name == "postgresql":
        here.execute(text(f"LOCK TABLE {', '.join(table.name for table in tables)} IN EXCLUSIVE MODE"))


def _named(here: Connection, connections: Iterable[ConnectionConfig]) -> Iterator[tuple[str, str]]:
    """Kind and id of every entity in the store's rows, each once, sorted."""
    seen: set[tuple[str, str]] = set()
    for table in (signals, profiles, eligibilities, decisions, overrides, notes, dirty, writebacks, inbox):
        asked = select(table.c.entity, table.c.entity_id).where(table.c.entity_id.is_not(None)).distinct()
        seen.update((kind, name) for kind, name in here.execute(asked))
    for column in (changes.c.account_id, profiles.c.parent_id):
        seen.update(("account", name) for name in here.execute(select(column).distinct()).scalars() if name)
    seen.update(("lead", name) for name in here.execute(select(changes.c.lead_id).distinct()).scalars() if name)
    told = (columns["parent_id"] for _, _, columns in privacy.parents_told(here))
    seen.update(("account", name) for name in told if name)
    for table_name, key in here.execute(select(changes.c.table_name, changes.c.key).distinct()):
        if table_name in _KINDS:
            seen.add((_KINDS[table_name], key))
    configs = {config.name: config for config in connections}
    for connection, object_type, object_id in here.execute(
        select(inbox.c.connection, inbox.c.object_type, inbox.c.object_id).distinct()
    ):
        mapped = configs[connection].objects.get(object_type) if connection in configs else None
        if mapped is not None and mapped.table in _KINDS and object_id:
            seen.add((_KINDS[mapped.table], mapped.key_of(object_id)))
    yield from sorted((kind, name) for kind, name in seen if kind is not None)
