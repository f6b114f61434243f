"""Scores on their way to a CRM: new ones, connections that write them, every vendor that is written to, and what is queued."""

from __future__ import annotations

from sqlalchemy import select

from serving.connections.config import ConnectionConfig, Mapped
from serving.outbox import repository as outbox
from serving.outbox.repository import NewScore
from serving.store.connect import Store
from serving.store.tables import writebacks
from serving.vendors.destination import Target, WriteBack
from serving.vendors.dynamics.outbound import Dynamics
from serving.vendors.hubspot.outbound import HubSpot
from serving.vendors.salesforce.outbound import Salesforce
from tests.kit.dataverse import guid
from tests.kit.fake_crm import FakeCrm
from tests.kit.fake_dataverse import fake_dataverse
from tests.kit.fake_hubspot import fake_hubspot
from tests.kit.fake_salesforce import fake_salesforce
from tests.kit.found import cases
from tests.kit.outbound_case import OutboundCase
from tests.kit.soap import lead_id

VENDORS = [
    OutboundCase(
        "hubspot", fake_hubspot, HubSpot, "contact", {"score": "fit", "band": "fit_band"}, str, 100, "OBJECT_NOT_FOUND"
    ),
    OutboundCase(
        "salesforce",
        fake_salesforce,
        Salesforce,
        "Lead",
        {"score": "Fit__c", "band": "Fit_Band__c"},
        lead_id,
        200,
        "ENTITY_IS_DELETED",
    ),
    OutboundCase(
        "dynamics",
        fake_dataverse,
        Dynamics,
        "lead",
        {"score": "new_fit", "band": "new_fitband"},
        guid,
        100,
        "HTTP 404 0x80040217",
    ),
]
EVERY = [*VENDORS, *cases("OUTBOUND")]


def config(mode: str = "on", **more: object) -> ConnectionConfig:
    back = WriteBack(mode, {"lead-fit": Target("contact", {"score": "fit", "band": "fit_band"})}, **more)  # type: ignore[arg-type]
    objects = {"contact": Mapped("leads", "lead_{id}", {}, {})}
    return ConnectionConfig("crm", "hubspot", "https://x.example", "sample", None, objects, writeback=back)


def new(entity_id: str = "lead_1", score: int | None = 50, band: str | None = "low") -> NewScore:
    return NewScore("lead-fit", entity_id, 1_700_000_000_000_000, 3, score, band, 0.5, ["Because.", "And so."])


def connection_to(vendor: OutboundCase, crm: FakeCrm | None = None, **more: object) -> ConnectionConfig:
    models = {"lead-fit": Target(vendor.object_type, vendor.properties)}
    back = WriteBack("on", models, requests_per_second=1000.0, url=crm.url if crm else "", token="t" * 20, **more)  # type: ignore[arg-type]
    objects = {vendor.object_type: Mapped("leads", "lead_{id}", {}, {})}
    return ConnectionConfig("crm", vendor.name, "https://x.example", "sample", None, objects, writeback=back)


def put(store: Store, vendor: OutboundCase, *numbers: int, score: int | None = 50) -> None:
    """Queues a score of each of these records."""
    band = None if score is None else "low"
    with store.write() as connection:
        scores = [new(vendor.entity(n), score, band) for n in numbers]
        outbox.enqueue(connection, [connection_to(vendor)], scores, 10)


def rows(store: Store, vendor: OutboundCase) -> dict[int, dict[str, object]]:
    """Of the records 0 to 300, by number."""
    numbers = {vendor.entity(n): n for n in range(300)}
    with store.read() as connection:
        return {numbers[row["entity_id"]]: dict(row) for row in connection.execute(select(writebacks)).mappings()}
