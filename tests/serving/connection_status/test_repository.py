"""Depths, newest events and dead letters of one connection among several, on both databases, each by an index."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Connection, event, insert, text

from serving.connection_status import repository
from serving.connection_status.repository import Depth, Letters
from serving.store.connect import Store
from serving.store.tables import dirty, inbox, writebacks
from tests.kit.queued import put_dirty, put_event, put_write
from tests.kit.store_rows import letter

pytestmark = pytest.mark.both_databases


def asked(store: Store, query: Callable[..., Any], *given: Any) -> Any:
    with store.read() as connection:
        return query(connection, *given)


class TestInbox:
    def test_what_waits_by_connection_and_since_when(self, store: Store) -> None:
        for state, at in (("scored", 1), ("waiting", 5), ("waiting", 7), ("cut", 3), ("applied", 2), ("failed", 4)):
            put_event(store, "crm", state, at)
        put_event(store, "other", "waiting", 6)
        assert asked(store, repository.inbox_depths) == {"crm": Depth(3, 3), "other": Depth(1, 6)}

    def test_the_newest_event_whatever_became_of_it(self, store: Store) -> None:
        for name, state, at in (("crm", "waiting", 5), ("crm", "scored", 9), ("other", "waiting", 20)):
            put_event(store, name, state, at)
        assert asked(store, repository.last_received, "crm") == 9
        assert asked(store, repository.last_received, "silent") is None

    def test_failed_ones_and_why_the_newest_did(self, store: Store) -> None:
        put_event(store, "crm", "failed", 5, "no such object")
        put_event(store, "crm", "failed", 8, "value: a NUL")
        put_event(store, "crm", "waiting", 9)
        assert asked(store, repository.failed_events) == {"crm": Letters(2, 8, "value: a NUL")}

    def test_it_counts_up_to_a_limit(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(repository, "MOST_COUNTED", 3)
        for at in range(1, 6):
            put_event(store, "crm", "waiting", at)
            put_event(store, "crm", "failed", at, f"why {at}")
            put_write(store, "crm", "waiting", at)
        assert asked(store, repository.inbox_depths)["crm"] == Depth(3, 1)
        assert asked(store, repository.failed_events)["crm"] == Letters(3, 5, "why 5")
        assert asked(store, repository.outbox_depth, "crm") == Depth(3, 1)


class TestOutbox:
    def test_what_waits_and_since_when(self, store: Store) -> None:
        put_write(store, "crm", "waiting", 7)
        put_write(store, "crm", "waiting", 5)
        put_write(store, "crm", "sent", 1, sent_at=1)
        put_write(store, "other", "waiting", 2)
        assert asked(store, repository.outbox_depth, "crm") == Depth(2, 5)
        assert asked(store, repository.outbox_depth, "silent") == Depth(0, None)

    def test_the_newest_write_also_of_a_record_that_waits_again(self, store: Store) -> None:
        put_write(store, "crm", "sent", 1, sent_at=4)
        put_write(store, "crm", "waiting", 9, sent_at=6)
        put_write(store, "other", "sent", 1, sent_at=9)
        assert asked(store, repository.last_sent, "crm") == 6
        assert asked(store, repository.last_sent, "silent") is None

    def test_dead_letters_and_why_the_newest_is_one(self, store: Store) -> None:
        put_write(store, "crm", "dead", 3, error="HTTP 400")
        put_write(store, "crm", "dead", 8, error="HTTP 404")
        put_write(store, "crm", "waiting", 9, error="HTTP 503")
        assert asked(store, repository.dead_scores, "crm") == Letters(2, 8, "HTTP 404")
        assert asked(store, repository.dead_scores, "silent") == Letters(0)


class TestEntities:
    def test_those_to_score_and_those_set_aside(self, store: Store) -> None:
        put_dirty(store, "sample")
        put_dirty(store, "sample", "it cannot be scored: ValueError")
        put_dirty(store, "else", "it cannot be scored: KeyError")
        assert asked(store, repository.to_score, "sample") == 1
        assert asked(store, repository.set_aside, "sample") == Letters(1, None, "it cannot be scored: ValueError")
        assert asked(store, repository.set_aside, "silent") == Letters(0)


class TestIndexes:
    ROWS = 3_000
    """Of each table: with few rows Postgres reads the table, which is quicker then."""
    NEEDED = ("inbox_of_connection", "inbox_by_state", "writebacks_by_sent", "dirty_set_aside")
    """On SQLite, which plans by rules; Postgres plans by the rows that there are."""

    def test_no_query_reads_a_whole_table(self, store: Store) -> None:
        fill(store, self.ROWS)
        plans = plans_of(store)
        assert len(plans) >= 8
        assert [plan for plan in plans if reads_all(plan)] == []
        if store.dialect == "sqlite":
            assert [name for name in self.NEEDED if not any(name in plan for plan in plans)] == []

    def test_without_its_index_a_table_is_read(self, store: Store) -> None:
        """The sabotaged twin, on SQLite: Postgres finds a way by another index."""
        if store.dialect != "sqlite":
            return
        fill(store, self.ROWS)
        with store.write() as connection:
            connection.execute(text("DROP INDEX inbox_by_state"))
        assert [plan for plan in plans_of(store) if reads_all(plan)]


def fill(store: Store, rows: int) -> None:
    """All of another connection, but for a few; most of them done."""
    for at in range(1, 4):
        put_event(store, "silent", "scored", at)
        put_write(store, "silent", "sent", at, sent_at=at)
    with store.write() as connection:
        many = [{**letter(f"m{n}"), "connection": "other", "state": "scored"} for n in range(rows)]
        connection.execute(insert(inbox), many)
        write = {"model": "lead-fit", "entity": "lead", "object_type": "contact", "object_id": "1", "content": b"{}"}
        more = {"connection": "other", "generation": 1, "state": "sent", "attempts": 1, "queued_at": 1, "due_at": 1}
        connection.execute(
            insert(writebacks), [{**write, **more, "entity_id": f"l{n}", "sent_at": n} for n in range(rows)]
        )
        changed = {"source": "else", "entity": "lead", "generation": 1, "due_at": 1}
        connection.execute(insert(dirty), [{**changed, "entity_id": f"l{n}"} for n in range(rows)])
    put_event(store, "crm", "waiting", 1)
    put_event(store, "crm", "failed", 1, "why")
    put_write(store, "crm", "waiting", 1)
    put_write(store, "crm", "dead", 1, error="HTTP 400")
    if store.dialect == "postgresql":
        with store.write() as connection:
            connection.execute(text("ANALYZE"))


def plans_of(store: Store) -> list[str]:
    """The plan of every query of the room, as the database says it."""
    said: list[tuple[str, Any]] = []

    def heard(_connection: Connection, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if not statement.startswith("EXPLAIN"):
            said.append((statement, parameters))

    event.listen(store.engine, "before_cursor_execute", heard)
    try:
        with store.read() as connection:
            for query in (repository.inbox_depths, repository.failed_events):
                query(connection)
            for name, queries in {
                "silent": (repository.last_received, repository.last_sent),
                "crm": (repository.outbox_depth, repository.dead_scores, repository.to_score, repository.set_aside),
            }.items():
                for each in queries:
                    each(connection, name)  # type: ignore[operator]
    finally:
        event.remove(store.engine, "before_cursor_execute", heard)
    explain = "EXPLAIN QUERY PLAN " if store.dialect == "sqlite" else "EXPLAIN "
    with store.read() as connection:
        return [
            "\n".join(str(row) for row in connection.exec_driver_sql(explain + statement, parameters))
            for statement, parameters in said
            if statement.startswith("SELECT")
        ]


def reads_all(plan: str) -> bool:
    """Whether a table is read from end to end, in its own order or in that of its key."""
    tables = ("inbox", "writebacks", "dirty")
    by_key = "Index Cond" not in plan and any(f"{table}_pkey on" in plan for table in tables)
    return by_key or "Seq Scan" in plan or any(f"SCAN {table}'" in plan for table in tables)
