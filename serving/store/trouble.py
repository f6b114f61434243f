"""Messages for a database that is away, locked, full or read-only, each with the next step; and the URI that opens a
read-only file."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from urllib.parse import quote

from features.kit.writable import unwritable

REFUSED = ("25006",)
"""SQLSTATE of a Postgres that takes no writes: a standby, or one that was set read-only."""
_LOCKED = ("55P03",)


def cannot_write(file: Path) -> str | None:
    """Why an existing SQLite file cannot be written; None when it can be, or does not exist. Its folder must be
    writable too, for the write-ahead log."""
    if not file.is_file():
        return None
    return unwritable(file) or unwritable(file.absolute().parent)


def reading_uri(file: Path) -> str:
    """The URI that opens a read-only SQLite file.

    Without `immutable` SQLite wants to write a log and an index beside a file in WAL mode. When they exist, another
    process has the file open, and `immutable`, which ignores its locks, is left out.
    """
    at_work = Path(f"{file}-shm").exists() or (Path(f"{file}-wal").exists() and Path(f"{file}-wal").stat().st_size)
    return f"file:{quote(str(file.absolute()))}?mode=ro" + ("" if at_work else "&immutable=1")


def cannot_be_written(file: str, why: str, named: str) -> str:
    """The message for a database that cannot be written, in one line."""
    return f"the database {file!r} cannot be written ({why}), nothing was changed: mount it writable, or let {named} name one that can be"


def trouble_of(error: BaseException | None, database: str, named: str, busy_ms: int) -> str:
    """The message for an error of the database driver, in one line. The driver waited `busy_ms` for a lock. A server's
    address is never in it."""
    if getattr(error, "sqlstate", None) in REFUSED:
        return f"the database takes no writes (it is a standby, or was set read-only), nothing was changed: let {named} name one that does"
    if getattr(error, "sqlstate", None) in _LOCKED:
        return f"another process has held what is needed of the database for {busy_ms / 1000:g} s: try again when it is done"
    if isinstance(error, sqlite3.Error):
        code = (getattr(error, "sqlite_errorname", None) or "").removeprefix("SQLITE_").partition("_")[0]
        file = Path(database)
        why = cannot_write(file) or (unwritable(file.absolute().parent) if file.absolute().parent.is_dir() else None)
        if code in ("READONLY", "CANTOPEN") and why is not None:
            # A file that another process has open, or whose log is not merged, cannot even be read without writing.
            return cannot_be_written(database, why, named)
        known = {
            "READONLY": "cannot be written any more: it was moved, or its file system is read-only; see to it, then try again",
            "CANTOPEN": f"cannot be opened: see that {named} names a file that may be read and written",
            "FULL": "cannot be written (the disk is full), nothing was changed: make room, then try again",
            "BUSY": f"has been in use by another process for {busy_ms / 1000:g} s: try again when it is done",
            "LOCKED": f"has been in use by another process for {busy_ms / 1000:g} s: try again when it is done",
            "IOERR": "cannot be read or written (the disk failed): mend it, then try again",
        }
        if code in known:
            return f"the database {database!r} {known[code]}"
    return f"the store does not answer ({type(error).__name__})"
