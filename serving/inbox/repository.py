"""The inbox table: every wanted event is in it before its delivery is answered."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, select, update

from serving.connections.config import ConnectionConfig
from serving.inbox.sealed import Seal
from serving.store.connect import insert_new
from serving.store.tables import inbox
from serving.store.text import is_kept
from serving.vendors.inbound import Effect, Event

WAITING, APPLIED, SCORED, KEPT, ECHO, FAILED = "waiting", "applied", "scored", "kept", "echo", "failed"
"""kept: a property that no signal reads. echo: our own write, told back to us."""
TRUNCATED = "cut"
"""The CRM left out the values because the message was too large: the record has to be read."""


@dataclass(frozen=True)
class InboxEvent:
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
    """Whether the connection uses the event. One that it does not use is answered 2xx and counted; an error would make
    the vendor retry."""
    if connection.portal_ids and event.portal_id not in connection.portal_ids:
        return False
    return event.object_type in connection.objects


def may_send(connection: ConnectionConfig, event: Event) -> bool:
    """Whether the event's organisation is one of the connection's `organizations`. True where it lists none. Compared
    in constant time."""
    if not connection.organizations:
        return True
    given, good = (event.organization or "").encode(), False
    for listed in connection.organizations:
        good |= hmac.compare_digest(listed.encode(), given)
    return good


def dedupe_key(event: Event) -> str:
    return hashlib.sha256(json.dumps([event.kind, *event.dedupe]).encode()).hexdigest()


def events_of(
    connection: ConnectionConfig, events: Iterable[Event], received_at_us: int, seal: Seal | None = None
) -> list[dict[str, Any]]:
    """Rows for the inbox. An event with a text that no database keeps is failed at once; the others of its delivery are
    not.

    The value of an unmapped property is sealed; without a seal it is dropped.
    """
    return [_row(connection, event, received_at_us, seal) for event in events]


def is_mapped(connection: ConnectionConfig, object_type: str, name: str) -> bool:
    """Whether a property is mapped to a column, or is one that we write."""
    mapped = connection.objects.get(object_type)
    ours = {to for target in connection.writeback.models.values() for to in target.properties.values()}
    return name in ours or (mapped is not None and name in mapped.columns)


def _row(connection: ConnectionConfig, event: Event, received_at_us: int, seal: Seal | None) -> dict[str, Any]:
    texts = {"object_id": event.object_id, "property": event.property, "value": event.value, "into": event.into}
    lost = [name for name, text in texts.items() if text is not None and not is_kept(text)]
    state, why = TRUNCATED if event.truncated else WAITING, None
    value = event.value
    if (
        value is not None
        and event.property is not None
        and not is_mapped(connection, event.object_type, event.property)
    ):
        value = seal.close(value) if seal else None
        lost = [name for name in lost if name != "value"]
    if lost:
        state, why = FAILED, f"{' and '.join(lost)}: a NUL or half a surrogate pair, which no database keeps"
    return {
        "connection": connection.name,
        "dedupe_key": dedupe_key(event),
        "received_at": received_at_us,
        "occurred_at": received_at_us if event.occurred_at_us is None else event.occurred_at_us,
        "kind": event.kind,
        "object_type": event.object_type,
        "object_id": event.object_id,
        "property": event.property,
        "value": value,
        "effect": event.effect,
        "into": event.into,
        "state": state,
        "detail": why,
    }


def put(connection: Connection, events: list[dict[str, Any]]) -> int:
    """Store the events that are not in the inbox yet, in the caller's transaction. Returns how many were new."""
    return insert_new(connection, inbox, events, unique=("connection", "dedupe_key"))


def waiting(connection: Connection, limit: int, off: Collection[str] = ()) -> list[InboxEvent]:
    """The oldest waiting events. Those of the connections in `off` are left out."""
    columns = [inbox.c[name] for name in InboxEvent.__dataclass_fields__]
    rows = connection.execute(select(*columns).where(*_waits(off)).order_by(inbox.c.id).limit(limit))
    return [InboxEvent(**row._mapping) for row in rows]


def has_waiting(connection: Connection, off: Collection[str] = ()) -> bool:
    return connection.execute(select(inbox.c.id).where(*_waits(off)).limit(1)).first() is not None


def _waits(off: Collection[str]) -> list[ColumnElement[bool]]:
    return [inbox.c.state == WAITING, *([inbox.c.connection.not_in(sorted(off))] if off else [])]


def failed(connection: Connection, name: str | None = None) -> list[dict[str, Any]]:
    """Failed events, of all connections or of one, in the order of arrival."""
    names = ("connection", "object_type", "object_id", "property", "detail")
    query = select(*(inbox.c[each] for each in names)).where(inbox.c.state == FAILED).order_by(inbox.c.id)
    if name is not None:
        query = query.where(inbox.c.connection == name)
    return [dict(row) for row in connection.execute(query).mappings()]


def retry(connection: Connection, name: str) -> int:
    """Set the failed events of a connection back to waiting. Returns how many."""
    where = (inbox.c.connection == name, inbox.c.state == FAILED)
    return connection.execute(update(inbox).where(*where).values(state=WAITING, detail=None)).rowcount


def fail(connection: Connection, reasons: Mapping[int, str]) -> int:
    """Fail events whose change cannot be read, each with its reason. Returns how many were not failed before; those of
    erased entities stay erased."""
    new = 0
    for event_id, why in reasons.items():
        where = (inbox.c.id == event_id, inbox.c.state.not_in((FAILED, "erased")))
        new += connection.execute(update(inbox).where(*where).values(state=FAILED, detail=why)).rowcount
    return new


def mark(
    connection: Connection,
    event_id: int,
    state: str,
    detail: str | None = None,
    entity: str | None = None,
    entity_id: str | None = None,
) -> None:
    values = {"state": state, "detail": detail, "entity": entity, "entity_id": entity_id}
    connection.execute(update(inbox).where(inbox.c.id == event_id).values(**values))


def mark_scored(connection: Connection, entity: str, entity_ids: list[str], up_to: int, as_of_us: int) -> None:
    """Mark the applied events of these entities as scored, up to an event id: the decision of `as_of_us` has them in
    it."""
    for start in range(0, len(entity_ids), 500):
        part = entity_ids[start : start + 500]
        where = (inbox.c.entity == entity, inbox.c.entity_id.in_(part), inbox.c.state == APPLIED, inbox.c.id <= up_to)
        connection.execute(update(inbox).where(*where).values(state=SCORED, scored_as_of=as_of_us))


def counts(connection: Connection) -> Mapping[str, int]:
    """Events by state."""
    rows = connection.execute(select(inbox.c.state, func.count()).group_by(inbox.c.state))
    return {state: count for state, count in rows}
