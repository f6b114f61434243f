"""Reads rows of a canonical table for `features query`: after the casts, without suppressed entities.

The condition is one SQL expression over the columns of a row. It is parsed before it is run: a second statement, a subquery (which
could read any file) and a closing bracket too many are refused.
"""

from __future__ import annotations

import contextlib
import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from features.kit.errors import BadInput, Fault, UserMistake
from features.sources.casts import internal, quote
from features.sources.duckdb_errors import Told
from features.sources.overlay import custom_column
from features.sources.query_files import nodes, parsed
from features.sources.query_text import QueryText
from features.sources.schema import KNOWN_TIME, TABLES, Type
from features.sources.source import Source

RULE = "--where is one expression over the columns of a row"
_PLANNED = "EXPLAIN "
_WHERE = "SELECT * FROM rows_read WHERE (\n"


@dataclass(frozen=True)
class TableRows:
    """Some rows of a table."""

    types: dict[str, Type]
    """The type of each column, by name."""
    rows: pa.Table
    """Times as timestamp[us, UTC], money in currency units; null is missing."""
    more: bool
    """Whether there are further rows that meet the condition."""


def table_rows(source: Source, table: str, where: str | None = None, limit: int = 20) -> TableRows:
    """The first `limit` rows by id and time.

    Raises `UserMistake` for a table that the source does not have, and `BadInput` for a table that could not be loaded or a
    condition that is not an expression over its columns.
    """
    if table not in TABLES or not source.has_file(table):
        near = difflib.get_close_matches(table, source.tables, 1, 0.6)
        meant = f"; write {near[0]}" if near else ""
        raise UserMistake(f"source {source.name!r} has no table {table!r}; it has {', '.join(source.tables)}{meant}")
    if table in source.broken:
        raise BadInput(f"table {table} of source {source.name!r}", source.broken[table])
    types = _types(source, table)
    select = f"SELECT {', '.join(_item(source, table, name, kind) for name, kind in types.items())} FROM {quote(table)}"
    first = [n for n in (TABLES[table].key, "account_id", "lead_id", "event_time", "known_time") if n in types]
    order = f" ORDER BY {', '.join(map(quote, dict.fromkeys(first)))}" if first else ""
    asked = f"SELECT * FROM ({select})"
    if where is not None:
        asked = f"WITH rows_read AS ({select}) {_WHERE}"
        text = QueryText(Path("--where"), where)
        if (fault := _fault_of_shape(source.connection, text)) is not None:
            raise BadInput("--where", [fault])
    with _errors_as_json(source):
        try:
            query = f"{asked}{text.run}\n)" if where is not None else asked
            before = _PLANNED  # errors of EXPLAIN have a position, those of `connection.sql` have none
            source.connection.execute(f"{before}{query}").fetchall()
            before = ""
            found = source.connection.sql(f"{query}{order} LIMIT {limit + 1}").to_arrow_table()
        except duckdb.OutOfMemoryException:
            raise
        except duckdb.Error as error:
            if where is None:
                raise
            raise BadInput("--where", [_fault(Told.of(error), text, len(f"{before}{asked}".encode()), types)]) from None
    return TableRows(types, found.slice(0, limit), found.num_rows > limit)


def _types(source: Source, table: str) -> dict[str, Type]:
    names = [*source.columns[table], *source.custom[table]]
    definition = TABLES[table]
    found: dict[str, Type] = {}
    for name in names:
        column = KNOWN_TIME if name == "known_time" else definition.column(name) or custom_column(source, table, name)
        assert column is not None
        found[name] = column.type
    return found


def _item(source: Source, table: str, name: str, kind: Type) -> str:
    held = internal(name) if kind == "time" and name not in source.custom[table] else quote(name)
    if kind == "time":
        return f"make_timestamptz({held}) AS {quote(name)}"
    return f"{held} / 100.0 AS {quote(name)}" if kind == "money" else f"{held} AS {quote(name)}"


def _fault_of_shape(connection: duckdb.DuckDBPyConnection, text: QueryText) -> Fault | None:
    """The fault of a condition that is not exactly one expression; None when it is."""
    step = "write a condition such as event_time >= '2025-01-01' AND account_id = 'a1'"
    if not text.run:
        return Fault(where="--where", found="it is empty", rule=RULE, next_step=step)
    before = "SELECT (\n"
    try:
        statements = duckdb.extract_statements(f"{before}{text.run}\n)")
    except duckdb.Error:
        with contextlib.closing(duckdb.connect()) as apart:
            apart.execute("SET errors_as_json = true")
            try:
                apart.execute(f"{before}{text.run}\n)")
            except duckdb.Error as error:
                told = Told.of(error)
                return _fault(told, text, len(before), {})
        return Fault(where="--where", found="it cannot be parsed", rule=RULE, next_step=step)
    tree = parsed(connection, f"{before}{text.run}\n)")
    if len(statements) != 1 or tree.get("error") or len(tree["statements"]) != 1:
        return Fault(where="--where", found="it holds more than an expression", rule=RULE, next_step=step)
    node = tree["statements"][0]["node"]
    clauses = ("where_clause", "group_expressions", "having", "qualify", "sample", "modifiers")
    if (
        node["type"] != "SELECT_NODE"
        or len(node["select_list"]) != 1
        or (node.get("from_table") or {}).get("type") != "EMPTY"
        or any(node.get(clause) for clause in clauses)
    ):
        return Fault(where="--where", found="it holds more than an expression", rule=RULE, next_step=step)
    if any(n.get("class") == "SUBQUERY" or n.get("type") == "TABLE_FUNCTION" for n in nodes(node)):
        return Fault(
            where="--where",
            found="it holds a subquery",
            rule=RULE,
            next_step="compare the columns of the row; other tables are asked on their own",
        )
    return None


def _fault(told: Told, text: QueryText, before: int, types: dict[str, Any]) -> Fault:
    excerpt = None
    length = len(text.run.encode())
    if told.position is not None:
        # When the end is missing, DuckDB names the bracket that we put behind it.
        excerpt = text.excerpt(min(max(told.position - before, 0), length), min(told.length, length))
    step = "mend the condition at the caret"
    found = told.line
    if told.name and types and "not found in FROM" in told.message:
        near = difflib.get_close_matches(told.name.lower(), types, 1, 0.6)
        step = f"write {near[0]} in the place of {told.name}" if near else f"write one of {', '.join(types)}"
    elif told.kind == "Conversion" and excerpt is not None and excerpt.word.startswith("'"):
        found, step = (
            f"{excerpt.word} is not of the type that it is compared with",
            "write a time as '2025-01-01 10:00:00', a number as 12.5",
        )
    elif told.kind == "Conversion":
        # The value is not named: an error must not show the content of a row.
        found, step = (
            "a cast that does not read every value",
            "write TRY_CAST in the place of CAST: what cannot be read is null",
        )
    where = "--where" if excerpt is None else f"--where, line {excerpt.line}"
    return Fault(where=where, found=found, rule=RULE, next_step=step, excerpt="" if excerpt is None else str(excerpt))


@contextlib.contextmanager
def _errors_as_json(source: Source) -> Iterator[None]:
    source.connection.execute("SET errors_as_json = true")
    try:
        yield
    finally:
        source.connection.execute("SET errors_as_json = false")
