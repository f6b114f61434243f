"""Erasure and objections, for the API and the commands."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from serving.connections.config import ConnectionConfig
from serving.privacy import files, repository, suppression_export
from serving.privacy.repository import Alias
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


def settle(store: Store, home: Path) -> list[str]:
    """What follows an erasure: sources are read without them, files of the home are rewritten, deleted bytes are wiped.

    Repeating it changes nothing. Returns what could not be done, with the next step; raises `StoreAway`.
    """
    suppression_export.publish(store, home)
    with store.read() as connection:
        erased = repository.Erased.load(connection)
    return files.forget_erased(home, erased) + wipe(store)


def aliases(connections: Iterable[ConnectionConfig], kind: str, name: str) -> list[Alias]:
    """What each CRM calls it: the id that its template of keys makes this one of."""
    found: list[Alias] = []
    for config in connections:
        for object_type, mapped in config.objects.items():
            before, _, after = mapped.key.partition("{id}")
            fits = name.startswith(before) and name.endswith(after) and len(name) > len(before) + len(after)
            if mapped.table == repository.TABLES[kind] and fits:
                found.append((config.name, object_type, name[len(before) : len(name) - len(after)]))
    return found
