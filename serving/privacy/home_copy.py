"""`ACCOUNTSCORE_HOME/protections.json`: a copy of the protections (erasures, objections, deletions and merges in CRMs),
from which a new store recovers them. It has hashes instead of ids, except for the record that remains after a merge."""

from __future__ import annotations

import logging
from pathlib import Path

import msgspec

from features.kit import atomic_files
from features.kit.errors import UserMistake
from features.sources.suppression import Suppressed
from serving.privacy.protections import Protections
from serving.store.deletions import DELETED, MERGED

FILE = "protections.json"
log = logging.getLogger("serving.privacy")


class _Copy(msgspec.Struct):
    erased: list[tuple[str, str, int]] = []
    """Kind, hash of the id, and since when in microseconds."""
    objecting: list[tuple[str, str, int]] = []
    removed: list[tuple[str, str, str, int, str, str | None]] = []
    """Source, entity, hash of the id, when in microseconds, state, and the record that remains."""


_COLUMNS = {
    "tombstones": ("kind", "id_hash", "erased_at"),
    "objections": ("entity", "id_hash", "since"),
    "removals": ("source", "entity", "id_hash", "occurred_at", "state", "into"),
}


def load(home: Path) -> Protections:
    """The protections in the home's file. Without a readable file (version 0.1 wrote none) those of
    `features.sources.suppression`, with the time 0, so that all others are newer."""
    try:
        copy = msgspec.json.decode((home / FILE).read_bytes(), type=_Copy)
    except FileNotFoundError:
        copy = _of_readers(home)
    except (OSError, msgspec.DecodeError):
        log.warning("protections.unreadable file=%s next=%s", FILE, "it is written anew from the store")
        copy = _of_readers(home)
    holds = {"taken_back_at": None}
    return Protections(
        [dict(zip(_COLUMNS["tombstones"], row, strict=True)) | holds for row in copy.erased],
        [dict(zip(_COLUMNS["objections"], row, strict=True)) | holds for row in copy.objecting],
        [dict(zip(_COLUMNS["removals"], row, strict=True)) for row in copy.removed],
    )


def _of_readers(home: Path) -> _Copy:
    try:
        told = Suppressed.load(home)
    except UserMistake:  # it will be rewritten too
        return _Copy()
    erased = [(kind, mark, 0) for kind, marks in told.everywhere.items() for mark in marks]
    removed = [
        (source, kind, mark, 0, DELETED if into is None else MERGED, into)
        for source, of_source in told.sources.items()
        for kind, marks in of_source.items()
        for mark, into in marks.items()
    ]
    return _Copy(erased, [], removed)


def is_written(home: Path, held: Protections) -> bool:
    """Whether the file has exactly these protections. A missing file has none."""
    try:
        return (home / FILE).read_bytes() == _encoded(held)
    except FileNotFoundError:
        return _encoded(held) == _encoded(Protections())
    except OSError:
        return False


def save(home: Path, held: Protections) -> None:
    """Write the file atomically and durably, if it differs."""
    if not is_written(home, held):
        atomic_files.write_bytes(home / FILE, _encoded(held), private=True)


def _encoded(held: Protections) -> bytes:
    holding = held.holding()
    found = [
        [tuple(row[column] for column in columns) for row in getattr(holding, name)]
        for name, columns in _COLUMNS.items()
    ]
    return msgspec.json.encode(_Copy(*found))
