"""Makes the table of an empty file: no rows, the columns of its SELECT in canonical types, and a note of how the file is empty.

A file without rows does not show its types, and an empty file not even its columns. Neither is a fault of the SELECT.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from features.sources.casts import ACCEPTED, family_of, quote
from features.sources.empty_files import why_empty, without_rows
from features.sources.query_files import files_read, parsed
from features.sources.schema import Column, Table, Type

_ARROW: dict[Type, pa.DataType] = {
    "text": pa.string(),
    "integer": pa.int64(),
    "number": pa.float64(),
    "money": pa.float64(),
    "boolean": pa.bool_(),
    "time": pa.timestamp("us", "UTC"),
}
_DUCKDB: dict[Type, str] = {
    "text": "VARCHAR",
    "integer": "BIGINT",
    "number": "DOUBLE",
    "money": "DOUBLE",
    "boolean": "BOOLEAN",
    "time": "TIMESTAMPTZ",
}


def empty_rows(connection: duckdb.DuckDBPyConnection, table: Table, query: str) -> tuple[pa.Table, str] | None:
    """A table without rows, and the reason, when every file that the SELECT reads is empty; else None."""
    files = files_read(connection, query)
    why = [(file, f"is empty ({words})" if (words := why_empty(file)) else None) for file in files]
    if not files or any(words is None for _, words in why):
        return None
    named = _named(connection, query)
    held = [c for c in table.canonical if c.required or c.name in named]
    rows = pa.table({c.name: pa.array([], _ARROW[c.type]) for c in held})
    return rows, _said(why)


def why_no_row(connection: duckdb.DuckDBPyConnection, query: str | None) -> str:
    """Why a SELECT that runs gives no row: its files have none, or it selects none of them."""
    why = [(file, without_rows(file)) for file in ([] if query is None else files_read(connection, query))]
    if not why or any(words is None for _, words in why):
        return "its SELECT gives no row" if query is not None else "rows(data) gives no row"
    return _said(why)


def _said(why: list[tuple[Path, str | None]]) -> str:
    shown = ", ".join(f"{file.name} {words}" for file, words in why[:3])
    return shown + (f", and {len(why) - 3:,} more" if len(why) > 3 else "")


def _named(connection: duckdb.DuckDBPyConnection, query: str) -> set[str]:
    """The names that the outermost SELECT gives its columns, as far as it names them."""
    try:
        items: list[dict[str, Any]] = parsed(connection, query)["statements"][0]["node"]["select_list"]
    except (duckdb.Error, KeyError, IndexError):
        return set()
    return {item.get("alias") or (item.get("column_names") or [""])[-1] for item in items}


def typed(connection: duckdb.DuckDBPyConnection, raw: str, table: Table) -> None:
    """Give the view of a table without rows the types of its columns, where a file without rows could not tell them."""
    types = {row[0]: row[1] for row in connection.execute(f"DESCRIBE {raw}").fetchall()}
    wrong = [c for c in table.canonical if c.name in types and not _is_accepted(c, types[c.name])]
    if not wrong:
        return
    below = quote(f"without_rows_{table.name}")
    connection.execute(f"ALTER VIEW {raw} RENAME TO {below}")
    casts = ", ".join(f"CAST(NULL AS {_DUCKDB[c.type]}) AS {quote(c.name)}" for c in wrong)
    connection.execute(f"CREATE VIEW {raw} AS SELECT * REPLACE ({casts}) FROM {below} WHERE false")


def _is_accepted(column: Column, kind: str) -> bool:
    return family_of(kind) in ACCEPTED[column.type]
