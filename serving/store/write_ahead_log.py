"""Bounds the size of SQLite's write-ahead log. SQLite restarts the log only when no reader uses it: overlapping readers
let it grow past the store itself, unless a writer waits for them."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

BUSY_TIMEOUT_MS = 10_000
"""How long a writer waits for another one; commits take well under a second."""
ANSWER_TIMEOUT_MS = 3_000
"""The same for the API process: HubSpot waits 5 s for the answer to a webhook."""
LIMIT_BYTES = 64 * 1024 * 1024
"""A writer empties a larger log after its commit. A single transaction may exceed it."""
AGAIN_SECONDS = 1.0
"""Pause after an attempt that a reader prevented."""


def empty(connection: sqlite3.Connection, wait_seconds: float = 0.0, turn_ms: int = 50) -> bool:
    """Copy the log into the store and truncate it. Returns False when readers held it for all of `wait_seconds`.

    Waiting for readers blocks writers, so it waits `turn_ms` at a time.
    """
    until = time.monotonic() + wait_seconds
    before: int = connection.execute("PRAGMA busy_timeout").fetchone()[0]
    connection.execute(f"PRAGMA busy_timeout = {turn_ms}")
    try:
        while True:
            busy: int = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
            if not busy or time.monotonic() >= until:
                return not busy
            time.sleep(0.05)
    finally:
        connection.execute(f"PRAGMA busy_timeout = {before}")


class Bound:
    """Keeps the log of one store small. Called after each commit; costs one `stat`."""

    def __init__(self, database: str) -> None:
        self._file = Path(f"{database}-wal")
        self._not_before = float("-inf")

    def keep(self, connection: sqlite3.Connection) -> None:
        """Empty the log when it is large. To be called outside of a transaction; raises nothing."""
        try:
            if self._file.stat().st_size <= LIMIT_BYTES or time.monotonic() < self._not_before:
                return
            self._not_before = time.monotonic() + AGAIN_SECONDS
            empty(connection, turn_ms=250)
        except (OSError, sqlite3.Error):  # the commit is done; the next call tries again
            return
