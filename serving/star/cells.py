"""Texts that no spreadsheet takes for a formula (OWASP, CSV injection)."""

from __future__ import annotations

import re
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

_FORMULA = "^[=+\\-@\t\r\n\0＝＋－＠]"
"""The full-width signs are formulas to a spreadsheet set to Japanese."""
_NUMBER = r"^[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?$"


def harmless(text: str) -> str:
    """A cell that no spreadsheet runs: what starts like a formula is quoted, but a number stays one.

    >>> harmless("=1+1"), harmless("acme"), harmless("-12.5"), harmless("-2+3")
    ("'=1+1", 'acme', '-12.5', "'-2+3")
    """
    return f"'{text}" if re.match(_FORMULA, text) and not re.match(_NUMBER, text) else text


def harmless_table(table: pa.Table) -> pa.Table:
    """The same for every text column of a table; other columns hold no formulas."""
    for place, field in enumerate(table.schema):
        if pa.types.is_string(field.type):
            table = table.set_column(place, field, _harmless_column(table.column(place)))
    return table


def _harmless_column(column: Any) -> Any:
    formula = pc.match_substring_regex(column, _FORMULA)
    number = pc.match_substring_regex(column, _NUMBER)
    return pc.if_else(pc.and_not(formula, number), pc.binary_join_element_wise("'", column, ""), column)
