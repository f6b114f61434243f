"""Removes the bytes of deleted rows from the store's files: the second half of an erasure.

SQLite overwrites what is deleted (`secure_delete`, on every connection), but older versions of its pages stay in the write-ahead
log until that is emptied. Postgres keeps deleted rows in its files until the table is rewritten: that is for its owner to do.
"""

from __future__ import annotations

import sqlite3

from serving.store.connect import Store
from serving.store.write_ahead_log import empty

WAIT_SECONDS = 5.0
"""Longest wait for readers: a backup or a long query holds the log."""
SINCE_EVER = 1
"""`user_version` of a file in which nothing was ever deleted without being overwritten."""


def wipe(store: Store, wait_seconds: float = WAIT_SECONDS) -> list[str]:
    """Empty the write-ahead log. Returns what could not be done, with the next step; raises `StoreAway`."""
    if store.dialect != "sqlite":
        return [
            "Postgres keeps the bytes of deleted rows, and its own log and backups have them: run VACUUM FULL, and let old ones go"
        ]
    with store.raw() as connection:
        try:
            if connection.execute("PRAGMA user_version").fetchone()[0] < SINCE_EVER:
                connection.execute("VACUUM")  # free pages may hold what was deleted by a version that did not overwrite
                connection.execute(f"PRAGMA user_version = {SINCE_EVER}")
            emptied = empty(connection, wait_seconds)
        except sqlite3.OperationalError:  # locked, or a full disk
            emptied = False
    if emptied:
        return []
    return [
        "the store's write-ahead log could not be emptied, another process is reading or writing: it holds what was deleted until "
        "python -m serving privacy publish, the next erasure, or the end of the last process"
    ]
