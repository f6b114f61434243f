"""Publishes notes into the home, one file for each month in which they were told (`features.sources.notes`).

Readers of sources (training, monitor, star, batch) never open the store. A file says in its first line which state of the
store it has; `publish` writes those that are behind. So whoever was killed when, the next call makes them right, and two
processes that publish at once write the same.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from features.kit import atomic_files
from features.kit.clock import to_us
from features.kit.errors import AccountscoreError
from features.kit.file_lock import file_lock
from features.kit.writable import told
from features.sources.notes import FOLDER, FORMAT, NoteLine, files_of
from serving.errors import StoreAway
from serving.notes import repository
from serving.store import version_counters
from serving.store.connect import Store

log = logging.getLogger("serving.notes")
LOCK_SECONDS = 30.0
"""Longest wait for another process that publishes."""
encoder = msgspec.json.Encoder()
_MONTH = re.compile(r"\d{4}-\d{2}")


def publish(store: Store, home: Path, *, whole: bool = False) -> int:
    """Write the files that are behind the store, delete those of which it knows nothing, and return how many changed.

    Called after each change, when the worker starts and before the batch reads a source. `whole`: write all of them, for a
    home that may have had another store. Raises `StoreAway`, and `OSError` when the home cannot be written.
    """
    if not _behind(store, home, whole):
        return 0  # nothing to write, so a read-only home is fine
    busy = StoreAway(f"{FOLDER} has been locked by another process for {LOCK_SECONDS:g} s")
    with file_lock(home / f".{FOLDER}.lock", LOCK_SECONDS, busy):
        behind = _behind(store, home, whole)
        for month in behind:
            _write(store, home, month)
        return len(behind)


def publish_or_tell(store: Store, home: Path) -> None:
    """`publish` after a change that is in the store already: what fails is logged, and made good by the next call."""
    try:
        publish(store, home)
    except (OSError, AccountscoreError) as error:
        why = told(error) if isinstance(error, OSError) else str(error)
        log.error(
            "notes.unpublished why=%s next=%s", why, "run python -m serving privacy publish when it can be written"
        )


def _behind(store: Store, home: Path, whole: bool = False) -> list[str]:
    """Months whose file is not what the store has, sorted."""
    with store.read() as connection:
        wanted = repository.generations(version_counters.read(connection))
    written = {file.stem: _generation(file) for file in files_of(home)}
    return sorted(
        month for month in {*wanted, *written} if whole or month not in wanted or wanted[month] != written.get(month)
    )


def _generation(file: Path) -> int | None:
    """The counter in a file's first line; None when it is damaged or of another format, so that it is written anew."""
    try:
        with file.open("rb") as opened:
            first = json.loads(opened.readline())
        return int(first["generation"]) if first["format"] == FORMAT else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _write(store: Store, home: Path, month: str) -> None:
    file = home / FOLDER / f"{month}.jsonl"
    with store.read() as connection:
        # The counter first: rows of a later commit under an earlier counter are written again, the contrary would stay.
        generation = version_counters.of(connection, repository.GENERATION + month) if _MONTH.fullmatch(month) else 0
        if not generation:
            file.unlink(missing_ok=True)
            return
        with atomic_files.writing(file, locked=True) as partial, partial.open("wb") as opened:
            opened.write(msgspec.json.encode({"format": FORMAT, "generation": generation}) + b"\n")
            for part in repository.in_month(connection, *_bounds(month)):
                opened.write(_lines(part))


def _lines(rows: Sequence[Sequence[Any]]) -> bytes:
    """Each row as a `NoteLine`."""
    names = tuple(NoteLine.__annotations__)  # in the order of `repository.LINE`
    return encoder.encode_lines([dict(zip(names, row, strict=True)) for row in rows])


def _bounds(month: str) -> tuple[int, int]:
    """First microsecond of a month, and of the next one."""
    year, number = map(int, month.split("-"))
    following = datetime(year + number // 12, number % 12 + 1, 1, tzinfo=UTC)
    return to_us(datetime(year, number, 1, tzinfo=UTC)), to_us(following)
