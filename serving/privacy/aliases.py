"""How CRMs name an account, a lead or a contact: the ids of its records, and the properties of others that name it."""

from __future__ import annotations

from collections.abc import Iterable

from features.sources.suppression import OWNERS, PARENTS
from serving.connections.config import ConnectionConfig
from serving.privacy.repository import TABLES, Alias, Aliases, Naming


def aliases(connections: Iterable[ConnectionConfig], kind: str, name: str) -> Aliases:
    """For each connection and object type whose key template fits `name` the CRM's id that the template makes it of; and each
    property that says whose row an object is, or what an account belongs to, with the value that names it."""
    records: list[Alias] = []
    owners: list[Naming] = []
    parents: list[Naming] = []
    for config in connections:
        for object_type, mapped in config.objects.items():
            before, _, after = mapped.key.partition("{id}")
            fits = name.startswith(before) and name.endswith(after) and len(name) > len(before) + len(after)
            record = name[len(before) : len(name) - len(after)] if fits else None
            if mapped.table == TABLES[kind] and record is not None:
                records.append((config.name, object_type, record))
            for told, column in mapped.columns.items():
                if column == OWNERS.get(kind):
                    owners.append((config.name, object_type, told, name))
                elif column == PARENTS.get(kind) and record is not None:
                    # The CRM names a parent as it names every record of this kind.
                    parents.append((config.name, object_type, told, record))
    return Aliases(records, owners, parents)
