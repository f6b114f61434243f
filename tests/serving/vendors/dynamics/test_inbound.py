"""Webhooks of Dataverse: what a RemoteExecutionContext tells, and what it does not when it is too large."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from serving.store.tables import inbox
from serving.vendors.dynamics.inbound import Dynamics
from serving.vendors.inbound import Delivery, Event
from tests.kit.cases import CASES, PUBLIC, Door, open_door
from tests.kit.dataverse import (
    DECEMBER_MS,
    NOBODY,
    ORGANIZATION,
    STEP,
    as_sent,
    changed,
    choice,
    context,
    guid,
    headers,
    money,
    record,
    reference,
)

VENDOR = Dynamics()


LEAD = guid(7)


def parse(content: dict[str, Any]) -> list[Event | None]:
    return VENDOR.parse(Delivery("POST", f"{PUBLIC}/webhooks/crm", headers(content), as_sent(content)))


def told(content: dict[str, Any]) -> list[tuple[str, str | None, str | None]]:
    events = parse(content)
    assert all(event is not None for event in events)
    return [(event.effect, event.property, event.value) for event in events if event]


class TestParse:
    def test_an_update_is_a_change_of_each_attribute_but_the_bookkeeping(self) -> None:
        (event,) = parse(changed(LEAD.upper(), {"industrycode": choice(7)}, seconds=3))
        assert event == Event(
            (guid(1, 3), guid(1, 2), STEP, LEAD, "industrycode"),
            "lead.Update",
            "change",
            "lead",
            LEAD,
            (DECEMBER_MS + 3000) * 1000,
            "industrycode",
            "7",
            organization=ORGANIZATION,
        )

    def test_every_kind_of_value(self) -> None:
        values = {
            "subject": "Zürich/ü",
            "numberofemployees": 82,
            "new_share": 0.25,
            "revenue": money(1500.5),
            "donotemail": True,
            "fax": None,
            "ownerid": reference("systemuser", guid(3)),
            "lastonholdtime": "/Date(1764547200000-0700)/",
        }
        assert told(changed(LEAD, values)) == [
            ("change", "subject", "Zürich/ü"),
            ("change", "numberofemployees", "82"),
            ("change", "new_share", "0.25"),
            ("change", "revenue", "1500.5"),
            ("change", "donotemail", "true"),
            ("change", "fax", None),
            ("change", "ownerid", guid(3)),
            ("change", "lastonholdtime", "2025-12-01T00:00:00Z"),
        ]

    def test_an_attribute_with_several_values_is_skipped(self) -> None:
        assert parse(changed(LEAD, {"new_tags": [choice(1), choice(2)], "new_when": "/Date(9999999999999999)/"})) == [
            None,
            None,
        ]

    def test_a_create_is_the_record_and_its_attributes(self) -> None:
        assert told(changed(LEAD, {"subject": "x"}, message="Create")) == [
            ("create", None, None),
            ("change", "subject", "x"),
        ]
        without_id = context("Create", LEAD, {"Target": record("lead", NOBODY, {"subject": "x"})})
        assert [event.object_id for event in parse(without_id) if event] == [LEAD, LEAD]

    def test_deleted_and_merged(self) -> None:
        (gone,) = parse(context("Delete", LEAD, {"Target": reference("lead", LEAD)}))
        given = {
            "Target": reference("lead", guid(8)),
            "SubordinateId": LEAD,
            "UpdateContent": record("lead", NOBODY, {}),
            "PerformParentingChecks": False,
        }
        (merged,) = parse(context("Merge", guid(8), given))
        assert gone is not None
        assert merged is not None
        assert (gone.effect, gone.object_id) == ("delete", LEAD)
        assert (merged.effect, merged.object_id, merged.into) == ("merge", LEAD, guid(8))

    def test_many_at_once(self) -> None:
        many = {
            "Targets": {
                "Entities": [record("lead", guid(n), {"subject": str(n)}) for n in range(3)],
                "EntityName": "lead",
            }
        }
        events = parse(context("UpdateMultiple", NOBODY, many))
        assert [(event.object_id, event.value) for event in events if event] == [(guid(n), str(n)) for n in range(3)]
        assert len({event.dedupe for event in events if event}) == 3

    def test_a_truncated_message_names_the_record_to_read(self) -> None:
        for message in ("Update", "Create", "Merge"):
            (event,) = parse(context(message, LEAD, None))
            assert event is not None
            assert (event.effect, event.object_id, event.property, event.truncated) == ("change", LEAD, None, True)

    def test_a_truncated_deletion_is_still_a_deletion(self) -> None:
        (event,) = parse(context("Delete", LEAD, None))
        assert event is not None
        assert (event.effect, event.object_id, event.truncated) == ("delete", LEAD, False)

    def test_two_updates_in_one_request_are_both_kept(self) -> None:
        """They have one correlation and no operation; the other attempt of each is the same bytes."""
        first, second = (changed(LEAD, {"subject": s}, OperationId=NOBODY, Mode=0) for s in ("a", "b"))
        keys = [event.dedupe for content in (first, first, second) for event in parse(content) if event]
        assert keys[0] == keys[1] != keys[2]

    @pytest.mark.parametrize("stamp", ["/Date(-62135596800000)/", "2025-12-01", None, 5, "/Date(x)/"])
    def test_an_invalid_time_is_left_to_the_arrival(self, stamp: object) -> None:
        (event,) = parse({**changed(LEAD, {"subject": "x"}), "OperationCreatedOn": stamp})
        assert event is not None
        assert event.occurred_at_us is None

    @pytest.mark.parametrize(
        "content",
        [
            context("Assign", LEAD, {}),
            context("Update", LEAD, {}),
            context("Update", LEAD, {"Target": 5}),
            context("Update", "7", {"Target": record("lead", "7", {"subject": "x"})}),
            context("Delete", "7", {}),
            context("Merge", LEAD, {"Target": reference("lead", LEAD)}),
            context("UpdateMultiple", LEAD, {"Targets": {"Entities": 5}}),
            {**changed(LEAD, {"subject": "x"}), "PrimaryEntityName": "../x"},
            {**context("Update", LEAD, None), "PrimaryEntityId": None},
            context("Update", LEAD, {"Target": {"Id": LEAD, "Attributes": [5, {"key": 5}]}}),
        ],
    )
    def test_an_unusable_event_is_none(self, content: dict[str, Any]) -> None:
        assert parse(content) == [None]

    @pytest.mark.parametrize(
        "content",
        [
            [],
            {},
            {"MessageName": "Update"},
            {"MessageName": 5, "OrganizationId": ORGANIZATION},
            {"MessageName": "Update", "OrganizationId": NOBODY},
        ],
    )
    def test_a_body_of_another_format_is_refused(self, content: object) -> None:
        with pytest.raises(ValueError, match=r"RemoteExecutionContext|OrganizationId"):
            VENDOR.parse(Delivery("POST", PUBLIC, {}, json.dumps(content).encode()))

    def test_endless_nesting_is_refused(self) -> None:
        with pytest.raises(ValueError, match="nested"):
            VENDOR.parse(Delivery("POST", PUBLIC, {}, b'{"a":' * 200_000))


@pytest.fixture
def door(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Door]:
    with open_door(next(case for case in CASES if case.name == "dynamics-code"), tmp_path, monkeypatch) as found:
        yield found


class TestThroughTheApi:
    def post(self, door: Door, content: dict[str, Any]) -> int:
        return door.post(headers(content), as_sent(content))

    def states(self, door: Door) -> list[tuple[str, str | None, str]]:
        with door.store.read() as connection:
            rows = connection.execute(select(inbox.c.object_id, inbox.c.property, inbox.c.state).order_by(inbox.c.id))
            return [(row[0], row[1], row[2]) for row in rows]

    def test_a_truncated_event_is_stored_once_for_reading(self, door: Door) -> None:
        for _ in range(2):
            assert self.post(door, context("Update", LEAD, None)) == 204
        assert self.states(door) == [(LEAD, None, "cut")]

    def test_another_organisation_is_refused(self, door: Door) -> None:
        """A copy of the environment has the key, and is another organisation."""
        assert self.post(door, {**changed(LEAD, {"industrycode": choice(7)}), "OrganizationId": guid(1, 8)}) == 401
        assert self.states(door) == []

    def test_an_organisation_in_capitals_is_the_same(self, door: Door) -> None:
        assert (
            self.post(door, {**changed(LEAD, {"industrycode": choice(7)}), "OrganizationId": ORGANIZATION.upper()})
            == 204
        )
        assert self.states(door) == [(LEAD, "industrycode", "waiting")]
