"""Sets aside entities that cannot be scored, with the reason, so that the others go on.

They stay dirty and are tried again when they change or when somebody puts them back (`dead-letters replay`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, func, select, update

from serving.outbox.repository import BACKFILL
from serving.store.connect import Store, upsert
from serving.store.tables import dirty


def put(store: Store, source: str, entity: str, entity_id: str, generation: int, error: Exception, now_us: int) -> None:
    """Sets one entity aside, unless it changed since the round of `generation` began. Raises `StoreAway`."""
    why = f"it cannot be scored: {type(error).__name__}"
    with store.write() as connection:
        if generation < 0:  # a backlog that is scored as it is listed has no row here
            row = {
                "source": source,
                "entity": entity,
                "entity_id": entity_id,
                "generation": 1,
                "due_at": now_us,
                "priority": BACKFILL,
                "error": why,
            }
            upsert(
                connection, dirty, [row], ("source", "entity", "entity_id"), keep=("generation", "due_at", "priority")
            )
            return
        where = (dirty.c.source == source, dirty.c.entity == entity, dirty.c.entity_id == entity_id)
        connection.execute(update(dirty).where(*where, dirty.c.generation == generation).values(error=why))


def all_of(connection: Connection, sources: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """Entities that are set aside, of all or of some sources, in order."""
    columns = (dirty.c.source, dirty.c.entity, dirty.c.entity_id, dirty.c.error)
    query = select(*columns).where(dirty.c.error.is_not(None))
    if sources is not None:
        query = query.where(dirty.c.source.in_(sources))
    rows = connection.execute(query.order_by(dirty.c.source, dirty.c.entity, dirty.c.entity_id))
    return [dict(row) for row in rows.mappings()]


def count(connection: Connection) -> int:
    return connection.execute(select(func.count()).where(dirty.c.error.is_not(None))).scalar_one()


def retry(connection: Connection, source: str, entity_ids: Sequence[str] = ()) -> int:
    """Lets some or all entities of a source be scored again; returns how many."""
    where = [dirty.c.source == source, dirty.c.error.is_not(None)]
    if entity_ids:
        where.append(dirty.c.entity_id.in_(entity_ids))
    return connection.execute(update(dirty).where(*where).values(error=None)).rowcount
