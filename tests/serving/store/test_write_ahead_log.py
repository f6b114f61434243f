"""The write-ahead log stays small under writers and readers that follow on one another, and a reader that stays holds up nobody."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from serving.store import write_ahead_log
from serving.store.connect import Store, Writing, upsert
from serving.store.tables import signals
from serving.store.write_ahead_log import Bound
from tests.kit.store_rows import signal_row

MIB = 1024 * 1024


def rows() -> list[dict[str, object]]:
    """Half a megabyte, new each time: SQLite does not write again what is equal."""
    return [{**signal_row(f"a{n}", 1), "signals": os.urandom(8_000)} for n in range(64)]


@pytest.fixture(autouse=True)
def low_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write_ahead_log, "LIMIT_BYTES", 2 * MIB)
    monkeypatch.setattr(write_ahead_log, "AGAIN_SECONDS", 0.0)


def largest_log(store: Store, rounds: int = 30) -> float:
    """In MiB, while 15 MiB are written over the same rows and two readers are always reading, one in the other's place."""
    log, stop, largest = Path(f"{store.engine.url.database}-wal"), threading.Event(), 0

    def read(shift: float) -> None:
        time.sleep(shift)
        while not stop.is_set():
            with store.read() as connection:
                connection.exec_driver_sql("SELECT count(*) FROM signals").all()
                time.sleep(0.02)

    readers = [threading.Thread(target=read, args=(shift,)) for shift in (0.0, 0.01)]
    for reader in readers:
        reader.start()
    try:
        for _ in range(rounds):
            with store.write() as connection:
                upsert(connection, signals, rows(), unique=("entity", "entity_id"))
            largest = max(largest, log.stat().st_size)
    finally:
        stop.set()
        for reader in readers:
            reader.join()
    return largest / MIB


def test_the_log_is_bounded_under_load(store: Store) -> None:
    assert largest_log(store) < 6


def test_without_the_guard_it_grows(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Bound, "keep", lambda *_: None)
    assert largest_log(store) > 8


def test_a_group_writer_bounds_the_log_too(store: Store) -> None:
    writing = Writing(store)
    for _ in range(12):
        with writing() as connection:
            upsert(connection, signals, rows(), unique=("entity", "entity_id"))
    writing.close()
    assert Path(f"{store.engine.url.database}-wal").stat().st_size < 4 * MIB


def test_a_long_reader_blocks_no_writer(store: Store) -> None:
    with store.read() as reader:
        reader.exec_driver_sql("SELECT count(*) FROM signals").all()
        began = time.monotonic()
        for _ in range(8):
            with store.write() as connection:
                upsert(connection, signals, rows(), unique=("entity", "entity_id"))
        assert time.monotonic() - began < 60  # held up, each of the 8 would wait for BUSY_TIMEOUT_MS
