"""The table of stored answers to requests with an Idempotency-Key."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, delete, select, update

from features.kit.clock import DAY_US, SECOND_US
from serving.store.connect import insert_new
from serving.store.tables import idempotency

KEPT_US = 3 * DAY_US
"""How long an answer is kept: longer than vendors retry (about 28 hours)."""
ABANDONED_US = 60 * SECOND_US
"""A first request without an answer for so long has died with its process."""


@dataclass(frozen=True)
class KeptAnswer:
    """The row of an Idempotency-Key. `status` is None while its first request is running."""

    fingerprint: str
    begun_at: int
    status: int | None
    content_type: str | None
    body: bytes | None


def begin(connection: Connection, key_hash: str, fingerprint: str, now_us: int) -> KeptAnswer | None:
    """Reserve a key. Returns None for the first request with it, which may go on; otherwise the row of the first."""
    connection.execute(delete(idempotency).where(idempotency.c.begun_at < now_us - KEPT_US))
    abandoned = (idempotency.c.status.is_(None), idempotency.c.begun_at < now_us - ABANDONED_US)
    connection.execute(delete(idempotency).where(idempotency.c.key_hash == key_hash, *abandoned))
    row = {"key_hash": key_hash, "fingerprint": fingerprint, "begun_at": now_us}
    if insert_new(connection, idempotency, [row], unique=("key_hash",)):
        return None
    columns = [idempotency.c[name] for name in KeptAnswer.__dataclass_fields__]
    found = connection.execute(select(*columns).where(idempotency.c.key_hash == key_hash)).one()
    return KeptAnswer(*found)


def finish(connection: Connection, key_hash: str, status: int, content_type: str, body: bytes) -> None:
    """Store the answer."""
    values = {"status": status, "content_type": content_type, "body": body}
    connection.execute(update(idempotency).where(idempotency.c.key_hash == key_hash).values(**values))


def forget(connection: Connection, key_hash: str) -> None:
    """Free the key of a request that was refused or failed."""
    connection.execute(delete(idempotency).where(idempotency.c.key_hash == key_hash, idempotency.c.status.is_(None)))
