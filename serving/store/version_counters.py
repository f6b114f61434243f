"""Change counters: one per name, incremented in the transaction of the change. Running processes compare them to see
whether what they keep in memory is old."""

from __future__ import annotations

from sqlalchemy import Connection, select

from serving.store.connect import upsert
from serving.store.tables import generations


def bump(connection: Connection, name: str) -> None:
    """Increment the counter of `name`, in the caller's transaction."""
    upsert(connection, generations, [{"name": name, "value": 1}], unique=("name",), add=("value",))


def of(connection: Connection, name: str) -> int:
    """One counter; 0 when it never changed. Read in every commit of requests, so without SQLAlchemy's compiler."""
    row = connection.exec_driver_sql(f"SELECT value FROM generations WHERE name = '{name}'").first()
    return 0 if row is None else int(row[0])


def read(connection: Connection) -> dict[str, int]:
    """All counters. A name that never changed is missing."""
    return {name: value for name, value in connection.execute(select(generations.c.name, generations.c.value))}
