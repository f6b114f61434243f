"""What a restore does not take back, and a lost store does not lose: erasures, objections, what CRMs deleted and revoked keys protect
somebody, whatever an older backup says.

They name nobody, so those whose rows came back with a backup are found by the hashes of all ids that it holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Table, delete, insert, select, text, update

from serving.connections.config import ConnectionConfig
from serving.privacy import repository as privacy
from serving.privacy.aliases import aliases
from serving.store.connect import upsert
from serving.store.deletions import PRESENT, forget_scores, stored_hash_of_id
from serving.store.tables import (
    api_keys,
    changes,
    decisions,
    dirty,
    eligibilities,
    idempotency,
    inbox,
    objections,
    overrides,
    removals,
    signals,
    tombstones,
    writebacks,
)  # fmt: skip
from serving.store.version_counters import bump

_Row = dict[str, Any]
_KINDS = {table: kind for kind, table in privacy.TABLES.items()}


@dataclass(frozen=True)
class Protections:
    """Of a store before a backup takes its place, or of a home whose store was lost."""

    tombstones: list[_Row] = field(default_factory=list)
    objections: list[_Row] = field(default_factory=list)
    removals: list[_Row] = field(default_factory=list)
    """Who is no longer in the CRM."""
    keys: list[_Row] = field(default_factory=list)
    """All API keys: one that the backup does not know comes back revoked, so that an open API is not made of a closed one."""

    def __len__(self) -> int:
        return len(self.tombstones) + len(self.objections) + len(self.removals)

    def holding(self) -> Protections:
        """Without what was taken back, and without keys."""
        return Protections(**{name: [row for row in getattr(self, name) if _holds(row)] for name in _TABLES})

    def newer_than(self, other: Protections) -> Protections:
        """Those that hold here and are newer than what `other` says of the same one: nothing, or that they were taken back. Of removals
        also that a CRM brought one back which is gone in `other`: what is so there is not for people to decide."""

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
        """The newest of each; keys of this one."""
        newer = other.newer_than(self)

        def rows(name: str) -> list[_Row]:
            both = [*getattr(self, name), *getattr(newer, name)]
            return list({_key(_TABLES[name], row): row for row in both}.values())

        return Protections(**{name: rows(name) for name in _TABLES}, keys=self.keys)


_TABLES = {"tombstones": tombstones, "objections": objections, "removals": removals}


def _key(table: Table, row: _Row) -> tuple[str, ...]:
    return tuple(row[column.name] for column in table.primary_key)


def _moment(row: _Row) -> int:
    """When a row was set or taken back, whichever was later."""
    return max(row.get(name) or 0 for name in ("erased_at", "since", "occurred_at", "taken_back_at"))


def _holds(row: _Row) -> bool:
    return row.get("taken_back_at") is None and row.get("state") != PRESENT


@dataclass(frozen=True)
class KeptProtections:
    """What was newer than the backup and holds after the restore."""

    erasures: int = 0
    """Tombstones that the backup has not."""
    erased_again: int = 0
    """Accounts, leads and contacts of them whose rows the backup brought back."""
    objections: int = 0
    removals: int = 0
    """What CRMs deleted, merged or brought back since the backup."""
    keys_revoked: int = 0
    """Keys that were revoked since the backup."""
    keys_ended: int = 0
    """Live keys that were made since the backup: they are revoked now."""


def read(connection: Connection) -> Protections:
    """All that protects somebody, and what was taken back."""

    def rows(table: Table) -> list[_Row]:
        return [dict(row._mapping) for row in connection.execute(select(table).order_by(*table.primary_key))]

    return Protections(rows(tombstones), rows(objections), rows(removals), rows(api_keys))


def apply(
    here: Connection, held: Protections, now_us: int, connections: Iterable[ConnectionConfig] = ()
) -> KeptProtections:
    """Put what was held over the rows of a backup, in the caller's transaction.

    `connections` tell which waiting events are of whom; without them the worker finds that out when it comes to them.
    """
    newer = held.newer_than(read(here))
    again = put_back(here, newer, connections)
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
    )  # fmt: skip


def put_back(here: Connection, newer: Protections, connections: Iterable[ConnectionConfig] = ()) -> int:
    """Put into a store what it does not know (`Protections.newer_than`), in the caller's transaction: rows of who was erased or is gone
    are deleted. Returns how many of the erased had rows."""
    if not newer:
        return 0
    connections, again = list(connections), 0
    erased = {(row["kind"], row["id_hash"]): row["erased_at"] for row in newer.tombstones}
    gone = {(row["entity"], row["id_hash"]) for row in newer.removals if _holds(row)}
    for name, table in _TABLES.items():
        upsert(here, table, getattr(newer, name), unique=[column.name for column in table.primary_key])
    if erased or gone:
        for kind, name in _named(here, connections):
            hashed = stored_hash_of_id(kind, name)
            if (kind, hashed) in erased:
                privacy.erase(here, kind, name, erased[kind, hashed], aliases(connections, kind, name))
                again += 1
            elif (kind, hashed) in gone:
                forget_scores(here, kind, [name])
    if erased:
        here.execute(delete(idempotency))  # an answer may name them; a repeated request is worked on anew
    bump(here, privacy.GENERATION)
    return again


def lock(here: Connection, *tables: Table) -> None:
    """Nobody else writes till the transaction ends; SQLite's excludes that already."""
    if here.dialect.name == "postgresql":
        here.execute(text(f"LOCK TABLE {', '.join(table.name for table in tables)} IN EXCLUSIVE MODE"))


def _named(here: Connection, connections: Iterable[ConnectionConfig]) -> Iterator[tuple[str, str]]:
    """Kind and id of everybody whom a row names, each once."""
    seen: set[tuple[str, str]] = set()
    for table in (signals, eligibilities, decisions, overrides, dirty, writebacks, inbox):
        asked = select(table.c.entity, table.c.entity_id).where(table.c.entity_id.is_not(None)).distinct()
        seen.update((kind, name) for kind, name in here.execute(asked))
    seen.update(("account", name) for name in here.execute(select(changes.c.account_id).distinct()).scalars() if name)
    seen.update(("lead", name) for name in here.execute(select(changes.c.lead_id).distinct()).scalars() if name)
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
