"""A lock between processes, held on a file. The operating system frees it when its process dies."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from features.kit.errors import AccountscoreError

LOOK_SECONDS = 0.05
"""Pause between two attempts."""


@contextmanager
def file_lock(path: Path, seconds: float, otherwise: AccountscoreError) -> Iterator[None]:
    """Hold the lock until the block ends.

    Raises `otherwise`, with the number of the process that holds the lock, when another process, or another block of this one,
    still has it after `seconds`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    end = time.monotonic() + seconds
    with path.open("a+") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= end:
                    raise type(otherwise)(f"{otherwise}{_held_by(file)}") from None
                time.sleep(LOOK_SECONDS)
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def is_held(path: Path) -> bool:
    """Whether a process holds the lock of a file now. A missing file, or one that cannot be opened, is held by none."""
    try:
        with path.open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _held_by(file: TextIO) -> str:
    """Which process holds the lock, by what it wrote into the file; "" when it wrote no number."""
    file.seek(0)
    found = file.read(20)
    return f" (process {found} holds {file.name!r})" if found.isdigit() else ""
