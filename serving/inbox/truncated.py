"""Reads the record from the CRM where its message was too large to have the values: the record as it is now, instead of
what changed."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping

from sqlalchemy import select

from features.kit.clock import Clock, to_us
from serving.connections.config import ConnectionConfig
from serving.inbox import repository as inbox
from serving.store.connect import Store
from serving.store.tables import inbox as table
from serving.vendors.calls import CallRefused
from serving.vendors.inbound import Event
from serving.vendors.outbound import Reader

log = logging.getLogger("serving.inbox")
LETTERS_A_ROUND = 20


def read_truncated(store: Store, config: ConnectionConfig, reader: Reader, clock: Clock) -> int:
    """Read the records of the oldest truncated events and put their mapped properties into the inbox. Returns how many.

    A record that cannot be read fails its event. Raises `CallFailed` when the CRM is away, and `StoreAway`; what was
    read before is stored.
    """
    with store.read() as connection:
        where = (table.c.connection == config.name, table.c.state == inbox.TRUNCATED)
        columns = (table.c.id, table.c.kind, table.c.object_type, table.c.object_id, table.c.occurred_at)
        found = connection.execute(select(*columns).where(*where).order_by(table.c.id).limit(LETTERS_A_ROUND)).all()
    for event_id, kind, object_type, object_id, occurred in found:
        try:
            record = reader.read(object_type, object_id)
        except CallRefused as error:
            log.warning("webhook.unread connection=%s why=%s", config.name, error)
            with store.write() as connection:
                inbox.mark(connection, event_id, inbox.FAILED, f"the record cannot be read: {error}")
            continue
        mapped = config.objects.get(object_type)
        now = to_us(clock())
        # The record as read is at least as new as the event.
        events = _events(
            event_id, kind, object_type, object_id, max(occurred, now), record, mapped.columns if mapped else ()
        )
        with store.write() as connection:
            inbox.put(connection, inbox.events_of(config, events, now))
            inbox.mark(connection, event_id, inbox.KEPT, "its record was read")
    return len(found)


def _events(
    event_id: int,
    kind: str,
    object_type: str,
    object_id: str,
    at_us: int,
    record: Mapping[str, str | None],
    names: Iterable[str],
) -> list[Event]:
    return [
        Event((event_id, name), kind, "change", object_type, object_id, at_us, name, record[name])
        for name in names
        if name in record
    ]
