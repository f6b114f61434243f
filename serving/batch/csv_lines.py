"""Tables as CSV lines: texts stand as they are, quoted only where they must be, and no spreadsheet runs one as a formula."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from features.kit.flat_files.values import is_binary, is_text, plain
from serving.csv_injection import guarded, runs

_STRUCTURE = '[",\r\n]'


def lines(table: pa.Table) -> tuple[bytes, int]:
    """The rows of a table as CSV (RFC 4180, comma, line feed), and how many cells got a `'` before them.

    A missing value is an empty cell; lists and structures are JSON. A text that a spreadsheet would run is told apart from
    a number by having more than digits and their signs.
    """
    if not len(table):
        return b"", 0
    made = [_cells(plain(column)) for column in table.columns]
    cells, quotes = [texts for texts, _ in made], sum(count for _, count in made)
    joined = cells[0] if len(cells) == 1 else pc.binary_join_element_wise(*cells, ",")
    if len(cells) == 1:  # an empty line would be no row
        joined = pc.if_else(pc.equal(joined, ""), '""', joined)
    return "\n".join([*joined.to_pylist(), ""]).encode(), quotes


def _cells(column: Any) -> tuple[Any, int]:
    """A column as cells, and how many of them would have been run."""
    if not is_text(column.type):
        return _quoted(_texts(column)), 0
    formulas = runs(column)
    count = int(pc.sum(pc.cast(formulas, pa.int64())).as_py() or 0)
    return _quoted(guarded(column, formulas) if count else column), count


def header(names: list[str]) -> bytes:
    """The first line. Names are quoted and guarded as values are."""
    cells, _ = _cells(pa.chunked_array([names], pa.string()))
    return (",".join(cells.to_pylist()) + "\n").encode()


def _texts(column: Any) -> Any:
    if pa.types.is_nested(column.type) or is_binary(column.type):
        values = [None if v is None else json.dumps(v, default=str, ensure_ascii=False) for v in column.to_pylist()]
        return pa.chunked_array([pa.array(values, pa.string())])
    return pc.cast(column, pa.string())


def _quoted(texts: Any) -> Any:
    texts = pc.fill_null(texts, "")
    must = pc.match_substring_regex(texts, _STRUCTURE)
    if not pc.any(must).as_py():
        return texts
    quoted = pc.binary_join_element_wise('"', pc.replace_substring(texts, '"', '""'), '"', "")
    return pc.if_else(must, quoted, texts)
