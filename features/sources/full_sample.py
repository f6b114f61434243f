"""Makes DuckDB take the types of CSV and JSON columns from all rows, whatever sample the SELECT asks for.

DuckDB decides a column's type by the first 20,480 rows of a file. Later values are cast to it, and a cast rounds: 49.50 in
a column of whole numbers is 50, 17:30 in a column of days is 00:00, "0012" is 12, without an error (duckdb/duckdb #25824).
So each `read_csv` and `read_json` of a SELECT gets `sample_size = -1`. 3 million rows (150 MB) take 3.3 s on 2 cores to look
through, once.
"""

from __future__ import annotations

import copy
import re
from pathlib import PurePath
from typing import Any

import duckdb

from features.sources.query_files import Node, nodes, parsed, texts, written

SAMPLED = ("read_csv", "read_csv_auto", "sniff_csv", "read_json", "read_json_auto", "read_ndjson", "read_ndjson_auto")
"""The functions of DuckDB that decide types by a sample."""
NAMED_ENDINGS = {"csv": "read_csv", "tsv": "read_csv", "json": "read_json", "jsonl": "read_json", "ndjson": "read_json"}
"""The function by which DuckDB reads a file that is named in place of a table, by the ending of the name."""
PACKED_ENDINGS = ("gz", "zst")
_CALL = re.compile(rf"\b(?:{'|'.join(SAMPLED)})\s*\(", re.IGNORECASE)
_NAMED = re.compile(
    rf"\b(?:FROM|JOIN|PIVOT|PIVOT_WIDER|UNPIVOT)\s+(['\"])[^'\"]*\.(?:{'|'.join(NAMED_ENDINGS)})(?:\.(?:{'|'.join(PACKED_ENDINGS)}))?\1",
    re.IGNORECASE,
)
_WHOLE = re.compile(r"\bsample_size\s*:?=\s*-1\b", re.IGNORECASE)
_PLACES = ("query_location", "query_location_length")


def with_full_sample(connection: duckdb.DuckDBPyConnection, text: str) -> str:
    """The same query with types from all rows.

    The text is unchanged when it reads no text file, or when neither DuckDB's own rendering nor the edited text parses to the
    same query.
    """
    tree = parsed(connection, text)
    if tree.get("error"):
        return text
    whole = _widened(tree)
    if whole == tree:
        return text
    for sql in (written(connection, whole), _edited(text, tree)):
        found = parsed(connection, sql)
        if not found.get("error") and _same(found, whole):
            return sql
    return text


def reads_text_files(text: str) -> bool:
    """Whether a query reads a CSV or JSON file, by its text; works also for a query that DuckDB gives no tree of (PIVOT).

    >>> reads_text_files("FROM read_csv('a.txt')"), reads_text_files("FROM 'a.csv.gz'"), reads_text_files("FROM 'a.parquet'")
    (True, True, False)
    """
    return _CALL.search(text) is not None or _NAMED.search(text) is not None


def may_be_sampled(connection: duckdb.DuckDBPyConnection, text: str) -> bool:
    """Whether a query reads a text file whose types are decided by its first rows alone."""
    tree = parsed(connection, text)
    if tree.get("error"):
        return len(_WHOLE.findall(text)) < len(_CALL.findall(text)) or _NAMED.search(text) is not None
    return _widened(tree) != tree or any(
        node.get("type") == "TABLE_FUNCTION"
        and node["function"]["function_name"].lower() == "query"
        and any(may_be_sampled(connection, inner) for inner in texts(node["function"]))
        for node in nodes(tree)
    )


def _widened(tree: Node) -> Node:
    whole = copy.deepcopy(tree)
    _widen(whole)
    return whole


def _widen(tree: Any) -> None:
    """Put `sample_size = -1` into each sampling function of the tree; a file in place of a table becomes such a function."""
    if isinstance(tree, list):
        for child in tree:
            _widen(child)
    elif isinstance(tree, dict):
        if tree.get("type") == "BASE_TABLE" and (function := _function_of(tree.get("table_name", ""))):
            _become_function(tree, function)
        if tree.get("type") == "TABLE_FUNCTION" and tree["function"]["function_name"].lower() in SAMPLED:
            _sample_all(tree["function"])
        for child in tree.values():
            _widen(child)


def _edited(text: str, tree: Node) -> str:
    """The text with the argument inserted by position. DuckDB renders VALUES and ILIKE ... ESCAPE as another tree than it parsed."""
    raw = text.encode()
    found = [node for node in nodes(tree) if node.get("type") in ("TABLE_FUNCTION", "BASE_TABLE")]
    for node in sorted(found, key=lambda each: int(each["query_location"]), reverse=True):
        begin = int(node["query_location"])
        end = begin + int(node["query_location_length"])
        span = raw[begin:end]
        if node["type"] == "TABLE_FUNCTION" and node["function"]["function_name"].lower() in SAMPLED:
            bracket = span.rfind(b")")
            span = span[:bracket] + b", sample_size = -1" + span[bracket:]
        elif node["type"] == "BASE_TABLE" and (function := _function_of(node["table_name"])):
            file = node["table_name"]
            alias = "" if node["alias"] else f' AS "{_stem(file)}"'
            quoted = file.replace("'", "''")
            call = f"{function}('{quoted}', sample_size = -1){alias}"
            # The span covers the name with its quotes, and the alias behind it.
            span = call.encode() + span[len(quoted.encode()) + 2 :]
        raw = raw[:begin] + span + raw[end:]
    return raw.decode(errors="replace")


def _stem(file: str) -> str:
    return PurePath(file).name.split(".")[0]


def _function_of(file: str) -> str | None:
    """The function by which DuckDB reads a file of this name; None for a table or another kind of file.

    >>> _function_of("a/b.CSV.gz"), _function_of("usage")
    ('read_csv', None)
    """
    endings = file.lower().split(".")[1:]
    if endings and endings[-1] in PACKED_ENDINGS:
        endings.pop()
    return NAMED_ENDINGS.get(endings[-1]) if endings else None


def _become_function(table: Node, function: str) -> None:
    file = table["table_name"]
    kept = {key: table[key] for key in ("sample", "column_name_alias", *_PLACES) if key in table}
    alias = table["alias"] or _stem(file)
    call = {
        "class": "FUNCTION",
        "type": "FUNCTION",
        "alias": "",
        "function_name": function,
        "schema": "",
        "filter": None,
        "order_bys": {"type": "ORDER_MODIFIER", "orders": []},
        "distinct": False,
        "is_operator": False,
        "export_state": False,
        "catalog": "",
        "arguments": [_argument("", "STRING", file)],
        "qualified_name": {"path": [function]},
    } | dict.fromkeys(_PLACES, 0)
    table.clear()
    table.update(
        kept | {"type": "TABLE_FUNCTION", "alias": alias, "function": call, "with_ordinality": "WITHOUT_ORDINALITY"}
    )


def _sample_all(function: Node) -> None:
    if "columns" in map(argument_name, function["arguments"]):
        return  # each column has the type that the SELECT says
    others = [each for each in function["arguments"] if argument_name(each).lower() != "sample_size"]
    whole = _argument("sample_size", "INTEGER", "-1")
    if function["arguments"] == others or _bare(function["arguments"]) != _bare([*others, whole]):
        function["arguments"] = [*others, whole]


def _argument(name: str, kind: str, text: str) -> Node:
    literal = {"kind": kind, "text": text}
    constant = {"class": "CONSTANT", "type": "VALUE_CONSTANT", "alias": name, "literal": literal} | dict.fromkeys(
        _PLACES, 0
    )
    return {"name": name, "expression": constant}


def argument_name(argument: Node) -> str:
    """The name of an argument, written `name := value` or `name = value`; "" for a positional one."""
    expression = argument["expression"]
    if argument["name"] or expression.get("type") != "COMPARE_EQUAL":
        return str(argument["name"])
    names = expression["left"].get("column_names") or [""]
    return str(names[-1])


def _same(one: Any, other: Any) -> bool:
    return bool(_bare(one) == _bare(other))


def _bare(tree: Any) -> Any:
    """A tree without what does not change the query: positions in the text, and how an argument's name is written."""
    if isinstance(tree, list):
        return [_bare(child) for child in tree]
    if not isinstance(tree, dict):
        return tree
    if set(tree) == {"name", "expression"}:
        name, value = argument_name(tree).lower(), tree["expression"]
        named = name and not tree["name"]
        return {"name": name, "expression": _bare(value["right"] if named else value) | {"alias": ""}}
    return {key: _bare(value) for key, value in tree.items() if key not in _PLACES}
