"""What a restore does not take back: erasures, objections and revoked keys protect somebody, whatever an older backup says.

Tombstones name nobody, so those whose rows came back with the backup are found by the hashes of all ids that it holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from features.sources.suppression import mark_of
from serving.connections.config import ConnectionConfig
from serving.privacy import repository as privacy
from serving.privacy.service import aliases
from serving.store.connect import insert_new
from serving.store.tables import (
    api_keys,
    changes,
    decisions,
    dirty,
    idempotency,
    inbox,
    objections,
    overrides,
    removals,
    signals,
    tombstones,
    writebacks,
)  # fmt: skip

_Row = dict[str, Any]
_KINDS = {table: kind for kind, table in privacy.TABLES.items()}


@dataclass(frozen=True)
class Protections:
    """Of a store, before a backup takes its place."""

    tombstones: list[_Row]
    objections: list[_Row]
    keys: list[_Row]
    """All API keys: one that the backup does not know comes back revoked, so that an open API is not made of a closed one."""


@dataclass(frozen=True)
class Kept:
    """What was newer than the backup and holds after the restore."""

    erasures: int = 0
    """Tombstones that the backup has not."""
    erased_again: int = 0
    """Accounts, leads and contacts of them whose rows the backup brought back."""
    objections: int = 0
    keys_revoked: int = 0
    """Keys that were revoked since the backup."""
    keys_ended: int = 0
    """Live keys that were made since the backup: they are revoked now."""


def read(connection: Connection) -> Protections:
    """All that protects somebody."""

    def rows(table: Any) -> list[_Row]:
        return [dict(row._mapping) for row in connection.execute(select(table))]

    return Protections(rows(tombstones), rows(objections), rows(api_keys))


def apply(here: Connection, held: Protections, now_us: int, connections: Iterable[ConnectionConfig] = ()) -> Kept:
    """Put what was held over the rows of a backup, in the caller's transaction.

    `connections` tell which waiting events are of whom; without them the worker finds that out when it comes to them.
    """
    connections = list(connections)
    known = {(kind, mark) for kind, mark in here.execute(select(tombstones.c.kind, tombstones.c.id_hash))}
    newer = [row for row in held.tombstones if (row["kind"], row["id_hash"]) not in known]
    again = 0
    if newer:
        marks = {(row["kind"], row["id_hash"]): row["erased_at"] for row in newer}
        for kind, name in _named(here, connections):
            at_us = marks.get((kind, mark_of(kind, name)))
            if at_us is not None:
                privacy.erase(here, kind, name, at_us, aliases(connections, kind, name))
                again += 1
        here.execute(delete(idempotency))  # an answer may name them; a repeated request is worked on anew
        insert_new(here, tombstones, newer, unique=("kind", "id_hash"))
    objecting = insert_new(here, objections, held.objections, unique=("entity", "entity_id"))
    there = {row.id: row.revoked_at for row in here.execute(select(api_keys.c.id, api_keys.c.revoked_at))}
    ended = [row for row in held.keys if row["id"] not in there and row["revoked_at"] is None]
    revoked = [row for row in held.keys if row["revoked_at"] is not None and there.get(row["id"]) is None]
    for row in revoked:
        if row["id"] in there:
            here.execute(update(api_keys).where(api_keys.c.id == row["id"]).values(revoked_at=row["revoked_at"]))
    unknown = [row for row in revoked if row["id"] not in there] + [{**row, "revoked_at": now_us} for row in ended]
    if unknown:
        here.execute(insert(api_keys), unknown)
    return Kept(len(newer), again, objecting, len(revoked), len(ended))


def _named(here: Connection, connections: Iterable[ConnectionConfig]) -> Iterator[tuple[str, str]]:
    """Kind and id of everybody whom a row names, each once."""
    seen: set[tuple[str, str]] = set()
    for table in (signals, decisions, overrides, objections, dirty, writebacks, inbox, removals):
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
