"""Erasure and objections, for the API and the commands."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from serving.connections import ConnectionConfig
from serving.privacy import gone, repository
from serving.privacy.repository import Alias
from serving.store.connect import Store


def erase(
    store: Store, connections: Iterable[ConnectionConfig], kind: str, name: str, now_us: int, home: Path
) -> dict[str, int]:  # fmt: skip
    """Delete what the store holds, in one transaction, and tell all who read sources; rows by table.

    Raises `StoreAway`; then it is to be asked for again.
    """
    with store.write() as connection:
        done = repository.erase(connection, kind, name, now_us, aliases(connections, kind, name))
    gone.publish(store, home)
    return done


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
