"""Rows of the inbox and the outbox in every state, as if webhooks had come and scores been written."""

from __future__ import annotations

import itertools
from typing import Any

from sqlalchemy import insert

from serving.store.connect import Store
from serving.store.tables import dirty, inbox, writebacks
from tests.kit.store_rows import letter

_number = itertools.count(1)


def put_event(store: Store, connection: str, state: str, received_at: int, detail: str | None = None) -> None:
    row = {**letter(f"k{next(_number)}"), "connection": connection, "state": state, "detail": detail}
    with store.write() as writing:
        writing.execute(insert(inbox), [{**row, "received_at": received_at}])


def put_write(store: Store, connection: str, state: str, at: int, **more: Any) -> None:
    row = {
        "connection": connection,
        "model": "lead-fit",
        "entity_id": f"lead_{next(_number)}",
        "entity": "lead",
        "object_type": "contact",
        "object_id": "1",
        "content": b"{}",
        "generation": 1,
        "state": state,
        "attempts": 1,
        "queued_at": at,
        "due_at": at,
        "sent_at": None,
        "error": None,
    }
    with store.write() as writing:
        writing.execute(insert(writebacks), [{**row, **more}])


def put_dirty(store: Store, source: str, error: str | None = None) -> None:
    row = {"source": source, "entity": "lead", "generation": 1, "due_at": 1, "error": error}
    with store.write() as writing:
        writing.execute(insert(dirty), [{**row, "entity_id": f"lead_{next(_number)}"}])
