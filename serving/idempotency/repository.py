"""Answers that are given again to a repetition."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, delete, select, update

from features.kit.clock import DAY_US, SECOND_US
from serving.store.connect import insert_new
from serving.store.tables import idempotency

KEPT_US = 3 * DAY_US
"""Longer than the vendors' own retries go on (about 28 hours)."""
ABANDONED_US = 60 * SECOND_US
"""A first request that has not answered for so long died with its process."""


@dataclass(frozen=True)
class KeptAnswer:
    """What is known of an Idempotency-Key; `status` is None while its first request is at work."""

    fingerprint: str
    begun_at: int
    status: int | None
    content_type: str | None
    body: bytes | None


def begin(connection: Connection, key_hash: str, fingerprint: str, now_us: int) -> KeptAnswer | None:
    """None when the request is the first with its key and may go on, else what is known of the first."""
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
    """Keep the answer."""
    values = {"status": status, "content_type": content_type, "body": body}
    connection.execute(update(idempotency).where(idempotency.c.key_hash == key_hash).values(**values))


def forget(connection: Connection, key_hash: str) -> None:
    """The request was refused or failed: it may come again with the same key."""
    connection.execute(delete(idempotency).where(idempotency.c.key_hash == key_hash, idempotency.c.status.is_(None)))
