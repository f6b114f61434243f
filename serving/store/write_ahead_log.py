"""The size of SQLite's write-ahead log. It is used from the start again only when nobody reads in it: under readers that follow on
one another it grows for ever, past the store itself, unless somebody waits for them."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

BUSY_TIMEOUT_MS = 10_000
"""How long a writer waits for another one; commits take well under a second."""
ANSWER_TIMEOUT_MS = 3_000
"""As `BUSY_TIMEOUT_MS`, of a process that answers requests: HubSpot waits 5 s for the answer to a webhook."""
LIMIT_BYTES = 64 * 1024 * 1024
"""Above it a writer empties the log after its commit. One transaction that is larger is in it as a whole."""
AGAIN_SECONDS = 1.0
"""After a reader did not come to an end in time."""


def empty(connection: sqlite3.Connection, wait_seconds: float = 0.0, turn_ms: int = 50) -> bool:
    """Copy the whole log into the store and cut it to nothing; False when somebody held it all the time.

    It keeps writers out while it waits for readers: no longer than a turn at a time.
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
    """Keeps the log of one store small; to be asked after each commit, which costs a look at a file's size."""

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
        except (OSError, sqlite3.Error):  # what was asked for is committed; the next one tries again
            return
