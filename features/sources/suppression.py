"""Who is suppressed: erased for privacy, deleted in a CRM, or merged into another. No reader of a source sees them any more, even
while the source's own files still have their rows (`features.sources.suppression_filter`).

`ACCOUNTSCORE_HOME/removed.json` says who; serving writes it with every such change, and every source that is opened reads it,
so that the nightly batch and the next training know as much as the worker. Ids stand there as hashes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from features.kit import atomic_files
from features.kit.errors import UserMistake

FILE = "removed.json"
OWNERS = {"account": "account_id", "lead": "lead_id", "contact": "contact_id"}
"""Kind to the column that names one."""
SuppressedIds = Mapping[str, Mapping[str, str | None]]
"""Kind -> hash of an id -> the id that remains, or None where nothing does."""


def hash_of_id(kind: str, name: str) -> str:
    """What stands for an id that must not be named.

    >>> hash_of_id("lead", "7")[:8]
    '118867b3'
    """
    return hashlib.sha256(f"{kind}:{name}".encode()).hexdigest()


@dataclass(frozen=True)
class Suppressed:
    """Everybody who is suppressed, in all sources or in one."""

    everywhere: SuppressedIds = field(default_factory=dict)
    sources: Mapping[str, SuppressedIds] = field(default_factory=dict)
    """By the name of the source's folder."""

    @classmethod
    def load(cls, home: Path) -> Suppressed:
        """Nobody, where there is no file. Raises `UserMistake` for one that cannot be read: nobody is brought back by chance."""
        path = home / FILE
        try:
            held = json.loads(path.read_text())
            return cls(held["everywhere"], held["sources"])
        except FileNotFoundError:
            return cls()
        except (OSError, ValueError, KeyError, TypeError):
            raise UserMistake(
                f"{str(path)!r} cannot be read: it says who is gone; run python -m serving privacy publish, which writes it anew"
            ) from None

    def save(self, home: Path) -> None:
        """Whole and durable, or as it was."""
        told = {"everywhere": self.everywhere, "sources": self.sources}
        text = json.dumps(told, sort_keys=True, indent=1)
        path = home / FILE
        if not (path.is_file() and path.read_text() == text):
            atomic_files.write_bytes(path, text.encode())

    def of(self, source: str) -> SuppressedIds:
        """All that concerns one source."""
        own = self.sources.get(source, {})
        found = {kind: {**own.get(kind, {}), **self.everywhere.get(kind, {})} for kind in OWNERS}
        return {kind: ids for kind, ids in found.items() if ids}
