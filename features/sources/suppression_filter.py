"""Removes suppressed and deleted entities from a source's tables, before any other step.

Suppressed : its own rows are removed, and rows that require it (its subscriptions, usage, tickets). Rows that can do without
             it (a touch of somebody else, a lead of that company) stay, without its id.
             So does an account whose parent is suppressed.
Merged     : its rows, events too, move to the entity that remains. Its own versions are removed, or take the new id when the
             source does not have that entity yet.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping

import duckdb
import pyarrow as pa

from features.sources.schema import Table
from features.sources.suppression import OWNERS, PARENTS, SuppressedIds


class SuppressionFilter:
    """The filter of one source; `ids` are the suppressed ids that concern it."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, ids: SuppressedIds) -> None:
        self.ids = ids
        self._connection = connection
        if ids:
            connection.execute("CREATE TABLE suppressed_ids (kind VARCHAR, id VARCHAR, remains VARCHAR)")
            rows = [(kind, hashed, into) for kind, of_kind in ids.items() for hashed, into in of_kind.items()]
            texts = [pa.array(column, pa.string()) for column in zip(*rows, strict=True)]
            connection.register("suppressed_hashes", pa.table(texts, names=["kind", "hashed", "remains"]))

    @property
    def digest(self) -> str:
        """Hash of the suppressed ids; empty without any."""
        return hashlib.sha256(json.dumps(self.ids, sort_keys=True).encode()).hexdigest() if self.ids else ""

    def take_out(self, view: str, table: Table, columns: Mapping[str, str]) -> None:
        """Replace `view`, whose columns are given by name and DuckDB type, by one without suppressed entities.

        Costs one pass over the distinct ids of the table when anybody is suppressed, and nothing otherwise.
        """

        def delivered(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
            return {name: kind for kind, name in pairs if name in columns and table.column(name)}

        owners, parents = delivered(OWNERS.items()), delivered(PARENTS.items())
        named = {**owners, **parents}
        found = [name for name, kind in named.items() if kind in self.ids and self._find(view, kind, name)]
        if not found:
            return
        whole = f'"whole_{table.name}"'
        self._connection.execute(f"ALTER VIEW {view} RENAME TO {whole}")
        joins, replaced, kept, now = [], [], [], {name: f"w.{name}" for name in owners}
        for name in found:
            kind, out = named[name], f"suppressed_{name}"
            joins.append(
                f"LEFT JOIN (SELECT id, remains FROM suppressed_ids WHERE kind = '{kind}') {out} ON {out}.id = w.{name}::VARCHAR"
            )
            value = f"CASE WHEN {out}.id IS NULL THEN w.{name}::VARCHAR ELSE {out}.remains END"
            replaced.append(f"{value} AS {name}")
            if name in parents:
                continue
            now[name] = value
            if name == table.key:
                held = f"SELECT {name}::VARCHAR FROM {whole}"
                kept.append(f"({out}.id IS NULL OR ({out}.remains IS NOT NULL AND {out}.remains NOT IN ({held})))")
            else:
                column = table.column(name)
                if column is not None and column.required:
                    kept.append(f"({out}.id IS NULL OR {out}.remains IS NOT NULL)")
        if table.key is None or table.key not in OWNERS.values():
            # A touch or deal that no longer has an owner is removed. One that never had an owner stays.
            before = " OR ".join(f"w.{name} IS NOT NULL" for name in owners)
            after = " OR ".join(f"{value} IS NOT NULL" for value in now.values())
            kept.append(f"(({after}) OR NOT ({before}))")
        self._connection.execute(
            f"CREATE VIEW {view} AS SELECT w.* REPLACE ({', '.join(replaced)}) FROM {whole} w {' '.join(joins)} "
            f"WHERE {' AND '.join(kept) or 'true'}"
        )

    def _find(self, view: str, kind: str, name: str) -> bool:
        """Add the suppressed ids of a table to `suppressed_ids`; returns whether there are any."""
        self._connection.execute(
            f"INSERT INTO suppressed_ids SELECT m.kind, d.id, m.remains FROM (SELECT DISTINCT {name}::VARCHAR AS id FROM {view}) d "
            f"JOIN suppressed_hashes m ON m.kind = '{kind}' AND m.hashed = sha256('{kind}:' || d.id) "
            f"WHERE d.id NOT IN (SELECT id FROM suppressed_ids WHERE kind = '{kind}')"
        )
        asked = f"SELECT 1 FROM {view} WHERE {name}::VARCHAR IN (SELECT id FROM suppressed_ids WHERE kind = '{kind}') LIMIT 1"
        return self._connection.execute(asked).fetchone() is not None
