"""The inbox: which events are stored, in which state, and what becomes of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select, update

from serving.connections.config import ConnectionConfig, Mapped
from serving.inbox import repository as letters
from serving.inbox.sealed import Seal
from serving.store.connect import Store
from serving.store.tables import inbox
from serving.vendors.destination import Target, WriteBack
from serving.vendors.inbound import Event

CRM = ConnectionConfig(
    "crm",
    "hubspot",
    "https://x.example",
    "sample",
    None,
    {"contact": Mapped("leads", "{id}", {"industry": "industry"}, {})},
    writeback=WriteBack("on", {"lead-fit": Target("contact", {"score": "fit"})}),
)


def event(number: int = 1, **more: Any) -> Event:
    return Event((number,), "contact.propertyChange", "change", "contact", "7", 5, "industry", "software", **more)


def put(store: Store, *numbers: int, config: ConnectionConfig = CRM) -> int:
    with store.write() as connection:
        return letters.put(connection, letters.events_of(config, [event(n) for n in numbers], 9))


def states(store: Store) -> list[str]:
    with store.read() as connection:
        return list(connection.execute(select(inbox.c.state).order_by(inbox.c.id)).scalars())


class TestWhoMaySend:
    def test_an_object_that_nobody_mapped_is_not_wanted(self) -> None:
        assert letters.is_wanted(CRM, event())
        assert not letters.is_wanted(CRM, replace(event(), object_type="company"))

    def test_of_a_connection_with_portals_only_their_events_are_wanted(self) -> None:
        portal = replace(CRM, portal_ids=frozenset({62515}))
        wanted = [letters.is_wanted(portal, event(portal_id=each)) for each in (62515, 1, None)]
        assert wanted == [True, False, False]

    def test_of_a_connection_with_organisations_only_those_may_send(self) -> None:
        listed = replace(CRM, organizations=("one", "zwölf"))
        may = [letters.may_send(listed, event(organization=each)) for each in ("one", "zwölf", "two", "", None)]
        assert may == [True, True, False, False, False]
        assert letters.may_send(CRM, event(organization=None))


class TestEventsOf:
    def test_an_event_without_a_time_happened_when_it_arrived(self) -> None:
        untimed = replace(event(), occurred_at_us=None)
        assert [row["occurred_at"] for row in letters.events_of(CRM, [event(), untimed], 9)] == [5, 9]

    def test_the_value_of_an_unmapped_property_is_sealed_or_not_kept(self) -> None:
        phone = replace(event(), property="phone", value="+49 30 1234")
        seal = Seal(b"pepper")
        (sealed,) = letters.events_of(CRM, [phone], 9, seal)
        (without,) = letters.events_of(CRM, [phone], 9)
        assert seal.open(sealed["value"]) == "+49 30 1234"
        assert "1234" not in sealed["value"]
        assert without["value"] is None

    def test_mapped_properties_and_our_own_are_kept_in_clear(self) -> None:
        fit = replace(event(), property="fit", value="82")
        assert [row["value"] for row in letters.events_of(CRM, [event(), fit], 9, Seal(b"p"))] == ["software", "82"]

    def test_a_text_that_no_database_keeps_fails_its_event_and_says_which(self) -> None:
        bad = replace(event(), object_id="7\x00", into="\ud800")
        rows = letters.events_of(CRM, [bad, event()], 9)
        assert [row["state"] for row in rows] == ["failed", "waiting"]
        assert rows[0]["detail"] == "object_id and into: a NUL or half a surrogate pair, which no database keeps"

    def test_a_truncated_event_waits_to_be_read_from_the_crm(self) -> None:
        assert letters.events_of(CRM, [event(truncated=True)], 9)[0]["state"] == letters.TRUNCATED

    def test_another_kind_of_event_has_another_key(self) -> None:
        assert letters.dedupe_key(event()) == letters.dedupe_key(replace(event(), value="other"))
        assert letters.dedupe_key(event()) != letters.dedupe_key(replace(event(), kind="contact.creation"))


@pytest.mark.both_databases
class TestQueue:
    def test_a_repeated_event_is_stored_once(self, store: Store) -> None:
        assert (put(store, 1, 2), put(store, 2, 3)) == (2, 1)

    def test_the_oldest_wait_first_and_those_of_a_connection_that_is_off_are_left(self, store: Store) -> None:
        put(store, 1, config=replace(CRM, name="off"))
        put(store, 2, 3, 4)
        with store.read() as connection:
            assert [each.connection for each in letters.waiting(connection, 2)] == ["off", "crm"]
            assert [each.id for each in letters.waiting(connection, 2, ["off"])] == [2, 3]
            assert letters.has_waiting(connection, ["crm"])
            assert not letters.has_waiting(connection, ["crm", "off"])

    def test_failed_events_are_listed_and_put_back(self, store: Store) -> None:
        put(store, 1, 2)
        with store.write() as connection:
            letters.mark(connection, 1, letters.FAILED, "industry: is not text")
            assert [row["detail"] for row in letters.failed(connection)] == ["industry: is not text"]
            assert letters.failed(connection, "other") == []
            assert (letters.retry(connection, "other"), letters.retry(connection, "crm")) == (0, 1)
        assert states(store) == ["waiting", "waiting"]

    def test_an_event_fails_once_and_one_of_somebody_erased_stays_erased(self, store: Store) -> None:
        put(store, 1, 2, 3)
        with store.write() as connection:
            connection.execute(update(inbox).where(inbox.c.id == 3).values(state="erased"))
            assert letters.fail(connection, {1: "bad", 2: "bad", 3: "bad"}) == 2
            assert letters.fail(connection, {1: "again"}) == 0
            assert letters.counts(connection) == {"failed": 2, "erased": 1}

    def test_applied_events_up_to_an_id_are_scored_and_later_ones_wait(self, store: Store) -> None:
        put(store, 1, 2, 3)
        with store.write() as connection:
            for number in (1, 2, 3):
                letters.mark(connection, number, letters.APPLIED, entity="lead", entity_id="7" if number != 2 else "8")
            letters.mark_scored(connection, "lead", ["7"], up_to=2, as_of_us=42)
            found = connection.execute(select(inbox.c.state, inbox.c.scored_as_of).order_by(inbox.c.id)).all()
        assert [tuple(row) for row in found] == [("scored", 42), ("applied", None), ("applied", None)]
