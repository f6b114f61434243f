"""The keys as the store had them last, in a file of the home: what a process that starts while the store is away goes by.

No key can be made of it: it holds the keyed hashes that the store holds. Its owner alone may read it.
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
"""What follows where the store has no key and this file knows of one."""


@dataclass(frozen=True)
class _Kept:
    needed: bool
    keys: dict[str, tuple[str, int | None, Caller]]


def keep(ring: KeyRing, home: Path) -> None:
    """Whole, or as it was."""
    text = msgspec.json.encode(_Kept(ring.needed, dict(ring.keys)), order="deterministic")
    path = home / FILE
    if not (path.is_file() and path.read_bytes() == text):
        atomic_files.write_bytes(path, text, private=True)


def kept(home: Path, pepper: bytes) -> KeyRing | None:
    """None where nothing was kept, or not whole."""
    try:
        held = msgspec.json.decode((home / FILE).read_bytes(), type=_Kept)
    except (OSError, msgspec.DecodeError):
        return None
    return KeyRing(pepper, held.keys, held.needed)
