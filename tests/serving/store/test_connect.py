"""The store on each database: locks, transactions, inserts and upserts."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest
from sqlalchemy import Connection, insert, select, text, update

from features.kit.errors import UserMistake
from serving.errors import StoreAway
from serving.store.connect import Store, insert_new, open_store, upsert
from serving.store.migrate import migrate
from serving.store.tables import dirty, inbox, signals
from tests.kit.databases import DATABASES, store_url
from tests.kit.store_rows import letter, signal_row

pytestmark = pytest.mark.both_databases


class TestDeadlines:
    @pytest.mark.parametrize("database", DATABASES)
    def test_waiting_for_a_lock_ends_with_store_away(
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


class TestOpenStore:
    @pytest.mark.parametrize(
        ("url", "said"),
        [
            ("mysql://h/x", "sqlite or postgresql"),
            ("not a url", "not a SQLAlchemy URL"),
            ("sqlite://", "names no file"),
        ],
    )
    def test_an_invalid_url_is_refused(self, url: str, said: str) -> None:
        with pytest.raises(UserMistake, match=said):
            open_store(url)

    def test_sqlite_survives_power_loss_by_its_settings(self, tmp_path: Path) -> None:
        opened = open_store(f"sqlite:///{tmp_path}/store.db")
        with opened.read() as connection:
            assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"
            assert connection.execute(text("PRAGMA synchronous")).scalar() == 2  # FULL, sqlite.org/pragma.html
        opened.close()

    @pytest.mark.parametrize("kind", ["held", "full", "moved"])
    def test_a_locked_full_or_read_only_file_is_named_with_the_reason(
        self, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """By kind and with the file's name, never as "OperationalError"."""
        monkeypatch.setattr("serving.store.connect.BUSY_TIMEOUT_MS", 50)
        file = tmp_path / "store.db"
        store = open_store(f"sqlite:///{file}")
        migrate(store)
        other = sqlite3.connect(file, isolation_level=None)
        wanted = {
            "held": "has been in use by another process",
            "full": "the disk is full",
            "moved": "cannot be written any more",
        }
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
