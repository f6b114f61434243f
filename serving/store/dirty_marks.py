"""Marks entities whose signals changed: the worker scores them anew."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection

from serving.store.connect import upsert
from serving.store.tables import dirty

CHANGED = 0
"""The priority of what somebody waits for; that of a backlog is `serving.outbox.repository.BACKFILL`."""


def mark_dirty(
    connection: Connection, source_name: str, entities: Mapping[tuple[str, str], float], now_us: int
) -> None:
    """Mark entities, each with its settle time in seconds, in the transaction of the change."""
    found = [
        {
            "source": source_name,
            "entity": entity,
            "entity_id": entity_id,
            "generation": 1,
            "due_at": now_us + int(seconds * 1e6),
            "priority": CHANGED,
            "error": None,  # an entity that was set aside is tried again after a change
        }
        for (entity, entity_id), seconds in sorted(entities.items())
    ]
    # The first of several changes sets the time: a record that keeps changing is scored all the same.
    upsert(connection, dirty, found, unique=("source", "entity", "entity_id"), add=("generation",), keep=("due_at",))
