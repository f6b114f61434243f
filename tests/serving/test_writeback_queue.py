"""The queue of write-backs: what is queued, in whose place, and what is no news."""

from __future__ import annotations

import pytest

from serving.connections.config import ConnectionConfig, Mapped
from serving.outbox import echo_ledger
from serving.outbox import repository as outbox
from serving.outbox.repository import NewScore
from serving.store.connect import Store
from serving.vendors.destination import Target, WriteBack
from serving.vendors.outbound import Write


def config(mode: str = "on", **more: object) -> ConnectionConfig:
    back = WriteBack(mode, {"lead-fit": Target("contact", {"score": "fit", "band": "fit_band"})}, **more)  # type: ignore[arg-type]
    objects = {"contact": Mapped("leads", "lead_{id}", {}, {})}
    return ConnectionConfig("crm", "hubspot", "https://x.example", "sample", None, objects, writeback=back)


def new(entity_id: str = "lead_1", score: int | None = 50, band: str | None = "low") -> NewScore:
    return NewScore("lead-fit", entity_id, 1_700_000_000_000_000, 3, score, band, 0.5, ["Because.", "And so."])


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
    def test_beside_a_score_for_a_moment_after_the_clock_the_same_number_is_news(
        self, store: Store, days: int, queued: int
    ) -> None:
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

    def test_off_queues_nothing_and_who_is_not_in_the_crm_is_passed_over(self, store: Store) -> None:
        assert put(store, new(), conf=config("off")) == 0
        assert put(store, new("other_1")) == 0
        assert put(store, new(), conf=config("dry-run")) == 1

    def test_many_at_once(self, store: Store) -> None:
        assert put(store, *(new(f"lead_{n}") for n in range(1500))) == 1500
        assert put(store, *(new(f"lead_{n}") for n in range(1500))) == 0


class TestSettle:
    def test_a_newer_score_is_not_marked_by_what_became_of_the_older(self, store: Store) -> None:
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


class TestLedger:
    def test_our_own_value_is_an_echo_and_anothers_is_not(self, store: Store) -> None:
        put(store, new())
        mine, theirs = ("contact", "1", "fit", "50"), ("contact", "1", "fit", "51")
        with store.write() as connection:
            assert echo_ledger.echoes(connection, "crm", [mine]) == set()
            echo_ledger.record(
                connection, "crm", [write for write, _, _ in outbox.due(connection, config(), 10, 10)], 10
            )
            assert echo_ledger.echoes(connection, "crm", [mine, theirs]) == {mine}
            assert echo_ledger.echoes(connection, "another", [mine]) == set()
            echo_ledger.forget_old(connection, 10 + echo_ledger.KEPT_US + 1)
            assert echo_ledger.echoes(connection, "crm", [mine]) == set()
