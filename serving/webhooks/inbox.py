"""The inbox: every wanted event is in it, durably, before its delivery is answered."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, select, update

from serving.connections import ConnectionConfig
from serving.store.connect import insert_new
from serving.store.tables import inbox
from serving.webhooks.delivery import Effect, Event

WAITING, APPLIED, SCORED, KEPT, ECHO, FAILED = "waiting", "applied", "scored", "kept", "echo", "failed"
"""kept: a property that is no signal; echo: our own write coming back."""
CUT = "cut"
"""Too large for the CRM to tell: the record is to be read from it."""


@dataclass(frozen=True)
class Letter:
    """One stored event."""

    id: int
    connection: str
    received_at: int
    occurred_at: int
    effect: Effect
    object_type: str
    object_id: str
    property: str | None
    value: str | None
    into: str | None


def is_wanted(connection: ConnectionConfig, event: Event) -> bool:
    """Whether the connection has a use for the event; one without is answered 2xx and counted, else the vendor retries."""
    if connection.portal_ids and event.portal_id not in connection.portal_ids:
        return False
    return event.object_type in connection.objects


def may_send(connection: ConnectionConfig, event: Event) -> bool:
    """Whether the event is of an organisation that the connection lists, where its vendor has such; in constant time."""
    if not connection.organizations:
        return True
    given, good = (event.organization or "").encode(), False
    for listed in connection.organizations:
        good |= hmac.compare_digest(listed.encode(), given)
    return good


def dedupe_key(event: Event) -> str:
    return hashlib.sha256(json.dumps([event.kind, *event.dedupe]).encode()).hexdigest()


def letters_of(connection: ConnectionConfig, events: Iterable[Event], received_at_us: int) -> list[dict[str, Any]]:
    """Rows for the inbox."""
    return [
        {
            "connection": connection.name,
            "dedupe_key": dedupe_key(event),
            "received_at": received_at_us,
            "occurred_at": received_at_us if event.occurred_at_us is None else event.occurred_at_us,
            "kind": event.kind,
            "object_type": event.object_type,
            "object_id": event.object_id,
            "property": event.property,
            "value": event.value,
            "effect": event.effect,
            "into": event.into,
            "state": CUT if event.cut else WAITING,
            "detail": None,
        }
        for event in events
    ]


def put(connection: Connection, letters: list[dict[str, Any]]) -> int:
    """Store letters that are not there yet, in the caller's transaction; returns how many were new."""
    return insert_new(connection, inbox, letters, unique=("connection", "dedupe_key"))


def waiting(connection: Connection, limit: int) -> list[Letter]:
    """The oldest letters that nobody worked on."""
    columns = [inbox.c[name] for name in Letter.__dataclass_fields__]
    rows = connection.execute(select(*columns).where(inbox.c.state == WAITING).order_by(inbox.c.id).limit(limit))
    return [Letter(**row._mapping) for row in rows]


def has_waiting(connection: Connection) -> bool:
    return connection.execute(select(inbox.c.id).where(inbox.c.state == WAITING).limit(1)).first() is not None


def mark(
    connection: Connection, letter_id: int, state: str, detail: str | None = None, entity: str | None = None, entity_id: str | None = None
) -> None:  # fmt: skip
    values = {"state": state, "detail": detail, "entity": entity, "entity_id": entity_id}
    connection.execute(update(inbox).where(inbox.c.id == letter_id).values(**values))


def mark_scored(connection: Connection, entity: str, entity_ids: list[str], up_to: int, as_of_us: int) -> None:
    """The applied letters of these entities, up to an id, are done: the decision of that moment has them in it."""
    for start in range(0, len(entity_ids), 500):
        part = entity_ids[start : start + 500]
        where = (inbox.c.entity == entity, inbox.c.entity_id.in_(part), inbox.c.state == APPLIED, inbox.c.id <= up_to)
        connection.execute(update(inbox).where(*where).values(state=SCORED, scored_as_of=as_of_us))


def counts(connection: Connection) -> Mapping[str, int]:
    """Letters by state."""
    rows = connection.execute(select(inbox.c.state, func.count()).group_by(inbox.c.state))
    return {state: count for state, count in rows}
