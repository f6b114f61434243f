"""Webhooks v2 of Pipedrive: who may send, what a delivery tells, and what no two deliveries tell twice."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from serving.inbox.sealed import PREFIX
from serving.store.tables import inbox
from serving.vendors import basic_auth
from serving.vendors.inbound import Delivery, Event
from serving.vendors.pipedrive.inbound import Pipedrive
from tests.kit.cases import CASES, Door, open_door
from tests.kit.pipedrive import COMPANY, LEAD, as_sent, event

VENDOR = Pipedrive()


CASE = next(case for case in CASES if case.vendor == "pipedrive")


SECRET = CASE.secret


URI = "https://scores.example.com/webhooks/crm"


HASH = "bdd479c3cfdb9c50bae4fa4929ae944980da55d7"


PERSON = {
    "add_time": "2022-11-24T13:18:55Z",
    "custom_fields": {},
    "emails": [],
    "id": 8,
    "name": "Ann",
    "org_id": 1,
    "update_time": "2022-11-24T15:18:35Z",
}


def parse(content: Any) -> list[Event | None]:
    return VENDOR.parse(Delivery("POST", URI, {}, as_sent(content)))


def told(content: Any) -> list[tuple[str, str, str | None, str | None] | None]:
    return [each and (each.effect, each.object_id, each.property, each.value) for each in parse(content)]  # type: ignore[misc]


def verify(*values: str, secrets: tuple[str, ...] = (SECRET,)) -> bool:
    headers = {"authorization": values[0]} if len(values) == 1 else {}
    return VENDOR.verify(Delivery("POST", URI, headers, b""), secrets, 0)


def login(text: bytes) -> str:
    return "Basic " + base64.b64encode(text).decode()


class TestParse:
    def test_a_change_is_what_changed(self) -> None:
        before = {"first_name": "Sample", "name": "Al", "update_time": "2022-11-24T13:18:55Z"}
        assert told(event("change", "person", "8", {**PERSON, "first_name": "Ann"}, before)) == [
            ("change", "8", "first_name", "Ann"),
            ("change", "8", "name", "Ann"),
        ]

    def test_a_new_record_is_told_whole_but_for_what_has_several_values(self) -> None:
        found = told(event("create", "person", "8", {**PERSON, "custom_fields": {HASH: {"type": "enum", "id": 17}}}))
        assert found == [
            ("create", "8", None, None),
            ("change", "8", "add_time", "2022-11-24T13:18:55Z"),
            None,
            ("change", "8", "name", "Ann"),
            ("change", "8", "org_id", "1"),
            ("change", "8", HASH, "17"),
        ]

    @pytest.mark.parametrize(
        ("held", "text"),
        [
            ({"type": "double", "value": 978}, "978"),
            ({"type": "varchar", "value": "x"}, "x"),
            ({"type": "enum", "id": 17}, "17"),
            ({"type": "monetary", "value": 200, "currency": "EUR"}, "200"),
            ({"type": "date", "value": "2023-06-27"}, "2023-06-27"),
            ({"type": "address", "value": "Tallinn", "country": "Estonia"}, "Tallinn"),
            (None, None),
            ({"value": None}, None),
            ({"amount": 300, "currency": "EUR"}, "300"),
            (True, "true"),
            (0.1, "0.1"),
            (2**70, str(2**70)),
            ("", ""),
        ],
    )
    def test_values(self, held: Any, text: str | None) -> None:
        content = event("change", "organization", "1", {"custom_fields": {HASH: held}}, {"custom_fields": {HASH: 1}})
        assert told(content) == [("change", "1", HASH, text)]
        assert told(event("change", "lead", LEAD, {"value": held}, {"value": 1})) == [("change", LEAD, "value", text)]

    @pytest.mark.parametrize(
        "held",
        [
            [],
            [1],
            {},
            {"values": [{"id": 13}]},
            {"type": "timerange", "from": "a", "until": "b"},
            {"value": {"a": 1}},
            {"value": []},
        ],
    )
    def test_a_field_with_several_values_is_skipped(self, held: Any) -> None:
        assert told(event("change", "lead", LEAD, {"value": held}, {"value": 1})) == [None]

    def test_a_custom_field_that_was_emptied_is_left_out_and_an_unknown_one_is_not_guessed(self) -> None:
        previous = {"custom_fields": {HASH: {"type": "double", "value": 9}}, "elsewhere": 1}
        assert told(event("change", "lead", LEAD, {"custom_fields": {}}, previous)) == [("change", LEAD, HASH, None)]
        assert told(event("change", "lead", LEAD, {"title": "x"}, None)) == [("change", LEAD, "title", "x")]
        assert told(event("change", "lead", LEAD, None, {"title": "x"})) == [None]

    def test_a_deletion(self) -> None:
        assert told(event("delete", "lead", LEAD, None, {"title": "x"})) == [("delete", LEAD, None, None)]

    def test_a_merge_is_known_from_either_of_its_two_webhooks(self) -> None:
        gone = parse(event("delete", "person", "9", None, PERSON, merged_to_id="8"))
        kept = parse(
            event(
                "change",
                "person",
                "8",
                {"name": "Ann"},
                {"name": "A"},
                merged_from_id="9",
                id="b",
                timestamp="2025-12-01T00:00:01Z",
            )
        )
        merges = [each for each in (*gone, *kept) if each is not None and each.effect == "merge"]
        assert [(each.object_id, each.into) for each in merges] == [("9", "8"), ("9", "8")]
        assert len({(each.kind, each.dedupe) for each in merges}) == 1
        assert [(each.object_id, each.property) for each in kept if each is not None and each.effect == "change"] == [
            ("8", "name")
        ]

    @pytest.mark.parametrize("into", ["9", "", "x", ["8"], -1, 5.0, {"id": 8}, "8\0", "8 "])
    def test_a_merge_into_nothing_is_a_deletion(self, into: Any) -> None:
        assert told(event("delete", "person", "9", None, merged_to_id=into)) == [("delete", "9", None, None)]

    def test_attempts_are_one_event_and_two_events_are_two(self) -> None:
        def keys(**meta: Any) -> list[Any]:
            return [
                each and each.dedupe
                for each in parse(event("change", "lead", LEAD, {"a": 1, "b": 2}, {"a": 0, "b": 0}, **meta))
            ]

        first = keys()
        assert len(set(first)) == 2
        for same in ({"attempt": 4}, {"webhook_id": "5"}, {"correlation_id": None}, {"is_bulk_edit": True}):
            assert keys(**same) == first
        for other in ({"id": "x"}, {"timestamp": "2025-12-01T00:00:01Z"}, {"company_id": "2"}, {"entity_id": "5"}):
            assert not set(keys(**other)) & set(first)

    def test_events_of_a_user_are_told_apart_by_correlation(self) -> None:
        def key(**meta: Any) -> Any:
            return parse(
                event(
                    "change",
                    "user",
                    "16943176",
                    {"lang": "en"},
                    {"lang": "et"},
                    **{"id": "16943176", "timestamp": 1669304389, **meta},
                )
            )[0].dedupe  # type: ignore[union-attr]

        assert key() == key(attempt=2)
        assert key() != key(correlation_id="another")
        assert key(id=None, correlation_id=None) == key(id=None, correlation_id=None, attempt=3)

    @pytest.mark.parametrize(
        ("stamp", "us"),
        [
            ("2025-12-01T00:00:00.250Z", 1_764_547_200_250_000),
            (1_764_547_200, 1_764_547_200_000_000),
            ("1764547200", 1_764_547_200_000_000),
            (1_764_547_200_250, 1_764_547_200_250_000),
            (0, 0),
            (None, None),
            (True, None),
            (-1, None),
            ("1e999", None),
            ("9" * 90, None),
            (10**90, None),
            ("-5", None),
            ("soon", None),
            ([], None),
            ("1900-01-01T00:00:00Z", None),
            ("99999-01-01", None),
            (1.5, None),
            ("\0", None),
        ],
    )
    def test_when_it_happened(self, stamp: Any, us: int | None) -> None:
        (found,) = parse(event("delete", "lead", LEAD, None, timestamp=stamp))
        assert found is not None
        assert found.occurred_at_us == us

    @pytest.mark.parametrize(
        "meta",
        [
            {"action": "merge"},
            {"action": ["change"]},
            {"action": None},
            {"entity": "planet"},
            {"entity": ["lead"]},
            {"entity": None},
            {"entity_id": "x"},
            {"entity_id": "1\0"},
            {"entity_id": "9" * 21},
            {"entity_id": 10**30},
            {"entity_id": -1},
            {"entity_id": 1.0},
            {"entity_id": True},
            {"entity_id": None},
            {"entity_id": "../7"},
            {"entity_id": "\u0667"},
        ],
    )
    def test_an_unusable_event_is_none(self, meta: dict[str, Any]) -> None:
        assert parse({**event("change", "lead", LEAD, {"a": 1}, {"a": 2}, **meta)}) == [None]

    @pytest.mark.parametrize(
        ("content", "why"),
        [
            ([], "no meta"),
            ({}, "no meta"),
            ({"meta": 5}, "no meta"),
            ({"meta": {"v": 1, "object": "deal"}}, "version 2.0"),
            (event("change", "lead", LEAD, {}, version="1.0"), "version 2.0"),
            (event("change", "lead", LEAD, {}, company_id=None), "company_id"),
            (event("change", "lead", LEAD, {}, company_id="7 "), "company_id"),
            (event("change", "lead", LEAD, {}, company_id=LEAD), "company_id"),
            (event("change", "lead", LEAD, {}, company_id=[7]), "company_id"),
        ],
    )
    def test_a_webhook_of_another_version_is_refused(self, content: Any, why: str) -> None:
        with pytest.raises(ValueError, match=why):
            parse(content)


class TestThroughTheDoor:
    @pytest.fixture
    def door(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Door]:
        with open_door(CASE, tmp_path, monkeypatch) as found:
            yield found

    def rows(self, door: Door) -> list[tuple[str, str | None, str | None, str]]:
        with door.store.read() as connection:
            columns = (inbox.c.object_id, inbox.c.property, inbox.c.value, inbox.c.state)
            return [(*row,) for row in connection.execute(select(*columns).order_by(inbox.c.id))]

    def send(self, door: Door, content: Any, **headers: str) -> int:
        body = as_sent(content)
        return door.post({**door.headers(body), **headers}, body)

    def test_what_nobody_mapped_is_sealed(self, door: Door) -> None:
        content = event(
            "create",
            "lead",
            LEAD,
            {"title": "cto", "phone": "+49 30 1234", "custom_fields": {HASH: {"value": "secret note"}}},
        )
        assert self.send(door, content) == 204
        found = {name: value for _, name, value, _ in self.rows(door)}
        assert found.pop("title") == "cto"
        assert found.pop(None) is None  # type: ignore[arg-type]
        assert set(found) == {"phone", HASH}
        assert all(value and value.startswith(PREFIX) for value in found.values())

    def test_four_attempts_are_stored_once_and_so_is_a_merge(self, door: Door) -> None:
        for attempt in (1, 2, 3, 4):
            assert (
                self.send(door, event("change", "lead", LEAD, {"title": "a"}, {"title": "b"}, attempt=attempt)) == 204
            )
        assert len(self.rows(door)) == 1
        assert self.send(door, event("change", "lead", LEAD, {}, {}, merged_from_id="7")) == 204
        assert self.send(door, event("delete", "lead", "7", None, merged_to_id=LEAD, id="z")) == 204
        assert len(self.rows(door)) == 2

    def test_another_company_is_refused_and_says_how_to_log_in(self, door: Door) -> None:
        assert self.send(door, event("delete", "lead", LEAD, None, company_id=COMPANY + "0")) == 401
        assert self.rows(door) == []
        answer = door.loop.run(door.client.post(door.path, content=b"{}"))
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Basic ")

    def test_two_logins_are_refused(self, door: Door) -> None:
        right = door.headers()["authorization"].encode()
        for two in ([right, right], [right, b"Basic eDp5"], [b"Basic eDp5", right]):
            headers = [(b"authorization", value) for value in two]
            answer = door.loop.run(door.client.post(door.path, content=CASE.body, headers=headers))
            assert answer.status_code == 401
        assert self.rows(door) == []

    def test_a_text_that_no_database_keeps_fails_alone(self, door: Door) -> None:
        data = {"title": "a\0b", "a\0": "x", "half": "\ud800"}
        body = as_sent(event("create", "lead", LEAD, data)).replace(b"\xed\xa0\x80", b"\\ud800")
        assert door.post(door.headers(body), body) == 204
        states = {name: state for _, name, _, state in self.rows(door)}
        assert states[None] == "waiting"  # type: ignore[index]
        assert states["title"] == "failed"
        assert len(states) == 4

    def test_absurd_numbers_are_no_error_of_ours(self, door: Door) -> None:
        body = as_sent(event("change", "lead", LEAD, {"title": 1, "x": 2}, {"title": 0, "x": 0}))
        for number in (b"1e999", b"-1e999", b"9" * 5000, b"1e-999", b"-0", b"0.1e1"):
            changed = body.replace(b'"title": 1', b'"title": ' + number).replace(
                b'"attempt": 1', b'"attempt": ' + number
            )
            assert door.post(door.headers(changed), changed) == 204
        assert len(self.rows(door)) == 2  # the same event each time
        for bad in (b"NaN", b"01", b"--1"):
            changed = body.replace(b'"title": 1', b'"title": ' + bad)
            assert door.post(door.headers(changed), changed) == 400

    def test_a_large_bulk_is_quick(self, door: Door) -> None:
        data = {f"f{n}": n for n in range(3000)}
        body = as_sent(event("create", "lead", LEAD, data))
        began = time.perf_counter()
        assert door.post(door.headers(body), body) == 204
        assert time.perf_counter() - began < 10  # Pipedrive waits so long
        assert len(self.rows(door)) == 3001


class TestWithoutTheGuard:
    """The sabotaged twins: the suite's hostile requests get in, and one event is two."""

    def test_without_the_comparison_anybody_is_in(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(basic_auth.hmac, "compare_digest", lambda *_: True)  # type: ignore[attr-defined]
        assert verify(login(b"other:" + b"k" * 36))

    def test_with_the_attempt_in_it_one_event_is_two(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from serving.vendors.pipedrive import inbound

        monkeypatch.setattr(inbound, "_identity", lambda meta, _body: str(meta["attempt"]))
        one, two = (parse(event("delete", "lead", LEAD, None, attempt=n))[0] for n in (1, 2))
        assert one is not None
        assert two is not None
        assert one.dedupe != two.dedupe
