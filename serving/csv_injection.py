"""Quotes texts that a spreadsheet would run as formulas (OWASP, CSV injection)."""

from __future__ import annotations

import re
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

_FORMULA = "^[=+\\-@\t\r\n\0＝＋－＠]"
"""The full-width signs are formulas to a spreadsheet set to Japanese."""
_HARMLESS = r"^[+-]?([0-9.,' ()/:%-]*|[0-9]+(\.[0-9]+)?[eE][+-]?[0-9]+)$"
"""Numbers, phone numbers and dates: without a letter, an operator or an equals sign nothing is called."""


def harmless(text: str) -> str:
    """A cell that no spreadsheet runs: what starts like a formula is quoted, but a number, a phone number or a date stays one.

    >>> harmless("=1+1"), harmless("acme"), harmless("-12.5"), harmless("-2+3"), harmless("+49 30 1234")
    ("'=1+1", 'acme', '-12.5', "'-2+3", '+49 30 1234')
    """
    return f"'{text}" if re.match(_FORMULA, text) and not re.match(_HARMLESS, text) else text


def harmless_table(table: pa.Table) -> pa.Table:
    """The same for every text column of a table; other columns hold no formulas."""
    for place, field in enumerate(table.schema):
        if pa.types.is_string(field.type):
            table = table.set_column(place, field, _harmless_column(table.column(place)))
    return table


def runs(column: Any) -> Any:
    """Which texts of an Arrow column a spreadsheet would run; null counts as not."""
    formula = pc.match_substring_regex(column, _FORMULA)
    return pc.fill_null(pc.and_not(formula, pc.match_substring_regex(column, _HARMLESS)), False)


def _harmless_column(column: Any) -> Any:
    return guarded(column, runs(column))


def guarded(column: Any, where: Any) -> Any:
    """The texts, with a `'` before those that are marked."""
    return pc.if_else(where, pc.binary_join_element_wise("'", column, ""), column)
