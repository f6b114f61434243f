"""Atomic, durable writes of files and folders: written under a temporary name, synced, renamed, and the folder synced.

A reader sees the old content or the new content, never a part. Each step is a function of this module, so that a test can make
any of them fail. Every writer raises `OSError` when the disk is full or fails, and leaves the path unchanged.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import shutil
import tempfile
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa


@contextmanager
def writing(path: Path, *, private: bool = False, locked: bool = False) -> Iterator[Path]:
    """Yield a temporary path. It replaces `path` when the block ends without an error, and is deleted otherwise.

    `private`: only the owner may read the file.
    `locked`:  the caller guarantees that nobody else writes `path` at the same time. The temporary name is then always the
               same, so that the next writer overwrites what a killed one left behind.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = _beside(path, locked)
    try:
        if private:
            partial.unlink(missing_ok=True)
            os.close(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        yield partial
        sync(partial)
        rename(partial, path)
    except BaseException as error:
        if isinstance(error, OSError) and str(error.filename) == str(partial):
            error.filename = str(path)  # the name that the caller knows
        with contextlib.suppress(OSError):  # the first error is the one to report
            partial.unlink(missing_ok=True)
        raise
    sync(path.parent)


def write_bytes(path: Path, content: bytes, *, private: bool = False, locked: bool = False) -> None:
    """Replace `path` with these bytes; see `writing`."""
    with writing(path, private=private, locked=locked) as partial:
        partial.write_bytes(content)


def write_text(path: Path, text: str, *, private: bool = False, locked: bool = False) -> None:
    """Replace `path` with this text in UTF-8; see `writing`."""
    write_bytes(path, text.encode(), private=private, locked=locked)


def write_parquet(path: Path, parts: Iterable[pa.Table], *, locked: bool = False) -> None:
    """Write tables of one schema, at least one, each as one row group. Only one is in memory at a time; the same tables give the
    same bytes."""
    with writing(path, locked=locked) as partial:
        fill(partial, parts)


def write_once(path: Path, content: bytes) -> None:
    """Create a private file unless it exists. When two processes do so at once, both then read the content of the first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.") as new:  # readable by its owner alone
        new.write(content)
        new.flush()
        os.fsync(new.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(new.name, path)
    sync(path.parent)


@contextmanager
def writing_folder(path: Path) -> Iterator[Path]:
    """Yield a new, empty folder. It replaces `path` when the block ends without an error, and is deleted otherwise.

    Between two renames `path` does not exist for a moment, and stays absent when the process is killed just then. So use it only
    for what can be made again, or has no older version.
    """
    partial, old = _beside(path, locked=True), path.with_name(f".{path.name}.old")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
        for file in sorted(partial.rglob("*")):
            sync(file)
        if path.is_dir():
            shutil.rmtree(old, ignore_errors=True)
            rename(path, old)
        move(partial, path)
    except BaseException:
        if not path.exists() and old.is_dir():
            with contextlib.suppress(OSError):  # the first error is the one to report
                os.replace(old, path)
        shutil.rmtree(partial, ignore_errors=True)
        raise
    shutil.rmtree(old, ignore_errors=True)


def move(folder: Path, to: Path) -> None:
    """Rename a folder whose files are durable."""
    sync(folder)
    rename(folder, to)
    sync(to.parent)


def fill(path: Path, parts: Iterable[pa.Table]) -> None:
    """Write the tables to `path` itself, in the form that `write_parquet` describes."""
    import pyarrow.parquet as pq

    remaining = iter(parts)
    first = next(remaining)
    with pq.ParquetWriter(path, first.schema, compression="zstd", version="2.6") as writer:
        for part in itertools.chain([first], remaining):
            writer.write_table(part, row_group_size=max(1, part.num_rows))


def rename(old: Path, new: Path) -> None:
    """Rename a file or folder, replacing a file of the new name."""
    os.replace(old, new)


def sync(path: Path) -> None:
    """Make a file durable, or the names in a directory: a rename is durable only when both were synced."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256(path: Path) -> str:
    """The SHA-256 of a file's content in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _beside(path: Path, locked: bool) -> Path:
    writer = "" if locked else f".{threading.get_native_id()}"  # no two threads have the same, of whatever process
    return path.with_name(f".{path.name}{writer}.partial")
