"""The queue of write-backs: what is queued, in whose place, and what is no news."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from serving.connections.config import ConnectionConfig
from serving.outbox import repository as outbox
from serving.outbox.repository import BACKFILL, BATCH, WEBHOOK, NewScore
from serving.store.connect import Store
from serving.store.tables import writebacks
from serving.vendors.outbound import Write
from tests.kit.writebacks import config, new


def put(store: Store, *scores: NewScore, conf: ConnectionConfig | None = None) -> int:
    with store.write() as connection:
        return outbox.enqueue(connection, [conf or config()], scores, 10)


def due(store: Store) -> list[tuple[Write, int, int]]:
    with store.read() as connection:
        return outbox.due(connection, config(), 10, 100)


class TestEnqueue:
    def test_a_first_score_is_queued_with_texts_as_values(self, store: Store) -> None:
        assert put(store, new()) == 1
        ((write, generation, attempts),) = due(store)
        assert (write.object_type, write.object_id) == ("contact", "1")
        assert write.properties == {"fit": "50", "fit_band": "low"}
        assert (generation, attempts) == (1, 0)

    @pytest.mark.parametrize(("days", "queued"), [(-1, 1), (0, 0), (1, 0)])
    def test_the_same_score_is_news_after_one_for_a_future_moment(self, store: Store, days: int, queued: int) -> None:
        """The CRM shows a moment that has not come; only another write mends that."""
        put(store, new())
        clock_us = new().as_of_us + days * 86_400_000_000
        with store.write() as connection:
            assert outbox.enqueue(connection, [config()], [new()], 10, clock_us=clock_us) == queued

    def test_a_later_score_takes_the_place_of_one_that_waits_and_has_a_key_of_its_own(self, store: Store) -> None:
        put(store, new(score=50))
        first = due(store)[0][0].key
        put(store, new(score=60))
        ((write, generation, _),) = due(store)
        assert write.properties["fit"] == "60"
        assert generation == 2
        assert write.key != first

    def test_what_moved_too_little_is_no_news_and_drift_adds_up(self, store: Store) -> None:
        assert [put(store, new(score=s)) for s in (50, 51, 52, 53, 55, 56)] == [1, 0, 0, 1, 0, 1]

    def test_another_band_is_news_however_small_the_move(self, store: Store) -> None:
        assert put(store, new(score=69, band="low")) == 1
        assert put(store, new(score=70, band="medium")) == 1
        assert put(store, new(score=69, band="low")) == 0  # inside the hysteresis it is still medium
        assert put(store, new(score=66, band="low")) == 1

    def test_without_hysteresis_it_flutters(self, store: Store) -> None:
        flutter = config(hysteresis=0)
        scores = [(70, "medium"), (69, "low"), (70, "medium"), (69, "low")]
        assert [put(store, new(score=s, band=b), conf=flutter) for s, b in scores] == [1, 1, 1, 1]

    def test_a_score_that_is_gone_empties_the_field_once(self, store: Store) -> None:
        assert put(store, new(score=None, band=None)) == 0
        put(store, new())
        assert put(store, new(score=None, band=None)) == 1
        assert due(store)[0][0].properties == {"fit": "", "fit_band": ""}
        assert put(store, new(score=None, band=None)) == 0

    def test_nothing_is_queued_when_off_or_for_an_entity_outside_the_crm(self, store: Store) -> None:
        assert put(store, new(), conf=config("off")) == 0
        assert put(store, new("other_1")) == 0
        assert put(store, new(), conf=config("dry-run")) == 1

    def test_many_at_once(self, store: Store) -> None:
        assert put(store, *(new(f"lead_{n}") for n in range(1500))) == 1500
        assert put(store, *(new(f"lead_{n}") for n in range(1500))) == 0


def put_at(store: Store, priority: int, *numbers: int, at: int = 10, conf: ConnectionConfig | None = None) -> None:
    with store.write() as connection:
        scores = [new(f"lead_{n}", score=50 + at % 50) for n in numbers]
        outbox.enqueue(connection, [conf or config()], scores, at, priority)


def due_ids(store: Store, **more: bool) -> list[str]:
    with store.read() as connection:
        return [write.object_id for write, _, _ in outbox.due(connection, config(), 1000, 100, **more)]  # type: ignore[arg-type]


class TestDue:
    def test_by_priority_and_then_by_age_or_by_age_alone(self, store: Store) -> None:
        put_at(store, BACKFILL, 1, at=10)
        put_at(store, BATCH, 2, at=20)
        put_at(store, BATCH, 3, at=15)
        put_at(store, WEBHOOK, 4, at=30)
        assert due_ids(store) == ["4", "3", "2", "1"]
        assert due_ids(store, oldest_first=True) == ["1", "3", "2", "4"]

    def test_a_replaced_score_passes_its_priority_on(self, store: Store) -> None:
        put_at(store, WEBHOOK, 1, at=10)
        put_at(store, BATCH, 1, 2, at=25)
        with store.read() as connection:
            found = {r.entity_id: r.priority for r in connection.execute(select(writebacks))}
        assert found == {"lead_1": WEBHOOK, "lead_2": BATCH}
        with store.write() as connection:
            for write, generation, _ in outbox.due(connection, config(), 1000, 10):
                outbox.settle(connection, config(), write, generation, state=outbox.SENT)
        put_at(store, BATCH, 1, at=45)  # what was sent nobody waits for any more
        with store.read() as connection:
            assert (
                connection.execute(select(writebacks.c.priority).where(writebacks.c.entity_id == "lead_1")).scalar()
                == BATCH
            )


class TestSettle:
    def test_the_result_of_an_older_write_does_not_settle_a_newer_one(self, store: Store) -> None:
        put(store, new(score=50))
        ((write, generation, _),) = due(store)
        put(store, new(score=60))
        with store.write() as connection:
            outbox.settle(connection, config(), write, generation, state=outbox.SENT)
        assert due(store)[0][0].properties["fit"] == "60"

    def test_dead_letters_are_listed_and_replayed(self, store: Store) -> None:
        put(store, new("lead_1"), new("lead_2"))
        with store.write() as connection:
            for write, generation, _ in outbox.due(connection, config(), 10, 10):
                outbox.settle(connection, config(), write, generation, state=outbox.DEAD, error="OBJECT_NOT_FOUND")
        assert due(store) == []
        with store.write() as connection:
            assert [row["entity_id"] for row in outbox.dead(connection)] == ["lead_1", "lead_2"]
            assert outbox.replay(connection, "crm", 10, ["lead_2"]) == 1
            assert [row["entity_id"] for row in outbox.dead(connection, "crm")] == ["lead_1"]
        assert [write.entity_id for write, _, _ in due(store)] == ["lead_2"]
