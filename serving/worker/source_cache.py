"""Opens the sources of connections once, and again when their files change."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, get_args

from features.kit.errors import BadInput, Fault, UserMistake
from features.outcomes.needed_tables import tables_for
from features.signals.signal import Entity
from features.sources.loader import open_source
from features.sources.notes import files_of
from features.sources.notes_reader import read_outcomes_again
from features.sources.overlay import overlay
from features.sources.schema import ENTITIES, TABLES
from features.sources.source import Source
from features.sources.suppression import FILE, Suppressed, SuppressedIds
from serving.connections.config import ConnectionConfig
from serving.inbox.sealed import Seal
from serving.log import place_of

LABELS = {table.name for table in TABLES.values() if table.kind == "label"}
Stamp = tuple[tuple[str, int, int], ...]


class Sources:
    """Open sources by name and data folder."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self.seal = Seal.of(home)
        self._read: tuple[tuple[int, int, int] | None, Suppressed] | None = None
        self._open: dict[tuple[str, Path | None], tuple[Source, Stamp]] = {}
        self._told: dict[tuple[str, Path | None], Stamp] = {}
        """The files of notes that each source has."""

    def get(self, connection: ConnectionConfig) -> Source:
        """The source of a connection with its present files, merged rows at their present owner, and the outcomes that notes
        tell now."""
        key, told = (connection.source, connection.data), _stamps(map(str, files_of(self._home)))
        held = self._open.get(key)
        if held is None or stamp(held[0]) != held[1] or self._was_merged(held[0]):
            source = open_source(*key, keep_going=True, home=self._home)
            self._open[key] = (source, stamp(source))
        elif self._told[key] != told:
            read_outcomes_again(held[0], self._home)
        self._told[key] = told
        return self._open[key][0]

    def _was_merged(self, source: Source) -> bool:
        """Whether, since it was opened, rows changed their owner or a person at an account was removed. A deleted or
        erased entity as a whole gets no score anyway, so the source need not be read again for it.
        """

        def of_others(ids: SuppressedIds) -> object:
            moved = {kind: {m: to for m, to in of_kind.items() if to is not None} for kind, of_kind in ids.items()}
            return {kind: found for kind, found in moved.items() if found}, ids.get("contact")

        return of_others(self._suppressed().of(source.name)) != of_others(source.suppression.ids)

    def _suppressed(self) -> Suppressed:
        """Suppressed entities, read only when their file changed: there may be many, and every round asks."""
        try:
            status = os.stat(self._home / FILE)
            told = (status.st_ino, status.st_mtime_ns, status.st_size)
        except FileNotFoundError:
            told = None
        if self._read is None or self._read[0] != told:
            self._read = told, Suppressed.load(self._home)
        return self._read[1]

    def faults(self, connection: ConnectionConfig) -> list[Fault]:
        """Faults that stop a connection: its source cannot be read, or lacks a table that an object is mapped to."""
        where = f"connection {connection.name}"
        try:
            source = self.get(connection)
            source.require(_read_by(source, connection))
        except BadInput as error:
            # Open it again at the next look, even when no file of its folders changed.
            self._open.pop((connection.source, connection.data), None)
            step = f"run python -m features check --source {connection.source}"
            # This is logged, and the found value and the next step may quote a row.
            return [
                Fault(where=fault.where, found="it cannot be read as it is", rule=fault.rule, next_step=step)
                for fault in error.faults
            ]
        except UserMistake as error:
            return [
                Fault(
                    where=where,
                    found=str(error),
                    rule="its source can be read",
                    next_step="mend the source or the connection",
                )
            ]
        except Exception as error:  # a source's own Python file may raise anything
            rule = "its source can be read"
            return [
                Fault(
                    where=where,
                    found=place_of(error),
                    rule=rule,
                    next_step=f"run python -m features check --source {connection.source}",
                )
            ]
        return [
            Fault(
                where=f"{where}, [objects.{name}], key table",
                found=f"the source {source.name!r} has no table {mapped.table!r}",
                rule=f"one of {', '.join(source.tables)}",
                next_step="add the table to the source or mend the connection",
            )
            for name, mapped in connection.objects.items()
            if not source.has(mapped.table)
        ]


def _read_by(source: Source, connection: ConnectionConfig) -> set[str]:
    """Tables that scoring reads and tables that the connection changes; a fault in any other table does not matter."""
    entities: list[Entity] = [entity for entity in get_args(Entity) if source.has_file(ENTITIES[entity])]
    return {mapped.table for mapped in connection.objects.values()}.union(*map(tables_for, entities)) - LABELS


def stamp(source: Source) -> Stamp:
    """Names, sizes and times of a source's files; equal as long as no file was touched."""
    folders = [source.folder, *([source.data] if source.data else [])]
    return _stamps(
        os.path.join(place, name) for folder in folders for place, _, names in os.walk(folder) for name in names
    )


def _stamps(files: Iterable[str]) -> Stamp:
    found = []
    for file in files:
        try:
            status = os.stat(file)
        except FileNotFoundError:
            continue
        found.append((file, status.st_size, status.st_mtime_ns))
    return tuple(sorted(found))


@contextmanager
def overlaid(source: Source, changes: Mapping[str, Sequence[Mapping[str, Any]]]) -> Iterator[Source]:
    """The source with changes laid over it; what that created in the database is dropped afterwards."""
    above = source
    for table, rows in changes.items():
        above = overlay(above, table, rows)
    try:
        yield above
    finally:
        for schema in set(above.schemas.values()) - set(source.schemas.values()):
            above.connection.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE")
