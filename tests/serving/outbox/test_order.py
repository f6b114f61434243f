"""What a person waits for goes first, and one bad record of a batch costs few calls (issue 13)."""

from __future__ import annotations

import threading

import pytest

from features.kit.clock import make_clock
from serving.champion import Champions
from serving.connections.config import ConnectionConfig
from serving.inbox.truncated import read_truncated
from serving.outbox import deliver
from serving.outbox import repository as outbox
from serving.outbox.deliver import Delivered, Deliverer, Deliverers
from serving.outbox.repository import BACKFILL, BATCH, WEBHOOK
from serving.store.connect import Store
from serving.store.tables import writebacks
from serving.worker.loop import Worker
from tests.kit.fake_hubspot import fake_hubspot
from tests.kit.hubspot_leads import connected, tell
from tests.kit.outbound_case import OutboundCase
from tests.kit.running import AS_OF, Home, quick_home, wait_for
from tests.kit.writebacks import VENDORS, config, connection_to, new


def put(store: Store, priority: int, *numbers: int, at: int = 10, conf: ConnectionConfig | None = None) -> None:
    with store.write() as connection:
        scores = [new(f"lead_{n}", score=50 + at % 50) for n in numbers]
        outbox.enqueue(connection, [conf or config()], scores, at, priority)


def test_a_stream_of_urgent_writes_starves_nobody(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    vendor = VENDORS[0]
    with vendor.fake() as crm:
        conf = connection_to(vendor, crm)
        put(store, BACKFILL, 1, at=10, conf=conf)
        sender = vendor.sender(conf.writeback)
        sender.batch = 1
        delivering, rounds = Deliverer(store, conf, sender, read_truncated), 0
        while "1" not in crm.values and rounds < 30:
            rounds += 1
            put(store, WEBHOOK, 100 + rounds, at=20, conf=conf)
            put(store, WEBHOOK, 200 + rounds, at=20, conf=conf)
            delivering.round()
        assert rounds == deliver.OLDEST_EVERY
        # The sabotaged twin: by priority alone it waits for ever.
        monkeypatch.setattr(deliver, "OLDEST_EVERY", 10**9)
        put(store, BACKFILL, 2, at=10, conf=conf)
        for number in range(30):
            put(store, WEBHOOK, 300 + number, 400 + number, at=20, conf=conf)
            delivering.round()
        assert "2" not in crm.values
        sender.close()


class TestHalving:
    """A batch that the CRM refuses as a whole, of every vendor."""

    @pytest.mark.parametrize("vendor", VENDORS, ids=[vendor.name for vendor in VENDORS])
    def test_one_bad_row_of_a_full_batch_costs_twice_its_logarithm(self, store: Store, vendor: OutboundCase) -> None:
        with vendor.fake() as crm:
            conf = connection_to(vendor, crm)
            crm.invalid = {vendor.identity(37)}
            with store.write() as connection:
                scores = [new(vendor.entity(n)) for n in range(vendor.batch)]
                outbox.enqueue(connection, [conf], scores, 10, BATCH)
            sender = vendor.sender(conf.writeback)
            done = Deliverer(store, conf, sender, read_truncated).once(threading.Event())
            sender.close()
            assert done == Delivered(sent=vendor.batch - 1, dead=1)
            # The whole, and two halves on each level: 1 + 2 * 7 of 100 and 1 + 2 * 8 of 200. One by one it was 1 + 100.
            assert crm.calls <= (15 if vendor.batch == 100 else 17)
            assert len(crm.values) == vendor.batch - 1

    def test_a_batch_of_bad_rows_ends_too(self, store: Store) -> None:
        with fake_hubspot() as crm:
            conf = connection_to(VENDORS[0], crm)
            crm.invalid = {str(n) for n in range(20)}
            put(store, BATCH, *range(20), conf=conf)
            sender = VENDORS[0].sender(conf.writeback)
            assert Deliverer(store, conf, sender, read_truncated).once(threading.Event()) == Delivered(dead=20)
            sender.close()
            assert crm.calls == 2 * 20 - 1  # a binary tree of 20 leaves

    def test_between_two_halves_urgent_ones_go_first_and_no_older_score_overtakes(self, store: Store) -> None:
        with fake_hubspot() as crm:
            conf = connection_to(VENDORS[0], crm)
            crm.invalid = {"3"}
            put(store, BATCH, *range(64), conf=conf)

            def meanwhile(call: int) -> None:
                if call == 2:
                    put(store, WEBHOOK, 500, 63, at=45, conf=conf)  # 63 waits in a half, with an older score

            crm.misbehave = meanwhile  # type: ignore[assignment]
            sender = VENDORS[0].sender(conf.writeback)
            assert Deliverer(store, conf, sender, read_truncated).once(threading.Event()) == Delivered(sent=64, dead=1)
            sender.close()
            order = [wire.object_id for wire in crm.writes]
            assert order.index("500") < order.index("0")
            assert [w.properties["fit"] for w in crm.writes if w.object_id == "63"] == ["95"]

    def test_a_value_that_cannot_be_sent_is_given_up_alone(self, store: Store) -> None:
        """What is stored of one cannot be read, another is not JSON: neither holds up the others."""
        with fake_hubspot() as crm:
            conf = connection_to(VENDORS[0], crm)
            put(store, BATCH, *range(8), conf=conf)
            with store.write() as connection:
                connection.execute(writebacks.update().where(writebacks.c.entity_id == "lead_2").values(content=b"{no"))
                bad = b'{"score": "\\ud800", "band": "low"}'.replace(b"\\ud800", b"ok")
                connection.execute(writebacks.update().where(writebacks.c.entity_id == "lead_5").values(content=b"[1]"))
                connection.execute(writebacks.update().where(writebacks.c.entity_id == "lead_6").values(content=bad))
            sender = VENDORS[0].sender(conf.writeback)
            assert Deliverer(store, conf, sender, read_truncated).once(threading.Event()) == Delivered(sent=6, dead=2)
            sender.close()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return quick_home(tmp_path_factory.mktemp("home"), models=("lead-fit",))


@pytest.fixture
def champions(home: Home) -> Champions:
    made = Champions(home.path)
    made.refresh()
    return made


@pytest.mark.parametrize("guarded", [True, False])
def test_a_webhooks_score_is_back_while_the_nightly_queue_is_full(
    guarded: bool, store: Store, home: Home, champions: Champions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """600 nightly writes, one to a call, at 10 a second are a minute. The sabotaged twin sends by age alone."""
    if not guarded:
        monkeypatch.setattr(deliver, "OLDEST_EVERY", 1)
    monkeypatch.setattr("serving.vendors.hubspot.outbound.HubSpot.batch", 1)
    with fake_hubspot() as crm:
        conf = connected(home, crm)
        put(store, BATCH, *range(1000, 1600), conf=conf)
        worker = Worker(store, {"crm": conf}, champions, make_clock(AS_OF))
        deliverers = Deliverers(store, {"crm": conf}, read_truncated)
        deliverers.start()
        try:
            wait_for(lambda: crm.calls >= 2)
            tell(store, conf, "77")
            worker.once()
            before = crm.calls
            wait_for(lambda: "77" in crm.values or crm.calls >= before + 12, 60)
            # Counted in calls of the CRM's pace, so that a slow machine fails nothing: at most two calls wait before it.
            assert ("77" in crm.values) is guarded
        finally:
            deliverers.close()
