"""Who is gone: erased for privacy, deleted in a CRM, or merged into another. No reader of a source sees them any more, even
while the source's own files still have their rows.

`ACCOUNTSCORE_HOME/removed.json` says who; serving writes it with every removal, and every source that is opened reads it, so
that the nightly batch and the next training know as much as the worker. Ids that are gone stand there as hashes.

Gone       : rows of its own are left out; rows that must have it (its subscriptions, usage, tickets) too; rows that may do
             without it (a touch of somebody else, a lead of that company) lose its id and stay.
Merged     : what belonged to it, events too, belongs to the one that remains; its own rows are left out, or take the new id
             when the source does not have that yet.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import pyarrow as pa

from features.kit import atomic_files
from features.kit.errors import UserMistake
from features.sources.schema import Table

FILE = "removed.json"
OWNERS = {"account": "account_id", "lead": "lead_id", "contact": "contact_id"}
"""Kind to the column that names one."""
Marks = Mapping[str, Mapping[str, str | None]]
"""Kind -> hash of an id -> the id that remains, or None where nothing does."""


def mark_of(kind: str, name: str) -> str:
    """What stands for an id that must not be named.

    >>> mark_of("lead", "7")[:8]
    '118867b3'
    """
    return hashlib.sha256(f"{kind}:{name}".encode()).hexdigest()


@dataclass(frozen=True)
class Removed:
    """Everybody who is gone, from all sources or from one."""

    everywhere: Marks = field(default_factory=dict)
    sources: Mapping[str, Marks] = field(default_factory=dict)
    """By the name of the source's folder."""

    @classmethod
    def load(cls, home: Path) -> Removed:
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

    def of(self, source: str) -> Marks:
        """All that concerns one source."""
        own = self.sources.get(source, {})
        found = {kind: {**own.get(kind, {}), **self.everywhere.get(kind, {})} for kind in OWNERS}
        return {kind: marks for kind, marks in found.items() if marks}


class LeftOut:
    """Takes what is gone out of the tables of one source, before anything else is made of them."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, marks: Marks) -> None:
        self.marks = marks
        self._connection = connection
        if marks:
            connection.execute("CREATE TABLE removed_ids (kind VARCHAR, id VARCHAR, remains VARCHAR)")
            rows = [(kind, mark, into) for kind, of_kind in marks.items() for mark, into in of_kind.items()]
            texts = [pa.array(column, pa.string()) for column in zip(*rows, strict=True)]
            connection.register("removed_marks", pa.table(texts, names=["kind", "mark", "remains"]))

    @property
    def digest(self) -> str:
        """Equal for equal removals."""
        return hashlib.sha256(json.dumps(self.marks, sort_keys=True).encode()).hexdigest() if self.marks else ""

    def take_out(self, view: str, table: Table, columns: Mapping[str, str]) -> None:
        """Put a view without what is gone in the place of `view`, which has these columns (name to DuckDB's type).

        Costs one look at the distinct ids of the table when anybody is gone, nothing otherwise.
        """
        owners = {kind: name for kind, name in OWNERS.items() if name in columns and table.column(name)}
        found = [kind for kind, name in owners.items() if kind in self.marks and self._find(view, kind, name)]
        if not found:
            return
        whole = f'"whole_{table.name}"'
        self._connection.execute(f"ALTER VIEW {view} RENAME TO {whole}")
        joins, replaced, kept, now = [], [], [], {name: f"w.{name}" for name in owners.values()}
        for kind in found:
            name, gone = owners[kind], f"gone_{kind}"
            joins.append(
                f"LEFT JOIN (SELECT id, remains FROM removed_ids WHERE kind = '{kind}') {gone} ON {gone}.id = w.{name}::VARCHAR"
            )
            now[name] = f"CASE WHEN {gone}.id IS NULL THEN w.{name}::VARCHAR ELSE {gone}.remains END"
            replaced.append(f"{now[name]} AS {name}")
            if name == table.key:
                held = f"SELECT {name}::VARCHAR FROM {whole}"
                kept.append(f"({gone}.id IS NULL OR ({gone}.remains IS NOT NULL AND {gone}.remains NOT IN ({held})))")
            else:
                column = table.column(name)
                if column is not None and column.required:
                    kept.append(f"({gone}.id IS NULL OR {gone}.remains IS NOT NULL)")
        if table.key is None or table.key not in OWNERS.values():
            # A touch of nobody, a deal of nobody: nothing is left of it. One that was so from the start stays.
            before = " OR ".join(f"w.{name} IS NOT NULL" for name in owners.values())
            after = " OR ".join(f"{value} IS NOT NULL" for value in now.values())
            kept.append(f"(({after}) OR NOT ({before}))")
        self._connection.execute(
            f"CREATE VIEW {view} AS SELECT w.* REPLACE ({', '.join(replaced)}) FROM {whole} w {' '.join(joins)} "
            f"WHERE {' AND '.join(kept) or 'true'}"
        )

    def _find(self, view: str, kind: str, name: str) -> bool:
        """Note the ids of a table that are gone; whether there are any."""
        self._connection.execute(
            f"INSERT INTO removed_ids SELECT m.kind, d.id, m.remains FROM (SELECT DISTINCT {name}::VARCHAR AS id FROM {view}) d "
            f"JOIN removed_marks m ON m.kind = '{kind}' AND m.mark = sha256('{kind}:' || d.id) "
            f"WHERE d.id NOT IN (SELECT id FROM removed_ids WHERE kind = '{kind}')"
        )
        asked = (
            f"SELECT 1 FROM {view} WHERE {name}::VARCHAR IN (SELECT id FROM removed_ids WHERE kind = '{kind}') LIMIT 1"
        )
        return self._connection.execute(asked).fetchone() is not None
