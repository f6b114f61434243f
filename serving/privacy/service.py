"""Erasure and objections, for the API and the commands."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from features.kit.errors import AccountscoreError
from features.kit.writable import told
from serving.connections.config import ConnectionConfig
from serving.privacy import files, repository, suppression_export
from serving.privacy.aliases import aliases
from serving.store.connect import Store
from serving.store.wipe import wipe


@dataclass(frozen=True)
class Erasure:
    """What an erasure did."""

    deleted: dict[str, int]
    """Rows by table of the store."""
    left: list[str]
    """What could not be done, with the next step."""

    @property
    def found(self) -> bool:
        """Whether anything was stored of it."""
        return any(self.deleted.values())


def erase(
    store: Store, connections: Iterable[ConnectionConfig], kind: str, name: str, now_us: int, home: Path
) -> Erasure:  # fmt: skip
    """Delete what the store holds, in one transaction, tell all who read sources, and clear the files of the home.

    Raises `UserMistake` when the home cannot be written, before anything is done; `StoreAway`, then it is to be asked for again.
    """
    suppression_export.require_writable(home)
    with store.write() as connection:
        done = repository.erase(connection, kind, name, now_us, aliases(connections, kind, name))
    return Erasure(done, settle(store, home))


def object_to(store: Store, entity: str, entity_id: str, now_us: int, home: Path) -> tuple[bool, list[str]]:
    """Stop scoring it, and tell the home; whether it was scored until now, and what could not be done, with the next step."""
    with store.write() as connection:
        new = repository.object_to(connection, entity, entity_id, now_us)
    return new, _told(store, home)


def allow(store: Store, entity: str, entity_id: str, now_us: int, home: Path) -> tuple[bool, list[str]]:
    """Take an objection back, and tell the home; whether there was one, and what could not be done, with the next step."""
    with store.write() as connection:
        had = repository.allow(connection, entity, entity_id, now_us)
    return had, _told(store, home)


def _told(store: Store, home: Path) -> list[str]:
    """An objection holds with its commit. The home's copy is for the day on which the store is lost: that it cannot be written now
    refuses nobody's word."""
    try:
        suppression_export.publish(store, home)
    except (OSError, AccountscoreError) as error:
        why = told(error) if isinstance(error, OSError) else str(error)
        return [f"the home does not know of it ({why}): run python -m serving privacy publish when it can be written"]
    return []


def settle(store: Store, home: Path) -> list[str]:
    """What follows an erasure: sources are read without them, files of the home are rewritten, deleted bytes are wiped.

    Repeating it changes nothing. Returns what could not be done, with the next step; raises `StoreAway`.
    """
    suppression_export.publish(store, home)
    with store.read() as connection:
        erased = repository.Erased.load(connection)
    return files.remove_erased(home, erased) + wipe(store)
