"""A worker on HubSpot's contacts and companies, one delivery to it, and what became of its events."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import select

from features.kit.clock import make_clock, to_us
from serving.champion import Champions
from serving.connections.config import ConnectionConfig, Mapped
from serving.inbox import repository as letters
from serving.store.connect import Store
from serving.store.tables import decisions, inbox
from serving.vendors.inbound import Event
from serving.worker.loop import Worker
from tests.kit.running import AS_OF, Home


def hubspot_worker(store: Store, home: Home, columns: Iterable[str]) -> Worker:
    """`columns` of leads are mapped, each from the property of its name."""
    objects = {
        "contact": Mapped("leads", "lead_{id}", {name: name for name in columns}, {}),
        "company": Mapped("accounts", "acc_{id}", {"founded": "founded_time", "employees": "employees"}, {}),
    }
    config = ConnectionConfig(
        "crm", "hubspot", "https://x.example", "sample", home.company, objects, settle_seconds=0.0
    )
    champions = Champions(home.path)
    champions.refresh()
    return Worker(store, {"crm": config}, champions, make_clock(AS_OF))


def deliver(store: Store, worker: Worker, *found: tuple[str, str, str, str | None]) -> None:
    """One delivery: (object, id, property, value) each; then the worker."""
    events = [
        Event(
            (number, *one),
            "x.propertyChange",
            "change",
            one[0],
            one[1],
            to_us(make_clock(AS_OF)()) - 10**9,
            one[2],
            one[3],
        )
        for number, one in enumerate(found)
    ]
    with store.write() as connection:
        config = worker._connections["crm"]
        letters.put(connection, letters.events_of(config, events, to_us(make_clock(AS_OF)())))
    worker.once()


def states(store: Store) -> dict[str, tuple[str, str | None]]:
    with store.read() as connection:
        return {row.object_id: (row.state, row.detail) for row in connection.execute(select(inbox))}


def scored(store: Store) -> set[str]:
    with store.read() as connection:
        return set(connection.execute(select(decisions.c.entity_id)).scalars())
