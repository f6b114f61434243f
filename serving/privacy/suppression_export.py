"""Publishes the suppression list into the home, for everything that reads sources without the store: the nightly batch
and training. Also keeps the copy of all protections, from which a new store recovers them."""

from __future__ import annotations

import errno
import logging
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from features.kit.errors import UserMistake
from features.kit.file_lock import file_lock
from features.kit.writable import require_writable as require_folder
from features.sources.suppression import FILE, Suppressed
from serving.errors import StoreAway
from serving.privacy import home_copy, protections
from serving.privacy.protections import Protections
from serving.store.connect import Store
from serving.store.deletions import PRESENT, stored_hash_of_id
from serving.store.tables import objections, removals, tombstones

log = logging.getLogger("serving.privacy")
LOCK_SECONDS = 30.0
"""Longest wait for the lock; a write takes milliseconds."""
_States = Mapping[tuple[str, str], tuple[str, str | None]]


def publish(store: Store, home: Path) -> None:
    """Write the store's erased, deleted and merged entities (`features.sources.suppression`) and all protections
    (`home_copy`) into `home`.

    Called after each such change, and when the worker starts; repeating it changes nothing. A store that lacks
    protections of the home first learns them (`learn`). Raises `StoreAway`.
    """
    if _is_told(home, _held(store)):
        return  # nothing to write, so a read-only home is fine
    busy = StoreAway(f"{FILE} has been locked by another process for {LOCK_SECONDS:g} s")
    # Read and written under one lock, so that a slow writer does not overwrite a newer state.
    with file_lock(home / ".removed.lock", LOCK_SECONDS, busy):
        learn(store, home)
        held = _held(store)
        home_copy.save(home, held)
        _removed(held).save(home)


def learn(store: Store, home: Path) -> None:
    """Store the home's protections that the store does not know: it was lost, or replaced by an older copy.

    Raises `StoreAway`.
    """
    told = home_copy.load(home)
    if not told.newer_than(_held(store)):
        return
    with store.write() as connection:
        protections.lock(connection, tombstones, objections, removals)
        missing = told.newer_than(protections.read(connection))  # read again: another process may have done it
        protections.put_back(connection, missing)
    if missing:
        log.error(
            "protections.kept erasures=%d objections=%d removals=%d why=%s next=%s",
            len(missing.tombstones),
            len(missing.objections),
            len(missing.removals),
            "the store is not the one that told this home of them: it was lost, is an older copy or is another",
            "see ACCOUNTSCORE_STORE_URL, or restore a backup: signals, decisions, overrides and changes are in no other place",
        )


def is_there(home: Path) -> bool:
    """Whether the home has a suppression list or a copy of protections."""
    return any((home / name).exists() for name in (FILE, home_copy.FILE))


def _held(store: Store) -> Protections:
    with store.read() as connection:
        return protections.read(connection)


def _is_told(home: Path, held: Protections) -> bool:
    try:
        told = Suppressed.load(home)
    except UserMistake:  # it is written anew
        return False
    return (home / FILE).is_file() and told == _removed(held) and home_copy.is_written(home, held)


def require_writable(home: Path) -> None:
    """Raises `UserMistake` when `publish` could not write. Called before an irreversible step."""
    next_step = "who is gone is told there; nothing was done, mend it first"
    require_folder(home, next_step)
    try:
        home.mkdir(parents=True, exist_ok=True)
        for name in (FILE, home_copy.FILE):
            if (home / name).is_dir():
                raise IsADirectoryError(errno.EISDIR, "it is a folder", str(home / name))
        # Written and synced, because a full disk fails only then.
        with tempfile.NamedTemporaryFile(dir=home, prefix=f".{FILE}.") as probe, (home / ".removed.lock").open("w"):
            probe.write(b"x" * 4096)
            probe.flush()
            os.fsync(probe.fileno())
    except OSError as error:
        raise UserMistake(
            f"{str(error.filename or home)!r} cannot be written ({error.strerror}): {next_step}"
        ) from None


def read(store: Store) -> Suppressed:
    """The store's suppression list, in the form that sources read."""
    return _removed(_held(store))


def _removed(held: Protections) -> Suppressed:
    holding = held.holding()
    erased: dict[str, dict[str, str | None]] = {}
    for row in holding.tombstones:
        erased.setdefault(row["kind"], {})[row["id_hash"]] = None
    states: dict[str, dict[tuple[str, str], tuple[str, str | None]]] = {}
    for row in holding.removals:
        states.setdefault(row["source"], {})[row["entity"], row["id_hash"]] = (row["state"], row["into"])
    sources: dict[str, dict[str, dict[str, str | None]]] = {}
    for source, here in states.items():
        for entity, hashed in here:
            remains = _remains(entity, hashed, here, erased.get(entity, {}))
            sources.setdefault(source, {}).setdefault(entity, {})[hashed] = remains
    return Suppressed(erased, sources)


def _remains(entity: str, hashed: str, states: _States, erased: Mapping[str, object]) -> str | None:
    """The id that remains at the end of a chain of merges; None when that one is gone too."""
    seen: set[str] = set()
    name: str | None = None
    while hashed not in seen:
        seen.add(hashed)
        state, into = states.get((entity, hashed), (PRESENT, None))
        if hashed in erased:
            return None
        if state == PRESENT:
            return name
        if into is None:
            return None
        name, hashed = into, stored_hash_of_id(entity, into)
    return None
