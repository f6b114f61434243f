"""How running processes learn that something they keep in memory changed: a counter per name, raised in the same
transaction as the change."""

from __future__ import annotations

from sqlalchemy import Connection, select

from serving.store.connect import upsert
from serving.store.tables import generations


def bump(connection: Connection, name: str) -> None:
    """Say that `name` changed, in the caller's transaction."""
    upsert(connection, generations, [{"name": name, "value": 1}], unique=("name",), add=("value",))


def of(connection: Connection, name: str) -> int:
    """One counter; 0 when it never changed. Asked in every commit of requests, so straight to the driver."""
    row = connection.exec_driver_sql(f"SELECT value FROM generations WHERE name = '{name}'").first()
    return 0 if row is None else int(row[0])


def read(connection: Connection) -> dict[str, int]:
    """The counters; a name that never changed is not there."""
    return {name: value for name, value in connection.execute(select(generations.c.name, generations.c.value))}
