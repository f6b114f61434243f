"""A stage that a CRM sets tells an outcome: one note, in the transaction of the event, published to the readers of sources."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select

from features.kit.clock import make_clock, to_us
from features.sources.loader import open_source
from features.sources.notes import TOLD
from serving.champion import Champions
from serving.connections.config import ConnectionConfig, Mapped
from serving.inbox import repository as letters
from serving.inbox.sealed import Seal
from serving.notes.repository import Note
from serving.store.connect import Store
from serving.store.tables import audit_log, dirty, inbox, notes
from serving.vendors.inbound import Event
from serving.worker.crm_outcomes import told_by
from serving.worker.loop import Worker
from tests.kit.company import at, make_source

pytestmark = pytest.mark.both_databases
NOW = "2026-03-01T06:00:00Z"
OCCURRED, RECEIVED = to_us(at("2026-02-20")), to_us(at("2026-02-21"))
OBJECTS = {
    "contact": Mapped("leads", "{id}", {}, {}, {"lifecyclestage": {"customer": "won"}}),
    "company": Mapped("accounts", "{id}", {}, {}, {"state": {"gone": "churned"}}),
    "deal": Mapped(
        "opportunities",
        "{id}",
        {"dealstage": "stage"},
        {},
        {"dealstage": {"closedwon": "won", "closedlost": "lost", "cancelled": "churned"}},
    ),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    deal = {"event_time": at("2026-01-02"), "stage": "new", "status": "open"}
    return make_source(
        tmp_path / "crm",
        {
            "accounts": [{"account_id": name, "event_time": at("2026-01-01")} for name in ("a1", "a2")],
            "leads": [{"lead_id": name, "event_time": at("2026-01-01")} for name in ("l1", "l2")],
            "opportunities": [
                {"opportunity_id": "o1", "lead_id": "l1", "account_id": "a1", **deal},
                {"opportunity_id": "o2", "account_id": "a2", **deal},
            ],
        },
    ).folder


def work(store: Store, home: Path, folder: Path, *told: tuple[str, str, str, str], seal: Seal | None = None) -> Worker:
    """(object, id, property, value) each, delivered and worked on."""
    config = ConnectionConfig("crm", "hubspot", "https://x", str(folder), folder, OBJECTS)
    events = [
        Event((n, *one), "x.propertyChange", "change", one[0], one[1], OCCURRED, one[2], one[3])
        for n, one in enumerate(told)
    ]
    with store.write() as connection:
        letters.put(connection, letters.events_of(config, events, RECEIVED, seal or Seal.of(home)))
    worker = Worker(store, {"crm": config}, Champions(home), make_clock(NOW))
    worker.once()
    return worker


def stored(store: Store) -> list[tuple[str, str, str]]:
    with store.read() as connection:
        query = select(notes.c.entity, notes.c.entity_id, notes.c.word).order_by(notes.c.entity_id)
        rows = connection.execute(query)
        return [tuple(row) for row in rows]


class TestStages:
    def test_each_tells_of_the_record_or_of_the_deals_owner(self, store: Store, tmp_path: Path, folder: Path) -> None:
        work(
            store,
            tmp_path,
            folder,
            ("contact", "l2", "lifecyclestage", "customer"),
            ("company", "a1", "state", "gone"),
            ("deal", "o1", "dealstage", "closedlost"),
            ("deal", "o2", "dealstage", "cancelled"),
        )
        assert stored(store) == [
            ("account", "a1", "churned"),
            ("account", "a2", "churned"),
            ("lead", "l1", "lost"),
            ("lead", "l2", "won"),
        ]
        source = open_source(str(folder), folder, home=tmp_path)
        times = source.query(f"SELECT DISTINCT event_us, known_us FROM {TOLD}")
        assert times == [(OCCURRED, RECEIVED)], "known since the CRM told us, whenever it happened"
        with store.read() as connection:
            assert set(connection.execute(select(audit_log.c.action)).scalars()) == {"outcome"}
            waiting = connection.execute(select(dirty.c.entity, dirty.c.entity_id)).all()
        # No signal reads a contact's or a company's stage here; the outcome that it tells changes who gets a score.
        assert {("lead", "l1"), ("lead", "l2"), ("account", "a1"), ("account", "a2")} <= {*map(tuple, waiting)}

    def test_other_values_and_deals_of_nobody_tell_nothing(self, store: Store, tmp_path: Path, folder: Path) -> None:
        work(
            store,
            tmp_path,
            folder,
            ("contact", "l2", "lifecyclestage", "lead"),
            ("contact", "l2", "telephone", "customer"),
            ("deal", "o2", "dealstage", "closedwon"),
        )
        assert stored(store) == []

    def test_a_repetition_under_another_number_is_the_same_note(
        self, store: Store, tmp_path: Path, folder: Path
    ) -> None:
        won = ("contact", "l2", "lifecyclestage", "customer")
        work(store, tmp_path, folder, won, won)
        assert stored(store) == [("lead", "l2", "won")]
        with store.read() as connection:
            assert len(connection.execute(select(inbox.c.id)).all()) == 2


def told(value: str | None, **owners: str) -> list[Note]:
    event = letters.InboxEvent(1, "crm", RECEIVED, OCCURRED, "change", "contact", "7", "stage", value, None)
    return told_by(event, OCCURRED, {"customer": "won"}, Seal(b"ours"), owners)


class TestToldBy:
    def test_a_sealed_value_is_read_and_one_under_another_pepper_tells_nothing(self) -> None:
        assert [note.word for note in told(Seal(b"ours").close("customer"), lead="l1")] == ["won"]
        assert told(Seal(b"another").close("customer"), lead="l1") == []

    def test_without_a_value_or_an_owner_there_is_none(self) -> None:
        assert told(None, lead="l1") == told("customer", account="a1") == []
