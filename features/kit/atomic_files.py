"""Small files that are whole or as they were, and durable: readers see the old content or the new one."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


def replace_whole(path: Path, content: bytes, private: bool = False) -> None:
    """Put `content` in the place of what `path` holds; with `private` its owner alone may read it.

    Raises `OSError` when the disk is full or fails; `path` is then as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600 if private else 0o666)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException as error:
        if isinstance(error, OSError) and str(error.filename) == str(beside):
            error.filename = str(path)  # the name that people know
        with contextlib.suppress(OSError):  # what failed is told, not this
            beside.unlink(missing_ok=True)
        raise
    sync(path.parent)


def sync(path: Path) -> None:
    """Make a file durable, or the names in a directory."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
