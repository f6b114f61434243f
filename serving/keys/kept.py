"""The keys as the store had them last, in a file of the home: what a process that starts while the store is away goes by.

No key can be made of it: it holds the keyed hashes that the store holds. Its owner alone may read it.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

import msgspec

from serving.keys.service import Caller, KeyRing

FILE = "api-keys.json"


@dataclass(frozen=True)
class _Kept:
    needed: bool
    keys: dict[str, tuple[str, int | None, Caller]]


def keep(ring: KeyRing, home: Path) -> None:
    """Whole, or as it was."""
    home.mkdir(parents=True, exist_ok=True)
    text = msgspec.json.encode(_Kept(ring.needed, dict(ring.keys)), order="deterministic")
    path = home / FILE
    if path.is_file() and path.read_bytes() == text:
        return
    handle, name = tempfile.mkstemp(dir=home, prefix=f".{FILE}.")  # readable by its owner alone
    with os.fdopen(handle, "wb") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(name, path)


def kept(home: Path, pepper: bytes) -> KeyRing | None:
    """None where nothing was kept, or not whole."""
    try:
        held = msgspec.json.decode((home / FILE).read_bytes(), type=_Kept)
    except (OSError, msgspec.DecodeError):
        return None
    return KeyRing(pepper, held.keys, held.needed)
