"""`ACCOUNTSCORE_HOME/audit_head.json`: the newest row of the audit log, kept beside the store.

A chain alone does not show that its newest rows were deleted. The head is written after the commit, so the log may be
ahead of the file, and never behind it. The file never goes back: when the log lacks the row that the file names, the
file stays as it is until a restore or an accepted loss names that row as given up (`serving.audit_log.repository.has`).
"""

from __future__ import annotations

import functools
import logging
from pathlib import Path

import msgspec

from features.kit import atomic_files
from features.kit.errors import UserMistake
from features.kit.file_lock import file_lock
from features.kit.writable import told
from serving.audit_log import repository
from serving.audit_log.chain import Head
from serving.errors import StoreAway
from serving.store.connect import Store

FILE = "audit_head.json"
LOCK_SECONDS = 10.0
"""Longest wait for another process; a write takes milliseconds."""
log = logging.getLogger("serving.audit_log")


class _Kept(msgspec.Struct):
    seq: int
    hash: str


def load(home: Path) -> Head | None:
    """The head that the home keeps; None when it keeps none. Raises `UserMistake` for a damaged file."""
    path = home / FILE
    try:
        found = msgspec.json.decode(path.read_bytes(), type=_Kept)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError):
        raise UserMistake(
            f"{str(path)!r} cannot be read: it has the newest row of the audit log; put a copy of it back, or delete it and give the "
            "head that the last export printed to python -m serving audit verify --head"
        ) from None
    return Head(found.seq, found.hash)


def keep(store: Store, home: Path) -> bool:
    """Bring the file up to the log. False when the log lacks the row that the file names, the file cannot be read or
    written, or the store does not answer; that is logged, and the file stays. Raises nothing of these: what was done is
    done, and the log may be ahead of the file."""
    try:
        if _is_kept(store, home):
            return True
        busy = StoreAway(f"{FILE} has been locked by another process for {LOCK_SECONDS:g} s")
        with file_lock(home / ".audit_head.lock", LOCK_SECONDS, busy):
            before = load(home)
            with store.read() as connection:
                if before is not None and not repository.has(connection, before):
                    _tell_behind(repository.head(connection), before)
                    return False
                now = repository.head(connection)
            if now != before and now.seq:
                atomic_files.write_bytes(home / FILE, msgspec.json.encode(_Kept(now.seq, now.hash)), private=True)
            return True
    except UserMistake as error:
        log.error("audit_log.head_unreadable why=%s", error)
    except OSError as error:
        _tell_not_kept(told(error))
    except StoreAway as error:
        _tell_not_kept(str(error))
    return False


@functools.cache
def _tell_not_kept(why: str) -> None:
    """Once in a process: it is tried again every second."""
    log.warning("audit_log.head_not_kept why=%s", why)


@functools.cache
def _tell_behind(now: Head, before: Head) -> None:
    """Once in a process: it is looked at with every change."""
    log.error("audit_log.behind log=%d home=%d next=%s", now.seq, before.seq, "python -m serving audit verify")


def _is_kept(store: Store, home: Path) -> bool:
    with store.read() as connection:
        return repository.head(connection) == (load(home) or Head())
