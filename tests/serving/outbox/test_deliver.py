"""Delivering write-backs: what a CRM may answer, and what comes of it."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest
from sqlalchemy import delete, select, update

from serving.inbox.truncated import read_truncated
from serving.outbox import deliver
from serving.outbox import repository as outbox
from serving.outbox.deliver import Delivered, Deliverer, pause_after
from serving.store.connect import Store
from serving.store.tables import ledger, writebacks
from serving.vendors.outbound import Outbound
from serving.vendors.registry import VENDORS as REGISTERED
from tests.kit.fake_crm import FakeCrm
from tests.kit.outbound_case import OutboundCase
from tests.kit.writebacks import EVERY, VENDORS, connection_to, put, rows


@pytest.fixture(params=EVERY, ids=[vendor.name for vendor in EVERY])
def vendor(request: pytest.FixtureRequest) -> OutboundCase:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def crm(vendor: OutboundCase) -> Iterator[FakeCrm]:
    with vendor.fake() as fake:
        yield fake


_senders: list[Outbound] = []


def delivery(store: Store, vendor: OutboundCase, crm: FakeCrm, **more: object) -> Deliverer:
    conf = connection_to(vendor, crm, **more)
    _senders.append(vendor.sender(conf.writeback))
    return Deliverer(store, conf, _senders[-1], read_truncated)


@pytest.fixture(autouse=True)
def close_senders() -> Iterator[None]:
    yield
    while _senders:
        _senders.pop().close()


def make_due(store: Store) -> None:
    """As if the pause were over."""
    with store.write() as connection:
        connection.execute(update(writebacks).values(due_at=10))


class TestEveryVendor:
    def test_a_hundred_to_a_call_and_no_value_is_left_behind(
        self, store: Store, vendor: OutboundCase, crm: FakeCrm
    ) -> None:
        put(store, vendor, *range(250))
        assert delivery(store, vendor, crm).once(threading.Event()) == Delivered(sent=250)
        assert crm.calls_at_once == ([100, 100, 50] if vendor.batch == 100 else [200, 50])
        assert crm.values[vendor.identity(7)] == vendor.written(50, "low")
        assert {row["state"] for row in rows(store, vendor).values()} == {"sent"}

    def test_a_score_that_is_gone_empties_the_fields(self, store: Store, vendor: OutboundCase, crm: FakeCrm) -> None:
        put(store, vendor, 1)
        delivery(store, vendor, crm).once(threading.Event())
        put(store, vendor, 1, score=None)
        assert delivery(store, vendor, crm).once(threading.Event()) == Delivered(sent=1)
        nothing = None if vendor.sender.strict_types else ""
        assert crm.values[vendor.identity(1)] == vendor.written(*[nothing] * 2)

    def test_what_was_sent_is_not_sent_again(self, store: Store, vendor: OutboundCase, crm: FakeCrm) -> None:
        put(store, vendor, 1)
        for _ in range(3):
            delivery(store, vendor, crm).once(threading.Event())
        assert len(crm.writes) == 1

    def test_an_answer_is_read_row_by_row(self, store: Store, vendor: OutboundCase, crm: FakeCrm) -> None:
        crm.unknown = {vendor.identity(2)}
        put(store, vendor, 1, 2, 3)
        assert delivery(store, vendor, crm).once(threading.Event()) == Delivered(sent=2, dead=1)
        assert rows(store, vendor)[2]["state"] == "dead"
        assert rows(store, vendor)[2]["error"] == vendor.gone

    def test_one_bad_row_of_a_400_does_not_hold_back_the_others(
        self, store: Store, vendor: OutboundCase, crm: FakeCrm
    ) -> None:
        crm.invalid = {vendor.identity(2)}
        put(store, vendor, 1, 2, 3)
        assert delivery(store, vendor, crm).once(threading.Event()) == Delivered(sent=2, dead=1)
        assert rows(store, vendor)[2]["error"] == "HTTP 400"
        assert set(crm.values) == {vendor.identity(1), vendor.identity(3)}

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
    def test_each_failure_is_retried_after_its_pause(
        self, store: Store, vendor: OutboundCase, crm: FakeCrm, bad: object, least_s: int, attempts: int
    ) -> None:
        crm.misbehave = lambda call: bad if call == 1 else None  # type: ignore[return-value]
        put(store, vendor, 1)
        first = delivery(store, vendor, crm)
        assert first.round() == Delivered(again=1)
        row = rows(store, vendor)[1]
        assert (row["state"], row["attempts"]) == ("waiting", attempts)
        pause = (int(str(row["due_at"])) - deliver.system_us()) / 1e6  # type: ignore[attr-defined]
        assert least_s - 5 < pause < least_s + 5
        assert first.round() == Delivered()  # the connection rests
        make_due(store)
        assert delivery(store, vendor, crm).once(threading.Event()) == Delivered(sent=1)

    def test_a_write_whose_answer_was_lost_is_sent_again_with_the_same_key_and_value(
        self, store: Store, vendor: OutboundCase, crm: FakeCrm
    ) -> None:
        crm.misbehave = lambda call: "lose" if call == 1 else None
        put(store, vendor, 1)
        delivery(store, vendor, crm).round()
        make_due(store)
        delivery(store, vendor, crm).round()
        assert len(crm.writes) == 2
        assert crm.writes[0] == crm.writes[1]

    def test_after_the_last_attempt_it_is_dead_and_can_be_replayed(
        self, store: Store, vendor: OutboundCase, crm: FakeCrm
    ) -> None:
        crm.misbehave = lambda call: "drop" if call <= deliver.MAX_ATTEMPTS else None
        put(store, vendor, 1)
        for _ in range(deliver.MAX_ATTEMPTS):
            assert rows(store, vendor)[1]["state"] == "waiting"
            make_due(store)
            delivery(store, vendor, crm).round()
        assert rows(store, vendor)[1]["state"] == "dead"
        with store.write() as connection:
            assert outbox.replay(connection, "crm", 10) == 1
        assert delivery(store, vendor, crm).once(threading.Event()) == Delivered(sent=1)

    def test_the_ledger_is_written_before_the_call(self, store: Store, vendor: OutboundCase, crm: FakeCrm) -> None:
        seen: list[int] = []

        def look(_call: int) -> None:
            with store.read() as connection:
                seen.append(len(connection.execute(select(ledger)).all()))

        crm.misbehave = look  # type: ignore[assignment]
        put(store, vendor, 1)
        delivery(store, vendor, crm).round()
        assert seen == [2]

    def test_a_newer_score_during_the_call_is_sent_after_it(
        self, store: Store, vendor: OutboundCase, crm: FakeCrm
    ) -> None:
        fit = vendor.properties["score"]
        crm.on_write = lambda wire, _changed: (
            put(store, vendor, 1, score=80) if str(wire.properties[fit]) == "50" else None
        )
        put(store, vendor, 1)
        delivery(store, vendor, crm).once(threading.Event())
        assert [str(wire.properties[fit]) for wire in crm.writes] == ["50", "80"]
        assert rows(store, vendor)[1]["state"] == "sent"


def test_every_vendor_that_is_written_to_by_properties_is_in_the_suite() -> None:
    # The signed callback has a suite of its own in `vendors/standard_webhooks/test_outbound.py`: one record a call, and no properties.
    written = {name for name, vendor in REGISTERED.items() if vendor.outbound and vendor.outbound.writes_properties}
    assert {vendor.name for vendor in EVERY} == written


def test_pauses_grow_and_cover_a_day() -> None:
    pauses = [pause_after(n) for n in range(1, deliver.MAX_ATTEMPTS)]
    assert pauses[0] >= 1
    assert all(later + 1 >= earlier for earlier, later in itertools.pairwise(pauses))
    assert 24 * 3600 < sum(pauses) < 36 * 3600
    assert pause_after(1, 500.0) == 500.0


class TestPace:
    """On a clock of the test: it stands still but for what is slept."""

    @pytest.fixture
    def clock(self, monkeypatch: pytest.MonkeyPatch) -> list[float]:
        slept = [100.0]

        def sleep(seconds: float) -> None:
            slept[0] += seconds

        class Time:
            monotonic = staticmethod(lambda: slept[0])

        Time.sleep = staticmethod(sleep)  # type: ignore[attr-defined]
        monkeypatch.setattr(deliver, "time", Time)
        return slept

    def calls(self, store: Store, clock: list[float], rate: float) -> list[float]:
        """When each of five calls of one connection was made."""
        vendor, made = VENDORS[0], []
        with vendor.fake() as crm:
            crm.misbehave = lambda _call: made.append(clock[0])
            with store.write() as connection:
                connection.execute(delete(writebacks))
            put(store, vendor, *range(5 * vendor.batch))
            back = replace(connection_to(vendor, crm).writeback, requests_per_second=rate)
            sender = vendor.sender(back)
            delivering = Deliverer(store, replace(connection_to(vendor, crm), writeback=back), sender, read_truncated)
            delivering.once(threading.Event())
            sender.close()
        return [moment - made[0] for moment in made]

    def test_calls_of_a_connection_are_apart(self, store: Store, clock: list[float]) -> None:
        assert self.calls(store, clock, 4.0) == pytest.approx([0, 0.25, 0.5, 0.75, 1.0])
        # Another connection has a pace of its own: its first call waits for nobody.
        began = clock[0]
        assert self.calls(store, clock, 2.0) == pytest.approx([0, 0.5, 1.0, 1.5, 2.0])
        assert clock[0] - began == pytest.approx(2.0)

    def test_the_sabotaged_twin_makes_them_all_at_once(
        self, store: Store, clock: list[float], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(Deliverer, "_keep_pace", lambda _self: None)
        assert self.calls(store, clock, 4.0) == [0, 0, 0, 0, 0]
