"""Who is no longer in the CRM, looked up by the hashes of ids."""

from __future__ import annotations

from sqlalchemy import insert, select

from features.sources.suppression import hash_of_id
from serving.store.connect import Store
from serving.store.deletions import (
    LATE_US,
    deleted_among,
    forget_scores,
    merged_into,
    parts,
    source_key,
    stored_hash_of_id,
)
from serving.store.tables import decisions, dirty, removals, signals
from tests.kit.store_rows import decision, signal_row


def remove(store: Store, name: str, state: str, into: str | None = None, at: int = 1, source: str = "sample") -> None:
    row = {"source": source, "entity": "account", "id_hash": hash_of_id("account", name), "occurred_at": at}
    with store.write() as connection:
        connection.execute(insert(removals).values(**row, state=state, into=into))


class TestDeletedAmong:
    def test_deleted_and_merged_entities_are_gone_and_one_brought_back_is_not(self, store: Store) -> None:
        for name, state, into in (("d", "deleted", None), ("m", "merged", "x"), ("p", "present", None)):
            remove(store, name, state, into)
        with store.read() as connection:
            assert deleted_among(connection, "account", ["d", "m", "p", "x", "stranger"]) == {"d", "m"}
            assert deleted_among(connection, "lead", ["d", "m"]) == set()

    def test_more_ids_than_one_statement_takes(self, store: Store) -> None:
        remove(store, "a999", "deleted")
        with store.read() as connection:
            assert deleted_among(connection, "account", (f"a{n}" for n in range(1000))) == {"a999"}

    def test_an_id_that_no_database_keeps_is_found_by_what_is_kept_of_it(self) -> None:
        assert stored_hash_of_id("lead", "a\x00b") == hash_of_id("lead", "a\ufffdb")


class TestMergedInto:
    def test_a_merge_counts_from_30_days_before_the_moment(self, store: Store) -> None:
        since = 100 * LATE_US
        for name, into, at in (
            ("a", "in time", since - LATE_US),
            ("b", "too early", since - LATE_US - 1),
            ("c", "later", since + 1),
            ("d", "nobody asked", since),
        ):
            remove(store, name, "merged", into, at)
        asked = dict.fromkeys(("in time", "too early", "later", "never merged"), since)
        with store.read() as connection:
            assert merged_into(connection, "account", asked) == {"in time", "later"}
            assert merged_into(connection, "lead", asked) == set()


class TestForgetScores:
    def test_signals_and_waiting_work_go_and_the_history_stays(self, store: Store) -> None:
        work = {"source": "sample", "entity": "account", "generation": 1, "due_at": 0}
        with store.write() as connection:
            connection.execute(insert(signals), [signal_row("gone", 1), signal_row("stays", 1)])
            connection.execute(insert(dirty), [{**work, "entity_id": name} for name in ("gone", "stays")])
            connection.execute(insert(decisions), [decision("gone")])
            forget_scores(connection, "account", ["gone"])
            for table in (signals, dirty):
                assert connection.execute(select(table.c.entity_id)).scalars().all() == ["stays"]
            assert connection.execute(select(decisions.c.entity_id)).scalars().all() == ["gone"]


class TestSourceKey:
    def test_a_source_is_called_by_the_name_of_its_folder(self) -> None:
        assert [source_key(name) for name in ("sample", "/srv/crm/company", "/srv/crm/company/", "x/../company")] == [
            "sample",
            "company",
            "company",
            "company",
        ]


class TestParts:
    def test_the_last_part_has_what_is_left(self) -> None:
        assert list(parts("abcde", size=2)) == ["ab", "cd", "e"]
        assert list(parts([])) == []
