"""Checks that the store takes writes, by a write that changes nothing: a store that can be read may be locked, full or
read-only."""

from __future__ import annotations

import sqlite3
import threading
import time

from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from serving.errors import StoreAway
from serving.store.connect import Store, open_store
from serving.store.tables import signals

FRESH_SECONDS = 1.0
"""For how long an answer is cached."""
AHEAD_FRESH_SECONDS = 30.0
WAIT_MS = 500
"""Longest wait for a lock. A commit takes a thousandth of it."""
_WRITE = "INSERT INTO generations (name, value) VALUES ('probe', 0) ON CONFLICT (name) DO UPDATE SET value = 0"


class Probe:
    """Uses a connection of its own, because all of the store's may be waiting for a lock. Safe to share between
    threads."""

    def __init__(self, url: str) -> None:
        self._store: Store = open_store(url)
        self._lock = threading.Lock()
        self._asked_at = float("-inf")
        self._answer = self._ahead = False
        self._looked_at = float("-inf")

    def writable(self) -> bool:
        """Whether a write succeeds within `WAIT_MS`. The answer is cached for `FRESH_SECONDS`."""
        with self._lock:
            if time.monotonic() - self._asked_at > FRESH_SECONDS:
                self._answer = self._write()
                self._asked_at = time.monotonic()
            return self._answer

    def ahead(self, latest_us: int) -> bool:
        """Whether any stored signals are for a moment after `latest_us`: then a clock or a batch is wrong. Scans all
        rows, at most every `AHEAD_FRESH_SECONDS`. Raises `StoreAway`."""
        with self._lock:
            if time.monotonic() - self._looked_at > AHEAD_FRESH_SECONDS:
                with self._store.read() as connection:
                    found = connection.execute(
                        select(signals.c.entity).where(signals.c.as_of > latest_us).limit(1)
                    ).first()
                self._ahead, self._looked_at = found is not None, time.monotonic()
            return self._ahead

    def close(self) -> None:
        self._store.close()

    def _write(self) -> bool:
        try:
            if self._store.dialect == "sqlite":
                with self._store.raw() as connection:
                    _write_sqlite(connection)
            else:
                with self._store.write() as connection:
                    connection.execute(text(f"SET LOCAL lock_timeout = {WAIT_MS}"))
                    connection.execute(text(f"SET LOCAL statement_timeout = {2 * WAIT_MS}"))
                    connection.execute(text(_WRITE))
        except (StoreAway, DBAPIError, sqlite3.Error):
            return False
        return True


def _write_sqlite(connection: sqlite3.Connection) -> None:
    before = connection.execute("PRAGMA busy_timeout").fetchone()[0]
    connection.execute(f"PRAGMA busy_timeout = {WAIT_MS}")
    try:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(_WRITE)
        connection.execute("COMMIT")
    except sqlite3.Error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    finally:
        connection.execute(f"PRAGMA busy_timeout = {before}")
