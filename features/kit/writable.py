"""Checks before the work that its result can be written, and explains when it cannot."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from features.kit.errors import UserMistake


class NotWritable(UserMistake):
    """Raised before the work when its result could not be written."""


READ_ONLY = "a read-only file system"


def require_writable(folder: Path, next_step: str) -> None:
    """Raises `UserMistake` when `folder` cannot be written, or cannot be made where it is absent. Makes nothing.

    A full disk or a quota is not seen here; it ends in the `OSError` of the write itself.
    """
    there = folder.absolute()
    while not there.exists() and there != there.parent:
        there = there.parent
    if not there.is_dir():
        raise NotWritable(f"{str(folder)!r} cannot be written ({str(there)!r} is a file): {next_step}")
    why = unwritable(there)
    if why is not None:
        raise NotWritable(f"{str(folder)!r} cannot be written ({why}): {next_step}")


def require_place(file: Path) -> None:
    """Raises `UserMistake` when a file cannot be put there: its folder is absent or cannot be written, or it is a folder."""
    folder = file.resolve().parent
    if not folder.is_dir():
        raise UserMistake(f"no folder {str(folder)!r} to write {file.name!r} into: make it first")
    if file.is_dir():
        raise UserMistake(f"{str(file)!r} is a folder: name a file to write")
    require_writable(folder, f"name another place for {file.name!r}")


def unwritable(path: Path) -> str | None:
    """Why a file or a folder that is there cannot be written, None when it can."""
    if os.access(path, os.W_OK | (os.X_OK if path.is_dir() else 0)):
        return None
    return READ_ONLY if os.statvfs(path).f_flag & os.ST_RDONLY else "permission denied"


def told(error: OSError) -> str:
    """One line for people: which file or folder, what is wrong with it, what to do.

    >>> told(OSError(errno.EROFS, "Read-only file system", "/srv/home/runs"))
    "'/srv/home/runs' cannot be written (a read-only file system): mount it writable, or name another place"
    """
    if error.filename is None:
        what, why = "a file", str(error.strerror or error)
    else:
        what, why = repr(os.fsdecode(error.filename)), str(error.strerror or error)
    if error.errno == errno.EROFS:
        return f"{what} cannot be written ({READ_ONLY}): mount it writable, or name another place"
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"{what}: permission denied; let this user read and write there, or name another place"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"{what} cannot be written (the disk is full): make room, then run it again"
    return f"{what}: {why}; see that it is there and may be written"
