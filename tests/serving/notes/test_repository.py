"""A note is there once, a later one of its id corrects it, and each change counts up its month."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from sqlalchemy import insert

from features.kit.clock import DAY_US, to_us
from serving.notes import repository
from serving.notes.repository import month_of
from serving.privacy import repository as privacy
from serving.store import version_counters
from serving.store.connect import Store
from serving.store.tables import decisions, signals
from tests.kit.company import at
from tests.kit.notes import note
from tests.kit.store_rows import decision, signal_row

pytestmark = pytest.mark.both_databases
NOVEMBER, DECEMBER = to_us(at("2026-11-20")), to_us(at("2026-12-02"))
CHURNED = note(event_at=NOVEMBER - DAY_US, known_at=NOVEMBER, text="They said so.", key="k")


def put(store: Store, *notes: repository.Note) -> dict[str, repository.State]:
    with store.write() as connection:
        return {id: told.state for id, told in repository.put(connection, notes).items()}


def held(store: Store) -> list[repository.Note]:
    with store.read() as connection:
        return repository.of_entity(connection, "account", "acme")


def counters(store: Store) -> dict[str, int]:
    with store.read() as connection:
        return repository.generations(version_counters.read(connection))


class TestPut:
    def test_the_same_note_twice_is_there_once(self, store: Store) -> None:
        assert list(put(store, CHURNED).values()) == ["new"]
        later = replace(CHURNED, known_at=DECEMBER)
        assert list(put(store, later).values()) == ["known"]
        assert held(store) == [CHURNED]
        assert counters(store) == {"2026-11": 1}

    def test_a_later_one_of_the_same_key_corrects_it_and_is_known_from_then_on(self, store: Store) -> None:
        put(store, CHURNED)
        corrected = replace(CHURNED, event_at=CHURNED.event_at - 5, known_at=DECEMBER)
        assert list(put(store, corrected).values()) == ["corrected"]
        assert held(store) == [corrected]
        assert counters(store) == {"2026-11": 2, "2026-12": 1}, "it moves from one file to another"

    def test_another_text_alone_does_not_change_since_when_it_is_known(self, store: Store) -> None:
        put(store, CHURNED)
        assert list(put(store, replace(CHURNED, known_at=DECEMBER, note="x")).values()) == ["corrected"]
        assert held(store) == [replace(CHURNED, note="x")]

    def test_of_two_in_one_request_the_last_counts(self, store: Store) -> None:
        last = replace(CHURNED, note="last")
        assert put(store, CHURNED, last) == {CHURNED.id: "new"}
        assert held(store) == [last]

    def test_an_erased_entity_takes_no_note(self, store: Store) -> None:
        with store.write() as connection:
            privacy.erase(connection, "account", "acme", NOVEMBER)
        assert put(store, CHURNED, note("beta")) == {CHURNED.id: "erased", note("beta").id: "new"}
        assert held(store) == []

    def test_of_two_writers_at_once_one_is_new_and_the_other_knows_it(self, store: Store) -> None:
        states: list[str] = []
        barrier = threading.Barrier(2)

        def write() -> None:
            barrier.wait()
            states.extend(put(store, CHURNED, note("beta", known_at=DECEMBER)).values())

        threads = [threading.Thread(target=write) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(states) == ["known", "known", "new", "new"]
        assert counters(store) in ({"2026-11": 1, "2026-12": 1}, {"2026-11": 2, "2026-12": 2})


class TestId:
    def test_free_text_and_the_time_of_telling_do_not_make_another_note(self) -> None:
        assert note(text="a").id == note(text="b", known_at=9).id
        others = {
            note().id,
            note(event_at=2).id,
            note(source="csm").id,
            note(kind="action").id,
            note(entity="lead").id,
            note("b").id,
            note(key="k").id,
        }
        assert len(others) == 7

    def test_a_key_is_whole_whatever_it_says(self) -> None:
        assert note(key="k", word="won", event_at=7).id == note(key="k").id


class TestWithdraw:
    def test_it_is_gone_and_may_be_told_again(self, store: Store) -> None:
        put(store, CHURNED)
        with store.write() as connection:
            assert repository.withdraw(connection, "action", "account", "acme", CHURNED.id) is None
            assert repository.withdraw(connection, "outcome", "account", "beta", CHURNED.id) is None
            assert repository.withdraw(connection, "outcome", "account", "acme", CHURNED.id) == CHURNED
            assert repository.withdraw(connection, "outcome", "account", "acme", CHURNED.id) is None
        assert (held(store), counters(store)) == ([], {"2026-11": 2})
        assert list(put(store, CHURNED).values()) == ["new"]


class TestErase:
    def test_only_its_own_go_and_their_months_are_counted_up(self, store: Store) -> None:
        put(store, CHURNED, note("beta", known_at=NOVEMBER))
        with store.write() as connection:
            assert repository.erase(connection, "account", "acme", DECEMBER) == 1
        with store.read() as connection:
            assert len(repository.of_entity(connection, "account", "beta")) == 1
        assert counters(store) == {"2026-11": 2, "2026-12": 1}

    def test_a_note_that_is_written_meanwhile_waits_and_finds_the_mark(self, store: Store) -> None:
        """On Postgres both would else commit: the erasure did not see the note, the note did not see the mark."""
        done: list[str] = []
        with store.write() as connection:
            privacy.erase(connection, "account", "acme", NOVEMBER)
            writer = threading.Thread(target=lambda: done.extend(put(store, CHURNED).values()))
            writer.start()
            writer.join(0.3)
            assert writer.is_alive()
        writer.join()
        assert (done, held(store)) == (["erased"], [])


class TestRetention:
    def test_the_text_goes_and_what_it_tells_stays(self, store: Store) -> None:
        put(store, CHURNED, note("acme", "call", kind="action", known_at=DECEMBER, text="young"))
        with store.write() as connection:
            assert repository.forget_text_before(connection, DECEMBER) == 1
            assert repository.forget_text_before(connection, DECEMBER) == 0
        assert sorted((n.word, n.note) for n in held(store)) == [("call", "young"), ("churned", None)]
        assert counters(store) == {"2026-11": 1, "2026-12": 1}, "no file has the text"


class TestKnownAmong:
    def test_signals_or_a_decision_make_an_entity_known_and_erasure_unknown(self, store: Store) -> None:
        with store.write() as connection:
            connection.execute(insert(signals), [signal_row("signals", 1), signal_row("gone", 1)])
            connection.execute(insert(decisions), [decision("decided")])
            assert repository.known_among(connection, "account", ["signals", "decided", "gone", "nobody"]) == {
                "signals",
                "decided",
                "gone",
            }
            assert repository.known_among(connection, "lead", ["signals", "decided"]) == set()
            privacy.erase(connection, "account", "gone", 1)
            assert repository.known_among(connection, "account", ["gone"]) == set()


def test_months_are_of_utc() -> None:
    assert [month_of(to_us(at(moment))) for moment in ("2026-11-30T23:59:59", "2026-12-01T00:00:00")] == [
        "2026-11",
        "2026-12",
    ]
