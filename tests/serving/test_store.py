"""The store: one suite for every database that it runs on."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest
from sqlalchemy import Connection, event, insert, select, text, update
from sqlalchemy.exc import IntegrityError

from features.kit.errors import UserMistake
from serving.errors import StoreAway
from serving.store.connect import Store, Writing, insert_new, open_store, upsert
from serving.store.group_commit import GroupWriter
from serving.store.migrate import migrate
from serving.store.tables import REVISION, dirty, inbox, metadata, signals
from tests.kit.databases import DATABASES, store_url

pytestmark = pytest.mark.both_databases


def signal_row(entity_id: str, as_of: int) -> dict[str, object]:
    return {
        "entity": "account", "entity_id": entity_id, "as_of": as_of, "eligibility": "eligible", "value": 1.0,
        "signals": b"{}", "origin": "worker",
    }  # fmt: skip


def letter(key: str) -> dict[str, object]:
    return {
        "connection": "main", "dedupe_key": key, "received_at": 2, "occurred_at": 1, "kind": "contact.creation",
        "object_type": "contact", "object_id": "1", "property": None, "value": None, "state": "waiting", "detail": None,
    }  # fmt: skip


class TestDeadlines:
    @pytest.mark.parametrize("database", DATABASES)
    def test_who_waits_for_a_lock_is_told_that_the_store_is_away(
        self, database: str, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("serving.store.connect.BUSY_TIMEOUT_MS", 300)
        request.param = database
        opened = open_store(store_url(request, tmp_path))
        rows = [signal_row("acme", 1)]
        with opened.write() as holding:
            upsert(holding, signals, rows, ["entity", "entity_id"])
            said = "in use by another process|has held what is needed"
            with (
                pytest.raises(StoreAway, match=said),
                opened.write() as waiting,
            ):  # the twin is the test's own time limit
                upsert(waiting, signals, rows, ["entity", "entity_id"])
        with opened.write() as connection:
            upsert(connection, signals, rows, ["entity", "entity_id"])
        opened.close()


class TestMigrate:
    def test_the_newest_migration_is_the_revision_that_the_code_asks_for(self, store: Store) -> None:
        assert store.revision() == REVISION
        store.require_revision()

    def test_migrations_make_exactly_the_tables_of_the_code(self, store: Store) -> None:
        from alembic.autogenerate import compare_metadata
        from alembic.migration import MigrationContext

        def difference() -> list[object]:
            with store.read() as connection:
                found = compare_metadata(MigrationContext.configure(connection), metadata)
            flat = [each for item in found for each in (item if isinstance(item, list) else [item])]
            return [each for each in flat if "comment" not in each[0]]  # they are for readers of the code

        assert difference() == []
        with store.write() as connection:  # the sabotaged twin: a table that nobody migrated
            connection.execute(text("CREATE TABLE stray (id INTEGER)"))
        assert difference()

    def test_repeating_it_changes_nothing(self, store: Store) -> None:
        with store.write() as connection:
            upsert(connection, signals, [signal_row("a", 1)], unique=("entity", "entity_id"))
        assert migrate(store) == REVISION
        with store.read() as connection:
            assert len(connection.execute(select(signals)).all()) == 1

    def test_a_store_that_was_never_set_up_is_told_how(self, tmp_path: Path) -> None:
        fresh = open_store(f"sqlite:///{tmp_path}/fresh.db")
        with pytest.raises(UserMistake, match=r"never set up.*python -m serving migrate"):
            fresh.require_revision()
        fresh.close()

    def test_another_revision_is_refused(self, store: Store) -> None:
        with store.write() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = '0000'"))
        with pytest.raises(UserMistake, match=r"revision 0000.*needs " + REVISION):
            store.require_revision()


class TestOpenStore:
    @pytest.mark.parametrize(
        ("url", "said"), [("mysql://h/x", "sqlite or postgresql"), ("not a url", "no SQLAlchemy URL"), ("sqlite://", "names no file")]
    )  # fmt: skip
    def test_what_is_no_store_is_refused(self, url: str, said: str) -> None:
        with pytest.raises(UserMistake, match=said):
            open_store(url)

    def test_sqlite_survives_power_loss_by_its_settings(self, tmp_path: Path) -> None:
        opened = open_store(f"sqlite:///{tmp_path}/store.db")
        with opened.read() as connection:
            assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"
            assert connection.execute(text("PRAGMA synchronous")).scalar() == 2  # FULL, sqlite.org/pragma.html
        opened.close()

    @pytest.mark.parametrize("kind", ["held", "full", "moved"])
    def test_what_is_wrong_with_it_is_said(self, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """By kind and with the file's name, never as "OperationalError"."""
        monkeypatch.setattr("serving.store.connect.BUSY_TIMEOUT_MS", 50)
        file = tmp_path / "store.db"
        store = open_store(f"sqlite:///{file}")
        migrate(store)
        other = sqlite3.connect(file, isolation_level=None)
        wanted = {
            "held": "has been in use by another process", "full": "the disk is full", "moved": "cannot be written any more",
        }  # fmt: skip
        if kind == "held":
            other.execute("BEGIN IMMEDIATE")

        def fill(connection: Connection) -> None:
            if kind != "held":
                connection.exec_driver_sql(
                    {"full": "PRAGMA max_page_count = 1", "moved": "PRAGMA query_only = ON"}[kind]
                )
            connection.execute(insert(signals), [signal_row(f"a{n}", 1) for n in range(5_000)])

        with pytest.raises(StoreAway, match=wanted[kind]) as told, store.write() as connection:
            fill(connection)
        assert str(file) in str(told.value)
        other.close()
        store.close()

    def test_a_store_that_cannot_be_opened_is_away(self, tmp_path: Path) -> None:
        (tmp_path / "folder").mkdir()
        opened = open_store(f"sqlite:///{tmp_path}/folder")
        with pytest.raises(StoreAway), opened.read():
            pass
        opened.close()


class TestWrite:
    def test_a_block_that_fails_leaves_nothing(self, store: Store) -> None:
        def breaks() -> None:
            with store.write() as connection:
                connection.execute(insert(inbox), [letter("a")])
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            breaks()
        with store.read() as connection:
            assert connection.execute(select(inbox)).all() == []

    def test_writers_at_once_lose_no_update(self, store: Store) -> None:
        with store.write() as connection:
            connection.execute(insert(signals), [signal_row("a", 0)])

        def count() -> None:
            for _ in range(20):
                with store.write() as connection:
                    now = connection.execute(select(signals.c.as_of).with_for_update()).scalar_one()
                    connection.execute(update(signals).values(as_of=now + 1))

        threads = [threading.Thread(target=count) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with store.read() as connection:
            assert connection.execute(select(signals.c.as_of)).scalar() == 80


class TestInsertNew:
    def test_counts_only_what_was_new(self, store: Store) -> None:
        with store.write() as connection:
            assert insert_new(connection, inbox, [letter("a"), letter("b")], ("connection", "dedupe_key")) == 2
            assert insert_new(connection, inbox, [letter("b"), letter("c")], ("connection", "dedupe_key")) == 1
            assert insert_new(connection, inbox, [], ("connection", "dedupe_key")) == 0
            assert insert_new(connection, inbox, [letter("d"), letter("d")], ("connection", "dedupe_key")) == 1

    def test_more_rows_than_one_statement_holds(self, store: Store) -> None:
        with store.write() as connection:
            assert (
                insert_new(connection, inbox, [letter(str(n)) for n in range(1201)], ("connection", "dedupe_key"))
                == 1201
            )


class TestUpsert:
    def test_newer_signals_stay(self, store: Store) -> None:
        with store.write() as connection:
            for as_of in (5, 3, 7, 6):
                upsert(connection, signals, [signal_row("a", as_of)], ("entity", "entity_id"), newest="as_of")
            assert connection.execute(select(signals.c.as_of)).scalar() == 7
            upsert(connection, signals, [signal_row("a", 1)], ("entity", "entity_id"))  # its twin without the guard
            assert connection.execute(select(signals.c.as_of)).scalar() == 1

    def test_counters_are_added_up(self, store: Store) -> None:
        row = {"source": "s", "entity": "lead", "entity_id": "1", "generation": 1, "due_at": 0}
        with store.write() as connection:
            for due in (1, 2, 3):
                upsert(
                    connection, dirty, [{**row, "due_at": due}], ("source", "entity", "entity_id"), add=("generation",)
                )
            assert connection.execute(select(dirty.c.generation, dirty.c.due_at)).all() == [(3, 3)]


class TestGroupWriter:
    def test_a_future_is_done_after_its_commit(self, store: Store) -> None:
        writer = GroupWriter(store)
        try:
            assert (
                writer.submit(lambda c: insert_new(c, inbox, [letter("a")], ("connection", "dedupe_key"))).result(10)
                == 1
            )
            with store.read() as connection:
                assert len(connection.execute(select(inbox)).all()) == 1
        finally:
            writer.close()

    def test_one_bad_job_does_not_fail_its_neighbours(self, store: Store) -> None:
        writer = GroupWriter(store)
        gate = threading.Event()
        writer.submit(lambda _c: gate.wait(10))  # the jobs below end in one transaction
        good = [
            writer.submit(lambda c, n=n: insert_new(c, inbox, [letter(f"k{n}")], ("connection", "dedupe_key")))
            for n in range(3)
        ]
        bad = writer.submit(lambda _c: 1 / 0)
        good.append(writer.submit(lambda c: insert_new(c, inbox, [letter("last")], ("connection", "dedupe_key"))))
        gate.set()
        try:
            assert [future.result(10) for future in good] == [1, 1, 1, 1]
            with pytest.raises(ZeroDivisionError):
                bad.result(10)
        finally:
            writer.close()

    def test_goes_on_after_a_transaction_that_failed(self, store: Store) -> None:
        writer = GroupWriter(store)
        try:
            for key in ("a", "b"):
                row = letter(key)
                writer.submit(lambda c, row=row: c.execute(insert(inbox), [row])).result(10)
                with pytest.raises(IntegrityError):  # the same key again, by a statement that does not look
                    writer.submit(lambda c, row=row: c.execute(insert(inbox), [row])).result(10)
        finally:
            writer.close()
        with store.read() as connection:
            assert len(connection.execute(select(inbox)).all()) == 2

    def test_sqlite_keeps_its_connection_until_a_transaction_fails(self, store: Store) -> None:
        taken: list[object] = []
        event.listen(store.engine, "checkout", lambda *args: taken.append(args))
        writing = Writing(store)
        for _ in range(3):
            with writing() as connection:
                connection.execute(text("SELECT 1"))
        with pytest.raises(ZeroDivisionError), writing():
            raise ZeroDivisionError
        with writing() as connection:
            connection.execute(text("SELECT 1"))
        writing.close()
        assert len(taken) == (2 if store.dialect == "sqlite" else 5)
        assert store.engine.pool.checkedout() == 0  # type: ignore[attr-defined]

    def test_closing_commits_what_was_submitted_and_refuses_what_comes_later(self, store: Store) -> None:
        writer = GroupWriter(store)
        futures = [
            writer.submit(lambda c, n=n: insert_new(c, inbox, [letter(f"k{n}")], ("connection", "dedupe_key")))
            for n in range(600)
        ]
        writer.close()
        assert sum(future.result(0) for future in futures) == 600
        with pytest.raises(StoreAway):
            writer.submit(lambda _c: None).result(10)
