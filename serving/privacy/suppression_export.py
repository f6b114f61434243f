"""Who is gone, told to every reader of a source: the nightly batch and the next training, which know nothing of the store."""

from __future__ import annotations

import errno
import logging
import os
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from sqlalchemy import select

from features.kit.errors import UserMistake
from features.kit.file_lock import file_lock
from features.kit.writable import require_writable as require_folder
from features.sources.suppression import FILE, Removed, mark_of
from serving.errors import StoreAway
from serving.privacy import repository as privacy
from serving.store import version_counters
from serving.store.connect import Store
from serving.store.deletions import PRESENT
from serving.store.tables import removals, tombstones

log = logging.getLogger("serving.privacy")
LOCK_SECONDS = 30.0
"""One write takes milliseconds."""
_States = Mapping[tuple[str, str], tuple[str, str | None]]


def publish(store: Store, home: Path) -> None:
    """Write what the store knows of erased, deleted and merged entities into `home` (`features.sources.suppression`).

    To be called after each such change; repeating it changes nothing, and the worker does it when it starts. Raises `StoreAway`.
    A store that was lost, or another one, takes back no erasure that the home tells: it learns of it.
    """
    if (home / FILE).is_file() and _told(home) == read(store):
        return  # a home that cannot be written will do
    busy = StoreAway(f"{FILE} has been locked by another process for {LOCK_SECONDS:g} s")
    # Read and written under one lock: a slow writer must not put an older state in the place of a newer one.
    with file_lock(home / ".removed.lock", LOCK_SECONDS, busy):
        found = read(store)
        missing = _missing(home, found)
        if missing:
            with store.write() as connection:
                privacy.keep_erased(connection, missing, time.time_ns() // 1000)
            log.error(
                "erasures.kept count=%d why=%s next=%s",
                len(missing),
                "the store is not the one that told this home who was erased: it was lost or is another",
                "see ACCOUNTSCORE_STORE_URL, or restore a backup: objections and what CRMs deleted are in no other place",
            )
            found = read(store)
        found.save(home)


def _told(home: Path) -> Removed | None:
    """What the home tells; None where that cannot be read."""
    try:
        return Removed.load(home)
    except UserMistake:
        return None


def _missing(home: Path, found: Removed) -> list[tuple[str, str]]:
    """Kind and mark of who was erased by what the home tells, and not by a store that knows less than the one that told it."""
    held = _told(home)
    if held is None:
        return []  # it is written anew
    if found.generation > 0 and found.generation >= held.generation:
        return []  # a mark that is not there was taken back (`privacy admit`)
    known = found.everywhere
    return [
        (kind, mark) for kind, marks in held.everywhere.items() for mark in marks if mark not in known.get(kind, {})
    ]


def require_writable(home: Path) -> None:
    """Raises `UserMistake` when `publish` could not write: to be asked before what cannot be taken back."""
    next_step = "who is gone is told there; nothing was done, mend it first"
    require_folder(home, next_step)
    try:
        home.mkdir(parents=True, exist_ok=True)
        if (home / FILE).is_dir():
            raise IsADirectoryError(errno.EISDIR, "it is a folder", str(home / FILE))
        # A disk that is full lets a folder be opened, and takes no byte.
        with tempfile.NamedTemporaryFile(dir=home, prefix=f".{FILE}.") as probe, (home / ".removed.lock").open("w"):
            probe.write(b"x" * 4096)
            probe.flush()
            os.fsync(probe.fileno())
    except OSError as error:
        raise UserMistake(
            f"{str(error.filename or home)!r} cannot be written ({error.strerror}): {next_step}"
        ) from None


def read(store: Store) -> Removed:
    """What the store knows, in the form that sources read."""
    with store.read() as connection:
        changed = version_counters.of(connection, privacy.GENERATION)
        erased: dict[str, dict[str, str | None]] = {}
        for kind, mark in connection.execute(select(tombstones.c.kind, tombstones.c.id_hash)):
            erased.setdefault(kind, {})[mark] = None
        states: dict[str, dict[tuple[str, str], tuple[str, str | None]]] = {}
        query = select(
            removals.c.source, removals.c.entity, removals.c.entity_id, removals.c.state, removals.c.into
        ).order_by(removals.c.source)
        for source, entity, entity_id, state, into in connection.execute(query):
            states.setdefault(source, {})[entity, entity_id] = (state, into)
    sources: dict[str, dict[str, dict[str, str | None]]] = {}
    for source, here in states.items():
        of_source = sources.setdefault(Path(source).resolve().name, {})
        for (entity, entity_id), (state, _) in here.items():
            if state != PRESENT:
                remains = _remains(entity, entity_id, here, erased.get(entity, {}))
                of_source.setdefault(entity, {})[mark_of(entity, entity_id)] = remains
    return Removed(erased, sources, changed)


def _remains(entity: str, entity_id: str, states: _States, erased: Mapping[str, object]) -> str | None:
    """Who has what belonged to it, however often it was merged on; None where the last one is gone too."""
    seen: set[str] = set()
    while entity_id not in seen:
        seen.add(entity_id)
        state, into = states.get((entity, entity_id), (PRESENT, None))
        if mark_of(entity, entity_id) in erased:
            return None
        if state == PRESENT:
            return entity_id
        if into is None:
            return None
        entity_id = into
    return None
