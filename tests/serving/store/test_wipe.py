"""Deleted rows are overwritten in the files of the database."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

from sqlalchemy import insert

from serving.privacy import repository as privacy
from serving.privacy import service
from serving.store.connect import Store, open_store
from serving.store.tables import signals
from serving.store.wipe import wipe
from tests.kit.databases import NewDatabase
from tests.kit.erased_bytes import holding
from tests.kit.store_rows import signal_row


class TestWipe:
    def fill(self, store: Store, name: str) -> None:
        with store.write() as connection:
            connection.execute(insert(signals), [signal_row(name, 1)])

    def erase(self, store: Store, name: str) -> None:
        with store.write() as connection:
            privacy.erase(connection, "account", name, 1)

    def test_a_reader_is_waited_for_and_then_reported(self, store: Store, tmp_path: Path) -> None:
        self.fill(store, "victim")
        with store.read() as reader:
            reader.exec_driver_sql("SELECT count(*) FROM signals").all()
            self.erase(store, "victim")
            assert "could not be emptied" in wipe(store, 0.1)[0]
            assert holding(tmp_path, "victim")
        assert wipe(store) == []
        assert holding(tmp_path, "victim") == set()

    def test_rows_that_an_older_version_deleted_are_overwritten(self, store: Store, tmp_path: Path) -> None:
        names = [f"victim-{n:04}" for n in range(400)]
        with store.write() as connection:
            connection.execute(insert(signals), [signal_row(name, 1) for name in names])
        store.close()
        old = sqlite3.connect(tmp_path / "store.db")
        old.executescript("PRAGMA user_version = 0; PRAGMA secure_delete = OFF; DELETE FROM signals;")
        old.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        old.close()
        assert holding(tmp_path, "victim-00")
        shutil.copyfile(tmp_path / "store.db", tmp_path / "twin.sqlite")
        twin = sqlite3.connect(tmp_path / "twin.sqlite")  # without VACUUM
        twin.executescript("PRAGMA user_version = 1;")
        twin.close()
        other = open_store(f"sqlite:///{tmp_path}/twin.sqlite")
        assert wipe(other) == []
        other.close()
        assert wipe(store) == []
        assert {name for name in holding(tmp_path, "victim-00")} == {"twin.sqlite"}

    def test_postgres_asks_its_owner_to_vacuum(self, postgres: NewDatabase, tmp_path: Path) -> None:

        store = open_store(postgres())
        self.fill(store, "victim")
        done = service.erase(store, [], "account", "victim", 1, tmp_path)
        store.close()
        assert "VACUUM FULL" in done.left[0]
