"""Finds the files that a SELECT reads, and whether it works row by row, with DuckDB's own parser."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb

Node = dict[str, Any]
READERS = ("read_parquet", "parquet_scan", "read_csv", "read_csv_auto", "read_json", "read_json_auto")


def parsed(connection: duckdb.DuckDBPyConnection, text: str) -> Any:
    """The tree of a query; its key `error` is true when DuckDB cannot write it as JSON."""
    return json.loads(connection.execute("SELECT json_serialize_sql(?)", [text]).fetchall()[0][0])


def written(connection: duckdb.DuckDBPyConnection, tree: Any) -> str:
    """The SQL text of a tree."""
    return str(connection.execute("SELECT json_deserialize_sql(?)", [json.dumps(tree)]).fetchall()[0][0])


def nodes(tree: Any) -> Iterator[Node]:
    """Every node of a parsed query, without the arguments of table functions."""
    if isinstance(tree, dict):
        yield tree
        if tree.get("type") != "TABLE_FUNCTION":
            for child in tree.values():
                yield from nodes(child)
    elif isinstance(tree, list):
        for child in tree:
            yield from nodes(child)


def texts(node: Any) -> Iterator[str]:
    """The constants of a table function, or the name of a table, which may be a path."""
    if isinstance(node, dict):
        if isinstance(node.get("table_name"), str):
            yield node["table_name"]
        if isinstance(node.get("literal"), dict) and isinstance(node["literal"].get("text"), str):
            yield node["literal"]["text"]
        for child in node.values():
            yield from texts(child)
    elif isinstance(node, list):
        for child in node:
            yield from texts(child)


def everything_from(connection: duckdb.DuckDBPyConnection, node: Node) -> str:
    """SQL of `SELECT * FROM` the node."""
    tree = parsed(connection, "SELECT * FROM somewhere")
    tree["statements"][0]["node"]["from_table"] = node | {"alias": "", "query_location": 0}
    return written(connection, tree)


def by_file(connection: duckdb.DuckDBPyConnection, text: str) -> dict[str, str] | None:
    """For each local file that a SELECT reads, the same SELECT over that file alone; None when they do not add up to its rows.

    They do when it is one SELECT over one reading function, without grouping, DISTINCT, LIMIT, windows or a second query.
    """
    tree = parsed(connection, text)
    if tree.get("error") or len(tree["statements"]) != 1:
        return None
    node = tree["statements"][0]["node"]
    read = node.get("from_table") or {}
    clauses = ("modifiers", "group_expressions", "group_sets", "having", "qualify", "sample")
    if (
        node["type"] != "SELECT_NODE"
        or any(node.get(clause) for clause in clauses)
        or node["cte_map"]["map"]
        or any(n.get("class") in ("WINDOW", "SUBQUERY") for n in nodes(node))
    ):
        return None
    if read.get("type") == "TABLE_FUNCTION":
        function = read["function"]
        if function["function_name"] not in READERS or not function["arguments"]:
            return None
        patterns = list(texts(function["arguments"][0]))
    elif read.get("type") == "BASE_TABLE":
        patterns = [read["table_name"]]
    else:
        return None
    files: list[str] = []
    for pattern in patterns:
        if "://" in pattern:
            return None
        files += [row[0] for row in connection.execute("SELECT file FROM glob(?)", [pattern]).fetchall()]
    if not files or any(set(file) & set("*?[") or not Path(file).is_file() for file in files):
        return None
    return {file: written(connection, _over(tree, file)) for file in sorted(set(files))}


def files_read(connection: duckdb.DuckDBPyConnection, text: str) -> list[Path]:
    """The local files that a query names anywhere; empty when DuckDB has no tree of it."""
    tree = parsed(connection, text)
    patterns: set[str] = set()
    for node in [] if tree.get("error") else nodes(tree):
        if node.get("type") == "TABLE_FUNCTION":
            patterns.update(texts(node.get("function")))
        elif node.get("type") == "BASE_TABLE":
            patterns.update(texts({"table_name": node.get("table_name")}))
    found: set[Path] = set()
    for pattern in patterns:
        if "://" not in pattern and "." in pattern:
            found.update(Path(row[0]) for row in connection.execute("SELECT file FROM glob(?)", [pattern]).fetchall())
    return sorted(file for file in found if file.is_file())


def _over(tree: Any, file: str) -> Any:
    alone = copy.deepcopy(tree)
    read = alone["statements"][0]["node"]["from_table"]
    if read["type"] == "BASE_TABLE":
        read["table_name"], read["qualified_name"] = file, {"path": [file]}
    else:
        place = {"alias": "", "query_location": 0, "query_location_length": 0}
        constant = {"class": "CONSTANT", "type": "VALUE_CONSTANT", "literal": {"kind": "STRING", "text": file}}
        read["function"]["arguments"][0]["expression"] = constant | place
    return alone
