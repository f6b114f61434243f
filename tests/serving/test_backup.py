"""Backup and restore, from and into either database."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import insert, select

from features.errors import UserMistake
from serving.keys import repository as keys
from serving.keys import service
from serving.store import generation
from serving.store.backup import backup, restore
from serving.store.connect import Store, insert_new, open_store
from serving.store.migrate import migrate
from serving.store.tables import inbox, metadata, signals
from tests.serving.conftest import DATABASES, store_url
from tests.serving.test_store import letter, signal_row


@pytest.fixture(params=DATABASES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    (tmp_path / "first").mkdir()
    opened = open_store(store_url(request, tmp_path / "first"))
    migrate(opened)
    yield opened
    opened.close()


@pytest.fixture(params=DATABASES)
def other(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    (tmp_path / "second").mkdir()
    opened = open_store(store_url(request, tmp_path / "second"))
    migrate(opened)
    yield opened
    opened.close()


def fill(store: Store, count: int = 2500) -> None:
    with store.write() as connection:
        connection.execute(insert(signals), [signal_row("acme", 7)])
        insert_new(connection, inbox, [letter(f"k{n}") for n in range(count)], ("connection", "dedupe_key"))
        service.create(connection, b"pepper", "crm", ["score"], 1)


def content(store: Store) -> dict[str, list[tuple[object, ...]]]:
    with store.read() as connection:
        return {
            table.name: sorted((tuple(row) for row in connection.execute(select(table))), key=repr)
            for table in metadata.sorted_tables
            if table.name != "generations"
        }


def test_what_is_restored_is_what_was_there(store: Store, other: Store, tmp_path: Path) -> None:
    fill(store)
    file = tmp_path / "backup.db"
    assert backup(store, file) == file.stat().st_size > 0
    assert list(tmp_path.glob(".backup*")) == []
    counted = restore(other, file)
    assert counted["inbox"] == 2500
    assert content(other) == content(store)
    with other.write() as connection:  # and keys go on being counted up
        assert insert_new(connection, inbox, [letter("new")], ("connection", "dedupe_key")) == 1


def test_running_processes_are_told(store: Store, tmp_path: Path) -> None:
    fill(store, 1)
    with store.read() as connection:
        before = generation.read(connection)
    backup(store, tmp_path / "b.db")
    with store.write() as connection:
        keys.revoke(connection, keys.all_of(connection)[0].id, 2)
    restore(store, tmp_path / "b.db", overwrite=True)
    with store.read() as connection:
        assert keys.all_of(connection)[0].revoked_at is None
        assert generation.read(connection)["keys"] > before["keys"] + 1


def test_rows_that_are_there_are_not_overwritten_unasked(store: Store, tmp_path: Path) -> None:
    fill(store, 3)
    backup(store, tmp_path / "b.db")
    with store.write() as connection:
        insert_new(connection, inbox, [letter("later")], ("connection", "dedupe_key"))
    before = content(store)
    with pytest.raises(UserMistake, match="--overwrite"):
        restore(store, tmp_path / "b.db")
    assert content(store) == before
    restore(store, tmp_path / "b.db", overwrite=True)
    assert len(content(store)["inbox"]) == 3


def test_it_is_one_moment_while_others_write(store: Store, tmp_path: Path) -> None:
    """Pairs of rows are written in one transaction each; no backup has half a pair."""
    stop = threading.Event()

    def write() -> None:
        n = 0
        while not stop.is_set():
            with store.write() as connection:
                insert_new(connection, inbox, [letter(f"a{n}")], ("connection", "dedupe_key"))
                insert_new(connection, signals, [signal_row(f"a{n}", 1)], ("entity", "entity_id"))
            n += 1

    thread = threading.Thread(target=write)
    thread.start()
    try:
        for n in range(3):
            backup(store, tmp_path / f"{n}.db")
    finally:
        stop.set()
        thread.join()
    for n in range(3):
        found = sqlite3.connect(tmp_path / f"{n}.db")
        counts = [found.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in ("inbox", "signals")]
        found.close()
        assert counts[0] == counts[1]


def test_what_is_no_backup_is_refused(store: Store, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no database" * 1000)
    sqlite3.connect(tmp_path / "empty.db").close()
    for name in ("text", "empty.db"):
        with pytest.raises(UserMistake, match="no backup"):
            restore(store, tmp_path / name)
    with pytest.raises(UserMistake, match="no file"):
        restore(store, tmp_path / "absent")
    fill(store, 1)
    backup(store, tmp_path / "b.db")
    with pytest.raises(UserMistake, match="there already"):
        backup(store, tmp_path / "b.db")
