"""Suggests a cast for a column of the wrong type: every usual cast is tried on the column's own values.

A cast that is suggested without being tried fails in the next round: `CAST(... AS BIGINT)` on '51-200', `CAST(... AS VARCHAR)` on
ids that a file stores as 100057.0.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import duckdb

from features.sources.casts import ACCEPTED, family_of, quote
from features.sources.schema import Column, Type

READS_ENOUGH = 0.5
"""A cast is suggested only if it reads at least this share of the values."""
TRIED_VALUES = 4_000
"""All casts are tried on this many distinct values, drawn by their hash; the best one is then tried on every row. (Some 60 casts
on 300,000 rows took 30 s.)"""
_UNIT = r"\s*([A-Z]{0,3}[^\w\s.,()%+''’-]{1,2}|[A-Z]{3}|kr|zł|Kč)?\s*"
"""A currency before or after a number: a sign, or its code. With any other word the text is no amount."""
_POINT = rf"'^{_UNIT}[+-]?{_UNIT}([0-9]+|[0-9]{{1,3}}([, ''’][0-9]{{3}})+)(\.[0-9]+)?{_UNIT}$'"
"""1,234.50 with a sign and a currency around it; the next pattern is for 1.234,50."""
_COMMA = rf"'^{_UNIT}[+-]?{_UNIT}([0-9]+|[0-9]{{1,3}}([. ''’][0-9]{{3}})+)(,[0-9]+)?{_UNIT}$'"
_RANGE = r"'^\s*[<>~≥≤]*\s*[0-9][0-9,]*\s*($|[-–+]|to\b|bis\b|[a-z]+$)'"
"""51-200, 10,000+, >500, 50 to 100, 20 people."""
_DAYS = (
    "%d.%m.%Y",
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%Y/%m/%d",
    "%d-%m-%Y",
    "%m-%d-%Y",
    "%Y%m%d",
    "%d %b %Y",
    "%b %d, %Y",
    "%d %B %Y",
    "%B %d, %Y",
)
_HOURS = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p")


@dataclass(frozen=True)
class Way:
    """One cast: an expression over a column (`{c}`), and the condition on a value under which its result is right."""

    expression: str
    only: str = "true"
    said: str = ""
    """What the cast does with a value, where that is not obvious."""

    @property
    def tolerant(self) -> str:
        """The expression with null for values that it cannot read. (TRY does not do: DuckDB 2.0 moves a repeated cast out of it.)"""
        return self.expression.replace("CAST(", "TRY_CAST(").replace("strptime(", "try_strptime(")

    def guarded(self, c: str) -> str:
        """The tolerant expression over the column `c`, null where the condition does not hold."""
        read = self.tolerant.replace("{c}", c)
        return read if self.only == "true" else f"CASE WHEN {self.only.replace('{c}', c)} THEN {read} END"


def _ways(type_: Type, family: str) -> Iterator[Way]:
    text = family in ACCEPTED["text"]
    if type_ == "text":
        if family in ("DOUBLE", "FLOAT", "DECIMAL"):
            yield Way("CAST(CAST({c} AS BIGINT) AS VARCHAR)", "{c} = floor({c})")
        if family == "BLOB":
            yield Way("decode({c})")
        yield Way("CAST({c} AS VARCHAR)")
    elif type_ == "boolean":
        yield Way("CAST({c} AS BOOLEAN)")
    elif type_ == "time":
        yield from _times(text, family)
    elif type_ == "integer":
        if family in ("DOUBLE", "FLOAT", "DECIMAL"):
            yield Way("CAST({c} AS BIGINT)", "{c} = floor({c})")
            yield Way("CAST(round({c}) AS BIGINT)", said="rounds")
        if text:
            yield Way("CAST({c} AS BIGINT)", "NOT regexp_matches({c}, '[.,]')")
            yield Way(
                "CAST(regexp_replace({c}, '[^0-9+-]', '', 'g') AS BIGINT)",
                f"regexp_matches({{c}}, {_POINT}) AND NOT contains({{c}}, '.')",
            )
            yield Way(
                "CAST(regexp_replace({c}, '[^0-9+-]', '', 'g') AS BIGINT)",
                f"regexp_matches({{c}}, {_COMMA}) AND NOT contains({{c}}, ',')",
                "takes the point for the sign between thousands",
            )
            yield Way("CAST(round(CAST({c} AS DOUBLE)) AS BIGINT)", said="rounds")
            lower = "CAST(regexp_extract(regexp_replace({c}, '[, ]', '', 'g'), '[0-9]+') AS BIGINT)"
            yield Way(
                lower, f"regexp_matches({{c}}, {_RANGE}) AND NOT contains({{c}}, '.')", "takes the lower end of a range"
            )
        if family == "BOOLEAN":
            yield Way("CAST({c} AS BIGINT)")
    else:
        yield Way("CAST({c} AS DOUBLE)")
        if text:
            yield Way("CAST(regexp_replace({c}, '[^0-9.+-]', '', 'g') AS DOUBLE)", f"regexp_matches({{c}}, {_POINT})")
            comma = "CAST(replace(regexp_replace({c}, '[^0-9,+-]', '', 'g'), ',', '.') AS DOUBLE)"
            yield Way(comma, f"regexp_matches({{c}}, {_COMMA})")
            yield Way(
                "CAST(replace(replace({c}, '%', ''), ',', '.') AS DOUBLE) / 100", "regexp_matches({c}, '^[^%]*%\\s*$')"
            )


def _times(text: bool, family: str) -> Iterator[Way]:
    if text:
        yield Way(
            "CAST({c} AS TIMESTAMP)", "NOT regexp_matches({c}, '(Z|[+-][0-9]{2}(:?[0-9]{2})?)$') OR length({c}) <= 10"
        )
        yield Way("CAST({c} AS TIMESTAMPTZ)", "length({c}) > 10")
        for day in _DAYS:
            for hour in _HOURS:
                yield Way(f"strptime({{c}}, '{day}{hour}')")
    number = "CAST({c} AS BIGINT)"
    if text or family in ACCEPTED["number"]:
        # Moments from 1973 to 2128 in each unit: numbers of this size are nothing else.
        for made, unit in (
            ("make_timestamp({n})", 1e6),
            ("make_timestamp({n} * 1000)", 1e3),
            ("make_timestamp({n} * 1000000)", 1.0),
        ):
            yield Way(
                made.replace("{n}", number), f"TRY_CAST({{c}} AS DOUBLE) BETWEEN {1e8 * unit:.0f} AND {5e9 * unit:.0f}"
            )
        yield Way("make_timestamp({n} // 1000)".replace("{n}", number), "TRY_CAST({c} AS DOUBLE) BETWEEN 1e17 AND 5e18")
        yield Way(
            f"strptime(CAST({number} AS VARCHAR), '%Y%m%d')", "TRY_CAST({c} AS DOUBLE) BETWEEN 19000101 AND 21991231"
        )
        yield Way(
            f"DATE '1899-12-30' + CAST({number} AS INTEGER)",
            "TRY_CAST({c} AS DOUBLE) BETWEEN 10000 AND 90000",
            "reads days as a spreadsheet counts them",
        )


@dataclass(frozen=True)
class Reading:
    """The cast that reads most of a column's values."""

    expression: str
    rows: int
    """Number of values that are not null, and how many of them the cast reads."""
    read: int
    lost: str | None
    """One value that it does not read; None when it reads all."""
    said: str

    @property
    def remark(self) -> str:
        """What happens to the values, where that is not obvious; begins with a comma or semicolon, or is empty."""
        said = f", which {self.said}" if self.said else ""
        if self.read < self.rows:
            said += f"; {self.rows - self.read:,} of {self.rows:,} values become null, such as {shown(self.lost)}"
        return said


def reading(
    connection: duckdb.DuckDBPyConnection, select: str, name: str, type_: Type, duckdb_type: str
) -> Reading | None:
    """The cast that reads most of the column `name` of a SELECT's rows; None when none reads half of them, or there are no values."""
    ways, text = list(_ways(type_, family_of(duckdb_type))), family_of(duckdb_type) == "VARCHAR"
    c = quote(name)
    held = f"SELECT {c} AS w, {f'nullif(trim({c}), {_EMPTY})' if text else c} AS v FROM ({select})"
    some = f"SELECT DISTINCT v FROM ({held}) WHERE v IS NOT NULL ORDER BY hash(v) LIMIT {TRIED_VALUES}"
    counts = ", ".join(f"count({way.guarded('v')})" for way in ways)
    try:
        found = connection.execute(f"SELECT {counts} FROM ({some})").fetchall()[0] if ways else ()
    except duckdb.BinderException:  # a list, a struct: no cast that is tried here takes it
        return None
    best = max(found, default=0)
    way = next((way for way, read in zip(ways, found, strict=True) if read == best), None)
    if way is None:
        return None
    read_by_it = way.guarded("v")
    # Outside the range of its condition make_timestamp raises.
    bare = read_by_it if "make_timestamp" in read_by_it else way.tolerant.replace("{c}", "v")
    rows, with_blanks, read, read_bare, lost = connection.execute(
        f"SELECT count(v), count(w), count({read_by_it}), count({bare}), "
        f"min(CAST(v AS VARCHAR)) FILTER (WHERE v IS NOT NULL AND {read_by_it} IS NULL) FROM ({held})"
    ).fetchall()[0]
    if type_ == "boolean" and read < rows:
        return _flag(connection, select, quoted(name), rows)
    if not rows or read < READS_ENOUGH * rows:
        return None
    said = way.said or _otherwise(way, [other for other, also in zip(ways, found, strict=True) if also == best])
    written = quoted(name)
    given = f"nullif(trim({written}), {_EMPTY})" if with_blanks > rows else written
    plain = way.tolerant.replace("{c}", given)
    exact = way.expression.replace("{c}", given)
    expression = exact if read == rows else plain if read_bare == read else way.guarded(given)
    return Reading(expression, rows, read, lost, said)


_EMPTY = "''"


def _otherwise(way: Way, others: list[Way]) -> str:
    """What the cast assumes, when another cast reads as many values with another meaning."""
    swapped = way.expression.replace("%d/%m/", "%m/%d/").replace("%d-%m-", "%m-%d-")
    if swapped != way.expression and any(other.expression == swapped for other in others):
        month_first = swapped[swapped.index("'") :].rstrip(")")
        return f"takes the day for the first number (where it is the month: {month_first})"
    if _POINT in way.only and any(_COMMA in other.only for other in others):
        return "takes the comma for the sign between thousands"
    return ""


def cast_advice(connection: duckdb.DuckDBPyConnection, select: str, column: Column, duckdb_type: str) -> str:
    """The next step that gives a column of a SELECT the type of `column`, as SQL that can be pasted."""
    best = reading(connection, select, column.name, column.type, duckdb_type)
    c = quoted(column.name)
    if best is None:
        if not column.required:
            return f"leave {c} out: SELECT * EXCLUDE ({c}) FROM (THIS SELECT)"
        values = _values(connection, select, c)
        such = f" (its values are such as {', '.join(map(shown, values[:2]))}, which no CAST reads)" if values else ""
        return f"SELECT the column that holds it AS {c}{such}"
    wrapped = f"SELECT * REPLACE ({best.expression} AS {c}) FROM (THIS SELECT)"
    if column.required and (best.read < best.rows or "nullif(" in best.expression):
        wrapped = f"SELECT * FROM ({wrapped}) WHERE {c} IS NOT NULL"
    return f"wrap it: {wrapped}{best.remark}"


def _values(connection: duckdb.DuckDBPyConnection, select: str, c: str) -> list[str]:
    """The most frequent values, as texts."""
    found = f"SELECT CAST({c} AS VARCHAR) FROM ({select}) WHERE {c} IS NOT NULL GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 5"
    return [row[0] for row in connection.execute(found).fetchall()]


def _flag(connection: duckdb.DuckDBPyConnection, select: str, c: str, rows: int) -> Reading:
    """For a flag in unusual words: a comparison with the word that means yes, else with the most frequent one."""
    values = _values(connection, select, c)
    yes = next((v for v in values if v.strip().lower() in _YES), values[0])
    literal = "'" + yes.replace("'", "''") + "'"
    said = f"takes {shown(yes)} for yes (its values: {', '.join(map(shown, values))})"
    return Reading(f"CAST({c} AS VARCHAR) = {literal}", rows, rows, None, said)


_YES = ("yes", "ja", "oui", "si", "sí", "sim", "x", "y", "j", "on", "true", "wahr", "vrai", "verdadero")


def quoted(name: str) -> str:
    """A name as SQL writes it, in double quotes where it needs them."""
    return name if re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", name) else quote(name)


def shown(value: Any) -> str:
    """A value for a message, at most 60 characters."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "...'"
