"""The ledger of our own writes. A webhook that tells of one of them is an echo and is not scored again.

An entry is committed before the call that writes the value, so that no echo can arrive before it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from decimal import Decimal

from sqlalchemy import Connection, delete, select

from features.kit.clock import DAY_US
from serving.store.connect import upsert
from serving.store.tables import ledger
from serving.vendors.outbound import Write

KEPT_US = 3 * DAY_US
"""HubSpot, Salesforce and Svix retry an event for up to 28 hours: after three days no echo can arrive."""
Key = tuple[str, str, str, str]
"""(object type, object id, property, value)."""
_DECIMAL = re.compile(r"-?[0-9]{1,20}(?:\.[0-9]{1,20})?(?:[eE][+-]?[0-9]{1,2})?")
_MOMENT = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]*[1-9])?)(?:\.?0+)?(?:Z|\+00:?00)"
)


def spelled(value: str) -> str:
    """One spelling for values that CRMs spell differently: Salesforce sends 82 as 82.0, and times with milliseconds.

    >>> spelled("82"), spelled("82.0"), spelled("4.3E-4"), spelled("0.00043"), spelled("007"), spelled("high")
    ('82', '82', '0.00043', '0.00043', '007', 'high')
    >>> spelled("2026-01-02T06:00:00.000Z"), spelled("2026-01-02T06:00:00Z")
    ('2026-01-02T06:00:00Z', '2026-01-02T06:00:00Z')
    """
    if _DECIMAL.fullmatch(value) and not value.isdigit():
        return format(Decimal(value).normalize(), "f")
    moment = _MOMENT.fullmatch(value)
    return f"{moment[1]}Z" if moment else value.replace("\r\n", "\n")


def record(connection: Connection, name: str, writes: Iterable[Write], now_us: int) -> None:
    """Record the values that are about to be written, in the caller's transaction."""
    rows = {
        (w.object_type, w.object_id, prop, spelled(value)): {
            "connection": name,
            "object_type": w.object_type,
            "object_id": w.object_id,
            "property": prop,
            "value": spelled(value),
            "written_at": now_us,
        }
        for w in writes
        for prop, value in w.properties.items()
    }
    upsert(
        connection, ledger, list(rows.values()), unique=("connection", "object_type", "object_id", "property", "value")
    )


def echoes(connection: Connection, name: str, events: Sequence[Key]) -> set[Key]:
    """Those of the events that are echoes of our writes. Values are compared as `spelled` texts."""
    found: set[Key] = set()
    ids = sorted({event[1] for event in events})
    for start in range(0, len(ids), 400):
        columns = (ledger.c.object_type, ledger.c.object_id, ledger.c.property, ledger.c.value)
        where = (ledger.c.connection == name, ledger.c.object_id.in_(ids[start : start + 400]))
        found |= {(row[0], row[1], row[2], row[3]) for row in connection.execute(select(*columns).where(*where))}
    return {event for event in events if (*event[:3], spelled(event[3])) in found}


def forget_old(connection: Connection, now_us: int) -> None:
    connection.execute(delete(ledger).where(ledger.c.written_at < now_us - KEPT_US))
