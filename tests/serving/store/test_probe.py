"""Whether the store takes a write now, asked by a write."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, insert, text

from serving.store import probe as module
from serving.store.connect import open_store
from serving.store.probe import Probe
from serving.store.tables import signals
from tests.kit.databases import NewDatabase
from tests.kit.store_rows import signal_row
from tests.kit.stores import new_file, new_store


@pytest.fixture
def probe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Probe]:
    monkeypatch.setattr(module, "WAIT_MS", 20)
    monkeypatch.setattr(module, "FRESH_SECONDS", -1.0)  # each answer is asked for anew
    monkeypatch.setattr(module, "AHEAD_FRESH_SECONDS", -1.0)
    made = Probe(new_file(tmp_path))
    yield made
    made.close()


@pytest.fixture
def other(tmp_path: Path, probe: Probe) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(tmp_path / "store.db", isolation_level=None)
    yield connection
    connection.close()


class TestWritable:
    def test_a_lock_of_another_process_says_no_until_it_is_released(
        self, probe: Probe, other: sqlite3.Connection
    ) -> None:
        assert probe.writable()
        other.execute("BEGIN IMMEDIATE")
        assert not probe.writable()
        other.execute("ROLLBACK")
        assert probe.writable()

    def test_an_answer_is_given_again_while_it_is_fresh(
        self, probe: Probe, other: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert probe.writable()
        monkeypatch.setattr(module, "FRESH_SECONDS", 1e9)
        other.execute("BEGIN IMMEDIATE")
        assert probe.writable()

    def test_a_store_without_tables_takes_no_write(self, tmp_path: Path) -> None:
        fresh = Probe(f"sqlite:///{tmp_path}/fresh.db")
        assert not fresh.writable()
        fresh.close()

    def test_the_connection_waits_for_locks_afterwards_as_it_did_before(self, other: sqlite3.Connection) -> None:
        other.execute("PRAGMA busy_timeout = 1234")
        module._write_sqlite(other)
        assert other.execute("PRAGMA busy_timeout").fetchone() == (1234,)


class TestAhead:
    def test_signals_of_a_moment_after_the_latest_are_ahead(self, probe: Probe, tmp_path: Path) -> None:
        assert not probe.ahead(0)
        store = new_store(tmp_path)
        with store.write() as connection:
            connection.execute(insert(signals), [signal_row("acme", 10)])
        store.close()
        assert probe.ahead(9)
        assert not probe.ahead(10)


class TestPostgres:
    def test_a_read_only_database_says_no(self, postgres: NewDatabase) -> None:
        url = postgres()
        probe = Probe(url)
        assert probe.writable() is True
        admin = create_engine(url.replace("postgresql:", "postgresql+psycopg:"), isolation_level="AUTOCOMMIT")
        with admin.connect() as connection:
            connection.execute(text(f"ALTER DATABASE {admin.url.database} SET default_transaction_read_only = on"))
        probe._store.engine.dispose()
        probe._asked_at = float("-inf")
        assert probe.writable() is False
        probe.close()
        admin.dispose()

    def test_a_locked_table_says_no_until_it_is_released(self, postgres: NewDatabase) -> None:
        url = postgres()
        probe, store = Probe(url), open_store(url)
        with store.write() as connection:
            connection.execute(text("LOCK TABLE generations IN EXCLUSIVE MODE"))
            assert probe.writable() is False
        probe._asked_at = float("-inf")
        assert probe.writable() is True
        probe.close()
        store.close()
