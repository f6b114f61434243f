"""Locks between processes, on a file. The system frees one when its process dies."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LOOK_SECONDS = 0.05


@contextmanager
def file_lock(path: Path, seconds: float, otherwise: Exception) -> Iterator[None]:
    """Hold the lock until the block ends; raises `otherwise` when another process, or another block of this one, still has it
    after `seconds`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    end = time.monotonic() + seconds
    with path.open("w") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= end:
                    raise otherwise from None
                time.sleep(LOOK_SECONDS)
        yield
