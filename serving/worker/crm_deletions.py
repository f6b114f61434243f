"""Deletions and merges in a CRM: removes signals and unsent scores, and moves rows to the entity that remains.

The newest event of an entity decides, in whatever order events arrive. The history of scores stays; erasure for
privacy is `serving.privacy`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from features.sources.schema import TABLES
from features.sources.source import Source
from serving.connections.config import Mapped
from serving.inbox.repository import InboxEvent
from serving.store.connect import upsert
from serving.store.deletions import (
    DELETED,
    MERGED,
    PRESENT,
    deleted_among,
    forget_scores,
    source_key,
    stored_hash_of_id,
)
from serving.store.tables import removals
from serving.worker.row_changes import Change

ENTITY_OF = {"accounts": "account", "leads": "lead"}
STATES = {"delete": DELETED, "merge": MERGED, "create": PRESENT}


@dataclass(frozen=True)
class CrmDeletion:
    """One entity was deleted, merged or brought back."""

    entity: str
    entity_id: str
    occurred_us: int
    received_us: int
    state: str
    into: str | None
    event_id: int


def deletion_of(event: InboxEvent, mapped: Mapped) -> CrmDeletion:
    into = None if event.into is None else mapped.key_of(event.into)
    return CrmDeletion(
        ENTITY_OF[mapped.table],
        mapped.key_of(event.object_id),
        event.occurred_at,
        event.received_at,
        STATES[event.effect],
        into,
        event.id,
    )


def moved_children(source: Source, removal: CrmDeletion) -> list[Change]:
    """Rows of a merged entity, as changes to the one that remains. Usage and touches have no key of their own: they
    follow when the source is read again (`serving.privacy.suppression_export`).
    """
    if removal.into is None:
        return []
    owner = "account_id" if removal.entity == "account" else "lead_id"
    event_us = min(removal.occurred_us, removal.received_us)
    found = []
    for table in TABLES.values():
        if table.kind != "state" or table.key in (None, owner) or not source.has(table.name, owner):
            continue
        rows = source.connection.execute(
            f"SELECT {table.key} FROM {table.name} GROUP BY 1 HAVING arg_max({owner}, event_us) = ?",
            [removal.entity_id],
        ).fetchall()
        for (key,) in sorted(rows):
            columns = {owner: removal.into}
            found.append(Change(table.name, key, event_us, removal.received_us, columns, removal.event_id))
    return found


def take_away(connection: Connection, source_name: str, found: Sequence[CrmDeletion]) -> None:
    """Records removals in the caller's transaction, and deletes what a removed entity must not have."""
    newest: dict[tuple[str, str], CrmDeletion] = {}
    for removal in sorted(found, key=lambda r: r.occurred_us):
        newest[removal.entity, removal.entity_id] = removal
    rows = [
        {
            "source": source_key(source_name),
            "entity": r.entity,
            "id_hash": stored_hash_of_id(r.entity, r.entity_id),
            "occurred_at": r.occurred_us,
            "state": r.state,
            "into": r.into,
        }
        for r in newest.values()
    ]
    upsert(connection, removals, rows, unique=("source", "entity", "id_hash"), newest="occurred_at")
    for entity in ENTITY_OF.values():
        forget_scores(
            connection, entity, sorted(deleted_among(connection, entity, [i for e, i in newest if e == entity]))
        )
