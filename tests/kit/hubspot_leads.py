"""HubSpot's contacts as leads: a connection that writes their scores back, and a change of one that came in."""

from __future__ import annotations

from features.kit.clock import make_clock, to_us
from serving.connections.config import ConnectionConfig, Mapped
from serving.inbox import repository as letters
from serving.store.connect import Store
from serving.vendors.destination import Target, WriteBack
from serving.vendors.inbound import Event
from tests.kit.fake_hubspot import FakeHubSpot
from tests.kit.running import AS_OF, Home


def connected(home: Home, crm: FakeHubSpot | None = None, rate: float = 10.0) -> ConnectionConfig:
    objects = {"contact": Mapped("leads", "lead_{id}", {"industry": "industry"}, {})}
    url = crm.url if crm else ""
    back = WriteBack("on", {"lead-fit": Target("contact", {"score": "fit"})}, 1, 0, rate, url, "t" * 20)
    return ConnectionConfig(
        "crm", "hubspot", "https://x.example", "sample", home.company, objects, settle_seconds=0.0, writeback=back
    )


def tell(store: Store, conf: ConnectionConfig, record: str, number: int = 1) -> None:
    now = to_us(make_clock(AS_OF)())
    event = Event((number,), "contact.propertyChange", "change", "contact", record, now - 10**9, "industry", "software")
    with store.write() as connection:
        letters.put(connection, letters.events_of(conf, [event], now))
