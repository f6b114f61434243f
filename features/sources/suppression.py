"""The list of suppressed and deleted entities: erased for privacy, deleted in a CRM, or merged into another. No reader of a source sees
them, even while the source's own files still have their rows (`features.sources.suppression_filter`).

The list is the file `ACCOUNTSCORE_HOME/removed.json`. Serving writes it with every such change, and every source that is opened
reads it, so that the nightly batch and training leave out the same entities as the worker. It holds hashes of ids.
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
"""For each kind of entity, the column that holds its id."""
PARENTS = {"account": "parent_id"}
"""For each kind of entity, the column by which another of its kind names it. The other one stays when it is suppressed."""
SuppressedIds = Mapping[str, Mapping[str, str | None]]
"""Kind -> hash of an id -> the id that remains, or None where nothing does."""


def hash_of_id(kind: str, name: str) -> str:
    """The hash by which an id is listed: the id itself must not be stored.

    >>> hash_of_id("lead", "7")[:8]
    '118867b3'
    """
    return hashlib.sha256(f"{kind}:{name}".encode()).hexdigest()


@dataclass(frozen=True)
class Suppressed:
    """All suppressed and deleted ids, in every source or in one."""

    everywhere: SuppressedIds = field(default_factory=dict)
    sources: Mapping[str, SuppressedIds] = field(default_factory=dict)
    """By the name of the source's folder."""

    @classmethod
    def load(cls, home: Path) -> Suppressed:
        """Read the list of a home; empty without a file. Raises `UserMistake` when the file is damaged, so that nobody reappears by accident."""
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
        """Write the list atomically and durably, if it differs from what is stored."""
        told = {"everywhere": self.everywhere, "sources": self.sources}
        text = json.dumps(told, sort_keys=True, indent=1)
        path = home / FILE
        if not (path.is_file() and path.read_text() == text):
            atomic_files.write_bytes(path, text.encode())

    def of(self, source: str) -> SuppressedIds:
        """The ids that concern one source."""
        own = self.sources.get(source, {})
        found = {kind: {**own.get(kind, {}), **self.everywhere.get(kind, {})} for kind in OWNERS}
        return {kind: ids for kind, ids in found.items() if ids}
