"""Delivering write-backs: what a CRM may answer, and what comes of it."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select, update

from serving.connections import ConnectionConfig
from serving.store.connect import Store, open_store
from serving.store.migrate import migrate
from serving.store.tables import ledger, writebacks
from serving.writeback import deliver, queue
from serving.writeback.deliver import Delivered, Delivery, pause_after
from serving.writeback.http import retry_after
from serving.writeback.hubspot import HubSpot
from tests.serving.fake_hubspot import FakeHubSpot, fake_hubspot
from tests.serving.test_writeback_queue import config, new


@pytest.fixture
def crm() -> Iterator[FakeHubSpot]:
    with fake_hubspot() as fake:
        yield fake


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(f"sqlite:///{tmp_path}/store.db")
    migrate(opened)
    yield opened
    opened.close()


def connection_to(crm: FakeHubSpot, **more: object) -> ConnectionConfig:
    conf = config(requests_per_second=1000.0)
    return replace(conf, writeback=replace(conf.writeback, url=crm.url, token="t" * 20, **more))  # type: ignore[arg-type]


_senders: list[HubSpot] = []


def delivery(store: Store, crm: FakeHubSpot) -> Delivery:
    conf = connection_to(crm)
    _senders.append(HubSpot(conf.writeback))
    return Delivery(store, conf, _senders[-1])


@pytest.fixture(autouse=True)
def close_senders() -> Iterator[None]:
    yield
    while _senders:
        _senders.pop().close()


def put(store: Store, *ids: str, score: int = 50) -> None:
    with store.write() as connection:
        queue.enqueue(connection, [config()], [new(i, score) for i in ids], 10)


def rows(store: Store) -> dict[str, dict[str, object]]:
    with store.read() as connection:
        return {row["entity_id"]: dict(row) for row in connection.execute(select(writebacks)).mappings()}


def make_due(store: Store) -> None:
    """As if the pause were over."""
    with store.write() as connection:
        connection.execute(update(writebacks).values(due_at=10))


class TestHubSpot:
    def test_a_hundred_to_a_call_and_no_value_is_left_behind(self, store: Store, crm: FakeHubSpot) -> None:
        put(store, *(f"lead_{n}" for n in range(250)))
        assert delivery(store, crm).once(threading.Event()) == Delivered(sent=250)
        assert crm.calls_at_once == [100, 100, 50]
        assert crm.values["7"] == {"fit": "50", "fit_band": "low"}
        assert {row["state"] for row in rows(store).values()} == {"sent"}

    def test_what_was_sent_is_not_sent_again(self, store: Store, crm: FakeHubSpot) -> None:
        put(store, "lead_1")
        for _ in range(3):
            delivery(store, crm).once(threading.Event())
        assert len(crm.writes) == 1

    def test_a_207_is_read_row_by_row(self, store: Store, crm: FakeHubSpot) -> None:
        crm.unknown = {"2"}
        put(store, "lead_1", "lead_2", "lead_3")
        assert delivery(store, crm).once(threading.Event()) == Delivered(sent=2, dead=1)
        assert rows(store)["lead_2"]["state"] == "dead"
        assert rows(store)["lead_2"]["error"] == "OBJECT_NOT_FOUND"

    def test_one_bad_row_of_a_400_does_not_hold_back_the_others(self, store: Store, crm: FakeHubSpot) -> None:
        crm.invalid = {"2"}
        put(store, "lead_1", "lead_2", "lead_3")
        assert delivery(store, crm).once(threading.Event()) == Delivered(sent=2, dead=1)
        assert rows(store)["lead_2"]["error"] == "HTTP 400"
        assert set(crm.values) == {"1", "3"}

    @pytest.mark.parametrize(
        ("bad", "least_s", "attempts"),
        [
            ((429, {"retry-after": "7"}, b"{}"), 7, 0),
            ((429, {}, b'{"policyName": "TEN_SECONDLY_ROLLING"}'), 1, 0),
            ((423, {}, b"{}"), 2, 1),
            ((503, {"retry-after": "120"}, b"{}"), 120, 1),
            ((500, {}, b"<html>"), 1, 1),
            ((200, {}, b"<html>"), 1, 1),
            ((200, {}, b'{"results": 5}'), 1, 1),
            ((401, {}, b"{}"), 60, 0),
            ("drop", 1, 1),
        ],
    )
    def test_what_is_tried_again_and_when(
        self, store: Store, crm: FakeHubSpot, bad: object, least_s: int, attempts: int
    ) -> None:
        crm.misbehave = lambda call: bad if call == 1 else None  # type: ignore[return-value]
        put(store, "lead_1")
        first = delivery(store, crm)
        assert first.round() == Delivered(again=1)
        row = rows(store)["lead_1"]
        assert (row["state"], row["attempts"]) == ("waiting", attempts)
        pause = (int(str(row["due_at"])) - deliver.system_us()) / 1e6
        assert least_s - 5 < pause < least_s + 5
        assert first.round() == Delivered()  # the connection rests
        make_due(store)
        assert delivery(store, crm).once(threading.Event()) == Delivered(sent=1)

    def test_a_write_whose_answer_was_lost_is_sent_again_with_the_same_key_and_value(
        self, store: Store, crm: FakeHubSpot
    ) -> None:
        crm.misbehave = lambda call: "lose" if call == 1 else None
        put(store, "lead_1")
        delivery(store, crm).round()
        make_due(store)
        delivery(store, crm).round()
        assert len(crm.writes) == 2
        assert crm.writes[0] == crm.writes[1]

    def test_after_the_last_attempt_it_is_dead_and_can_be_replayed(self, store: Store, crm: FakeHubSpot) -> None:
        crm.misbehave = lambda call: "drop" if call <= deliver.MAX_ATTEMPTS else None
        put(store, "lead_1")
        for _ in range(deliver.MAX_ATTEMPTS):
            assert rows(store)["lead_1"]["state"] == "waiting"
            make_due(store)
            delivery(store, crm).round()
        assert rows(store)["lead_1"]["state"] == "dead"
        with store.write() as connection:
            assert queue.replay(connection, "crm", 10) == 1
        assert delivery(store, crm).once(threading.Event()) == Delivered(sent=1)

    def test_the_ledger_has_it_before_the_call(self, store: Store, crm: FakeHubSpot) -> None:
        seen: list[int] = []

        def look(_call: int) -> None:
            with store.read() as connection:
                seen.append(len(connection.execute(select(ledger)).all()))

        crm.misbehave = look  # type: ignore[assignment]
        put(store, "lead_1")
        delivery(store, crm).round()
        assert seen == [2]

    def test_a_newer_score_during_the_call_is_sent_after_it(self, store: Store, crm: FakeHubSpot) -> None:
        crm.on_write = lambda wire, _changed: put(store, "lead_1", score=80) if wire.properties["fit"] == "50" else None
        put(store, "lead_1")
        delivery(store, crm).once(threading.Event())
        assert [wire.properties["fit"] for wire in crm.writes] == ["50", "80"]
        assert rows(store)["lead_1"]["state"] == "sent"


def test_pauses_grow_and_cover_a_day() -> None:
    pauses = [pause_after(n) for n in range(1, deliver.MAX_ATTEMPTS)]
    assert pauses[0] >= 1
    assert all(later + 1 >= earlier for earlier, later in itertools.pairwise(pauses))
    assert 24 * 3600 < sum(pauses) < 36 * 3600
    assert pause_after(1, 500.0) == 500.0


def test_a_retry_after_that_nobody_would_wait_for_is_cut() -> None:
    assert retry_after("999999999") == 6 * 3600


@pytest.mark.parametrize("properties", [{}, {"properties": {"fit": 5}}])
def test_the_fake_can_say_no(crm: FakeHubSpot, properties: dict[str, object]) -> None:
    body = json.dumps({"inputs": [{"id": "1", **properties}]}).encode()
    answer = crm.answer("/crm/v3/objects/contacts/batch/update", body, "Bearer x")
    assert answer is not None
    assert answer[0] == 400
