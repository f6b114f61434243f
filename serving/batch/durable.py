"""Files that are whole or not there: written beside, synced, renamed, and the folder synced.

Each step goes through this module, so that a test can stop the process at every one of them.
"""

from __future__ import annotations

import hashlib
import itertools
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from features.kit import atomic_files


def write_parquet(path: Path, parts: Iterable[pa.Table]) -> None:
    """Tables of one schema, at least one, each a row group: memory holds one of them. The same tables give the same bytes.

    Raises `OSError` when the disk is full or fails; `path` is then untouched.
    """
    partial = _beside(path)
    fill(partial, parts)
    _put(partial, path)


def fill(path: Path, parts: Iterable[pa.Table]) -> None:
    remaining = iter(parts)
    first = next(remaining)
    with pq.ParquetWriter(path, first.schema, compression="zstd", version="2.6") as writer:
        for part in itertools.chain([first], remaining):
            writer.write_table(part, row_group_size=max(1, part.num_rows))


def write_text(path: Path, text: str) -> None:
    """As `write_parquet`."""
    partial = _beside(path)
    partial.write_text(text)
    _put(partial, path)


@contextmanager
def writing(path: Path) -> Iterator[Path]:
    """A path to write to, which becomes `path` when the block ends well; as `write_parquet` otherwise."""
    partial = _beside(path)
    try:
        yield partial
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    _put(partial, path)


def move(folder: Path, to: Path) -> None:
    """Rename a folder whose files are durable."""
    sync(folder)
    rename(folder, to)
    sync(to.parent)


def rename(old: Path, new: Path) -> None:
    os.replace(old, new)


def sync(path: Path) -> None:
    """A rename is durable only when the file and its folder were synced."""
    atomic_files.sync(path)


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _beside(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.with_name(f".{path.name}.partial")


def _put(partial: Path, path: Path) -> None:
    sync(partial)
    rename(partial, path)
    sync(path.parent)
