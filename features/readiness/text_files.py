"""Finds CSV and JSON values that a SELECT cuts: by types read from the first rows, or by a type that it names
itself."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from typing import Any

import duckdb

from features.readiness.line import Line
from features.sources.casts import ACCEPTED, quote
from features.sources.full_sample import SAMPLED, argument_name
from features.sources.query_files import Node, everything_from, nodes, parsed
from features.sources.source import Source

NAMED = ("types", "dtypes", "column_types", "columns")
"""Arguments that give columns a type."""
_WHOLE = frozenset(ACCEPTED["integer"]) | {"INT", "INT4", "INT8", "INT2", "LONG", "BIGINT", "SHORT"}


def text_file_lines(source: Source, name: str) -> Iterable[Line]:
    """A line when types may come from a sample, and one per column whose named type cuts a fraction or a time of day off."""
    if source.is_sampled(name):
        yield Line(
            severity="weakens",
            table=name,
            column="",
            rows=None,
            rule="the types of a CSV or JSON file are settled by all of its rows",
            found="its SELECT may read them from the first 20,480 rows: a later 49.50 in a column of whole numbers would be 50",
            needed="sample_size = -1, or the type of each column",
            what_to_do="write sample_size = -1 into each read_csv and read_json of the SELECT, in the place of a file's name too; where the "
            "whole file has no one form, name each column and its type: read_csv(..., columns = {'mrr': 'DOUBLE', ...})",
        )
    text = source.statement(name)
    for column, kind, wider, rows, value in _cut(source.connection, text) if text else ():
        yield Line(
            severity="weakens",
            table=name,
            column=column,
            rows=rows,
            rule="a type that a SELECT names holds every value of the file",
            found=f"{rows:,} values are more than {kind}, such as {value!r}: they are rounded or cut",
            needed=wider,
            what_to_do=f"write '{column}': '{wider}' in the place of '{column}': '{kind}'",
        )


def _cut(connection: duckdb.DuckDBPyConnection, text: str) -> Iterator[tuple[str, str, str, int, str]]:
    """Yields the column, its named type, a type that holds it, the number of values that are cut, and one of them."""
    tree = parsed(connection, text)
    for node in [] if tree.get("error") else nodes(tree):
        if node.get("type") != "TABLE_FUNCTION" or node["function"]["function_name"].lower() not in SAMPLED:
            continue
        whole = copy.deepcopy(node)
        named = {type_["alias"] or name: type_ for name, type_ in _named_types(whole)}
        kinds = {column: str(type_["literal"]["text"]).upper() for column, type_ in named.items()}
        narrow = {column: kind for column, kind in kinds.items() if kind in _WHOLE or kind == "DATE"}
        if not narrow:
            continue
        for column in narrow:
            named[column]["literal"]["text"] = "VARCHAR"
        rows = everything_from(connection, whole)
        for column, kind in narrow.items():
            wider = "TIMESTAMP" if kind == "DATE" else "DOUBLE"
            more = f"TRY_CAST({quote(column)} AS {wider}) <> " + (
                f"TRY_CAST({quote(column)} AS DATE)"
                if kind == "DATE"
                else f"trunc(TRY_CAST({quote(column)} AS DOUBLE))"
            )
            try:
                count, value = connection.execute(
                    f"SELECT count(*), min({quote(column)}) FROM ({rows}) WHERE {more}"
                ).fetchall()[0]
            except duckdb.OutOfMemoryException:
                raise
            except duckdb.Error:
                continue
            if count:
                yield column, kind, wider, count, value


def _named_types(function: Node) -> Iterator[tuple[str, Any]]:
    """Name of a column and the constant that is its type, of a reading function's arguments."""
    for each in function["function"]["arguments"]:
        if argument_name(each).lower() not in NAMED:
            continue
        value = each["expression"] if each["name"] else each["expression"]["right"]
        for field in value.get("arguments") or value.get("children") or ():
            constant = field.get("expression", field)
            if isinstance(constant.get("literal"), dict):
                yield field.get("name", ""), constant
