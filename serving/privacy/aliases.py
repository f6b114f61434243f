"""The ids that CRMs have for an account, a lead or a contact."""

from __future__ import annotations

from collections.abc import Iterable

from serving.connections.config import ConnectionConfig
from serving.privacy.repository import TABLES, Alias


def aliases(connections: Iterable[ConnectionConfig], kind: str, name: str) -> list[Alias]:
    """For each connection and object type whose key template fits `name`: the CRM's id that the template makes it of."""
    found: list[Alias] = []
    for config in connections:
        for object_type, mapped in config.objects.items():
            before, _, after = mapped.key.partition("{id}")
            fits = name.startswith(before) and name.endswith(after) and len(name) > len(before) + len(after)
            if mapped.table == TABLES[kind] and fits:
                found.append((config.name, object_type, name[len(before) : len(name) - len(after)]))
    return found
