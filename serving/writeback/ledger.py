"""The ledger of our own writes: what a CRM tells us of them is an echo, and an echo is not scored again.

An entry is durable before the call that carries the value is made, so that no echo can come before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, delete, select

from serving.store.connect import upsert
from serving.store.tables import ledger
from serving.writeback.sender import Write

KEPT_US = 3 * 86_400 * 1_000_000
"""HubSpot, Salesforce and Svix repeat an event for up to 28 hours; after three days no echo is on its way any more."""
Key = tuple[str, str, str, str]
"""(object type, object id, property, value)."""


def record(connection: Connection, name: str, writes: Iterable[Write], now_us: int) -> None:
    """Keep what is about to be written, in the caller's transaction."""
    rows = {
        (w.object_type, w.object_id, prop, value): {
            "connection": name, "object_type": w.object_type, "object_id": w.object_id, "property": prop, "value": value,
            "written_at": now_us,
        }
        for w in writes
        for prop, value in w.properties.items()
    }  # fmt: skip
    upsert(
        connection, ledger, list(rows.values()), unique=("connection", "object_type", "object_id", "property", "value")
    )


def echoes(connection: Connection, name: str, events: Sequence[Key]) -> set[Key]:
    """Those of the events that tell of our own writes. Values are compared as texts."""
    found: set[Key] = set()
    ids = sorted({event[1] for event in events})
    for start in range(0, len(ids), 400):
        columns = (ledger.c.object_type, ledger.c.object_id, ledger.c.property, ledger.c.value)
        where = (ledger.c.connection == name, ledger.c.object_id.in_(ids[start : start + 400]))
        found |= {(row[0], row[1], row[2], row[3]) for row in connection.execute(select(*columns).where(*where))}
    return found & set(events)


def forget_old(connection: Connection, now_us: int) -> None:
    connection.execute(delete(ledger).where(ledger.c.written_at < now_us - KEPT_US))
