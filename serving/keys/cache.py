"""Cached API keys in the home, so that the API can start while the database is down.

It has the same keyed hashes as the store, from which no key can be made. Only its owner may read it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec

from features.kit import atomic_files
from serving.keys.service import Caller, KeyRing

FILE = "api-keys.json"
LOST = (
    "nobody is let in; see ACCOUNTSCORE_STORE_URL, restore a backup, or make a key with python -m serving keys create"
)
"""The end of the messages for a store that has no key while this file has some."""


@dataclass(frozen=True)
class _Kept:
    needed: bool
    keys: dict[str, tuple[str, int | None, Caller]]


def keep(ring: KeyRing, home: Path) -> None:
    """Write the file atomically, if it differs."""
    text = msgspec.json.encode(_Kept(ring.needed, dict(ring.keys)), order="deterministic")
    path = home / FILE
    if not (path.is_file() and path.read_bytes() == text):
        atomic_files.write_bytes(path, text, private=True)


def kept(home: Path, pepper: bytes) -> KeyRing | None:
    """The cached keys; None when the file is missing or damaged."""
    try:
        held = msgspec.json.decode((home / FILE).read_bytes(), type=_Kept)
    except (OSError, msgspec.DecodeError):
        return None
    return KeyRing(pepper, held.keys, held.needed)
