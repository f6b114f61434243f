"""The sources that connections name, opened once and anew when their files change."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from features.errors import BadInput, Fault
from features.source import Source, open_source
from serving.connections import ConnectionConfig

Stamp = tuple[tuple[str, int, int], ...]


class Sources:
    """Open sources by name and data folder."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, Path | None], tuple[Source, Stamp]] = {}

    def get(self, connection: ConnectionConfig) -> Source:
        """The source of a connection as its files are now."""
        key = (connection.source, connection.data)
        held = self._open.get(key)
        if held is None or stamp(held[0]) != held[1]:
            source = open_source(*key)
            self._open[key] = (source, stamp(source))
        return self._open[key][0]

    def check(self, connections: Mapping[str, ConnectionConfig]) -> None:
        """Raises `BadInput` when a connection maps an object to a table that its source does not have."""
        faults = []
        for connection in connections.values():
            source = self.get(connection)
            for name, mapped in connection.objects.items():
                if not source.has(mapped.table):
                    faults.append(
                        Fault(
                            f"connection {connection.name}, [objects.{name}], key table",
                            f"the source {source.name!r} has no table {mapped.table!r}",
                            f"one of {', '.join(source.tables)}",
                            "add the table to the source or mend the connection",
                        )
                    )
        if faults:
            raise BadInput("connections", faults)


def stamp(source: Source) -> Stamp:
    """Names, sizes and times of the files that a source reads; equal as long as nobody touched them."""
    folders = [source.folder, *([source.data] if source.data else [])]
    found = []
    for folder in folders:
        for place, _, names in os.walk(folder):
            for name in names:
                try:
                    status = os.stat(os.path.join(place, name))
                except FileNotFoundError:
                    continue
                found.append((os.path.join(place, name), status.st_size, status.st_mtime_ns))
    return tuple(sorted(found))


@contextmanager
def overlaid(source: Source, changes: Mapping[str, Sequence[Mapping[str, Any]]]) -> Iterator[Source]:
    """The source with the changes laid over it; what that made in the database is dropped afterwards."""
    above = source
    for table, rows in changes.items():
        above = above.with_changes(table, rows)
    try:
        yield above
    finally:
        for schema in set(above.schemas.values()) - set(source.schemas.values()):
            above.connection.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE")
