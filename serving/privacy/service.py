"""Erasure and objections, for the API and the commands."""

from __future__ import annotations

from collections.abc import Iterable

from serving.connections import ConnectionConfig
from serving.privacy import repository
from serving.privacy.repository import Alias
from serving.store.connect import Store


def erase(
    store: Store, connections: Iterable[ConnectionConfig], kind: str, name: str, now_us: int
) -> dict[str, int]:  # fmt: skip
    """Delete what the store holds, in one transaction; rows by table. Raises `StoreAway`; then nothing was changed."""
    with store.write() as connection:
        return repository.erase(connection, kind, name, now_us, aliases(connections, kind, name))


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
