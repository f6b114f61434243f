"""Files and folders that are whole or as they were, and durable: written beside, synced, renamed, and the folder synced.

Readers see the old content or the new one. Each step is a function of this module, so that a test can stop the process at
every one of them. Every writer raises `OSError` when the disk is full or fails; the path is then as it was.
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
    """A path to write to, which takes the place of `path` when the block ends well and is gone when it does not.

    With `private` its owner alone may read the file. With `locked` the caller says that nobody else writes there at the same
    time: the name beside is then always the same, so that what a killed writer left is written over.
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
            error.filename = str(path)  # the name that people know
        with contextlib.suppress(OSError):  # what failed is told, not this
            partial.unlink(missing_ok=True)
        raise
    sync(path.parent)


def write_bytes(path: Path, content: bytes, *, private: bool = False, locked: bool = False) -> None:
    """A small file in the place of what `path` holds; see `writing`."""
    with writing(path, private=private, locked=locked) as partial:
        partial.write_bytes(content)


def write_text(path: Path, text: str, *, private: bool = False, locked: bool = False) -> None:
    """As `write_bytes`, in UTF-8."""
    write_bytes(path, text.encode(), private=private, locked=locked)


def write_parquet(path: Path, parts: Iterable[pa.Table], *, locked: bool = False) -> None:
    """Tables of one schema, at least one, each a row group: memory holds one of them. The same tables give the same bytes."""
    with writing(path, locked=locked) as partial:
        fill(partial, parts)


def write_once(path: Path, content: bytes) -> None:
    """A private file, unless there is one: of two writers at once both end with the content of the first."""
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
    """A new folder to write into, which takes the place of `path` when the block ends well and is gone when it does not.

    Between two renames there is no `path` for a moment, and none when the process is killed just then: for what can be made anew,
    or has no older version.
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
            with contextlib.suppress(OSError):  # what failed is told, not this
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
    """Write Parquet where it is told to, as `write_parquet` has it."""
    import pyarrow.parquet as pq

    remaining = iter(parts)
    first = next(remaining)
    with pq.ParquetWriter(path, first.schema, compression="zstd", version="2.6") as writer:
        for part in itertools.chain([first], remaining):
            writer.write_table(part, row_group_size=max(1, part.num_rows))


def rename(old: Path, new: Path) -> None:
    os.replace(old, new)


def sync(path: Path) -> None:
    """Make a file durable, or the names in a directory: a rename is durable only when both were synced."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _beside(path: Path, locked: bool) -> Path:
    writer = "" if locked else f".{threading.get_native_id()}"  # no two threads have the same, of whatever process
    return path.with_name(f".{path.name}{writer}.partial")
