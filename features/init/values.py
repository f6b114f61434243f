"""The SQL that reads a column in its type, from the values that are there.

Nothing is guessed twice: what a column shows (its forms of dates, its decimal mark, ranges, a currency) decides; what it does not show
is a default, and is told as one. Values that the SQL does not read are counted.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Any

import duckdb

from features.init.files import Folder, Found, here
from features.init.layouts import ColumnType, FileColumn
from features.init.opening import Header
from features.init.times import SHAPE, Order, Read, Shape, evidence, is_ambiguous, over, reading
from features.kit.flat_files import kinds, values
from features.sources.casts import ACCEPTED, family_of, quote
from features.sources.validation import FIRST_TIME, LAST_TIME

TRUE = ("1", "true", "t", "yes", "y", "x", "ja", "wahr", "oui", "vrai", "sí")
"""Words of boxes that are ticked."""
SHAPES = 60
"""Most shapes of a column's times that are looked at."""
_TYPES: dict[ColumnType, str] = {
    "boolean": "BOOLEAN",
    "integer": "BIGINT",
    "number": "DOUBLE",
    "money": "DOUBLE",
    "time": "TIMESTAMP",
    "end": "TIMESTAMP",
    "list": "VARCHAR[]",
}


@dataclass(frozen=True)
class Column:
    """A column as the SELECTs read it."""

    name: str
    sql: str
    """The expression; NULL in its type where the file has no such column."""
    header: str | None
    note: str = ""


@dataclass
class Reading:
    """All columns of a file as they are read, and what a person should know about it."""

    columns: dict[str, Column]
    naive: list[str] = field(default_factory=list)
    """Columns whose times have no zone."""
    decisions: list[str] = field(default_factory=list)
    """Defaults that were taken where the file does not tell: "Close Date: ..."."""
    remarks: list[str] = field(default_factory=list)
    """Values that are not read: file, rows, rule."""


def missing(column: FileColumn) -> Column:
    """A column that the file does not have.

    >>> missing(FileColumn("amount", "money", ("Amount",))).sql
    'NULL::DOUBLE'
    """
    return Column(column.name, f"NULL::{_TYPES.get(column.type, 'VARCHAR')}", None)


def usual(column: FileColumn, zone: str) -> Column:
    """A column under its usual name and in its usual form: what is written without a look at the files."""
    header = column.spellings[0]
    text = quote(header)
    return Column(
        column.name, _of_text(column.type, text, ".", _usual_times(text, zone, column.type == "end"), False), header
    )


def _usual_times(text: str, zone: str, is_end: bool) -> str:
    shapes = [Shape("9999-99-99T99:99:99.999+9999", 1, "", 0, 0), Shape("9999-99-99", 1, "", 0, 0)]
    return reading(text, shapes, "month first", zone, is_end).sql


def read_columns(
    connection: duckdb.DuckDBPyConnection, found: Found, folder: Folder, zone: str, order: Order | None
) -> Reading:
    """Look at the values of a file's columns and say how each is read.

    `zone` is the zone of times without one. `order` is that of days and months where no value tells it.
    """

    rows = rows_of(found, folder)
    shapes = {
        name: _shapes(connection, rows, header)
        for name, header in found.columns.items()
        if found.file.columns[name].type in ("time", "end") and header.native == "VARCHAR"
    }
    day_first, month_first = (sum(each) for each in zip((0, 0), *(evidence(s) for s in shapes.values()), strict=True))
    elsewhere: Order | None = (
        None if bool(day_first) == bool(month_first) else "day first" if day_first else "month first"
    )
    mark = _mark(connection, rows, found)
    out = Reading({})
    for name, column in found.file.columns.items():
        header = found.columns.get(name)
        if header is None:
            out.columns[name] = missing(column)
            continue
        if header.native != "VARCHAR":
            out.columns[name] = Column(name, _of_native(column.type, header, zone), header.written)
            continue
        text = quote(header.written)
        times = ""
        if name in shapes:
            read = reading(text, shapes[name], order or elsewhere or "month first", zone, column.type == "end")
            times = read.sql
            _tell(out, found, header, read, shapes[name], order or elsewhere)
            if read.is_naive:
                out.naive.append(header.written)
        out.columns[name] = Column(
            name,
            _of_text(
                column.type, text, mark.get(name, "."), times, name in mark and _has_ranges(connection, rows, header)
            ),
            header.written,
        )
    _check(connection, rows, found, out)
    return out


def rows_of(found: Found, folder: Folder) -> str:
    """The same with the folder in place of `${data}`."""
    return here(trimmed(found), folder)


def trimmed(found: Found) -> str:
    """SQL of a file's rows with texts trimmed, and empty ones null. Parquet keeps its types."""
    if (
        found.headers
        and all(header.native == "VARCHAR" for header in found.headers)
        and found.reading.startswith("read_csv")
    ):
        return f"(SELECT nullif(trim(COLUMNS(*)), '') FROM {found.reading})"
    return found.reading


def _shapes(connection: duckdb.DuckDBPyConnection, rows: str, header: Header) -> list[Shape]:
    text = quote(header.written)
    found = connection.execute(
        f"SELECT {SHAPE.format('v')} AS shape, count(*), min(v), "
        "coalesce(max(TRY_CAST(regexp_extract(v, '^(\\d{1,2})[/.-]', 1) AS INTEGER)), 0), "
        "coalesce(max(TRY_CAST(regexp_extract(v, '^\\d{1,2}[/.-](\\d{1,2})[/.-]', 1) AS INTEGER)), 0), "
        "coalesce(max(length(regexp_extract(v, '[A-Za-z]{3,}'))), 0), "
        "bool_or(regexp_matches(v, '[T ]0?0:00(:00(\\.0+)?)?([^0-9:].*)?$')) "
        f"FROM (SELECT {text} AS v FROM {rows}) WHERE v IS NOT NULL GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {SHAPES}"
    ).fetchall()
    return [Shape(*row) for row in found]


def _mark(connection: duckdb.DuckDBPyConnection, rows: str, found: Found) -> dict[str, str]:
    """The decimal mark of each column of numbers; `plain` where every value is written as SQL writes it."""
    numbers = {
        name: header
        for name, header in found.columns.items()
        if found.file.columns[name].type in ("integer", "number", "money") and header.native == "VARCHAR"
    }
    if not numbers:
        return {}
    table = connection.sql(
        f"SELECT {', '.join(f'{quote(h.written)} AS {quote(name)}' for name, h in numbers.items())} FROM {rows}"
    ).to_arrow_table()
    columns = {name: values.plain(table[name]) for name in numbers}
    default = kinds.file_mark(columns.values(), ";" if "delim = ';'" in found.reading else ",")
    counts = ", ".join(
        f"count({quote(h.written)}) - count(TRY_CAST({quote(h.written)} AS DOUBLE))" for h in numbers.values()
    )
    others = connection.execute(f"SELECT {counts} FROM {rows}").fetchall()[0]
    marks = {name: _mark_of(column, default) for name, column in columns.items()}
    for name, header in numbers.items():
        if found.file.columns[name].type == "integer" and _is_grouped(connection, rows, header):
            marks[name] = ","  # 4.700 employees are no 4.7
    return {
        name: "plain" if not other and marks[name] == "." else marks[name]
        for name, other in zip(numbers, others, strict=True)
    }


def _mark_of(column: Any, default: str) -> str:
    point, comma, _ = values.mark_evidence(column)
    return default if point == comma else "." if point > comma else ","


def _is_grouped(connection: duckdb.DuckDBPyConnection, rows: str, header: Header) -> bool:
    """Whether every point in a column of whole numbers stands before three digits, and there is one."""
    text = quote(header.written)
    points, groups = connection.execute(
        f"SELECT count(*), count(*) FILTER (WHERE regexp_matches({text}, '^[0-9]{{1,3}}([.][0-9]{{3}})+$')) FROM {rows} WHERE contains({text}, '.')"
    ).fetchall()[0]
    return bool(points and points == groups)


def _has_ranges(connection: duckdb.DuckDBPyConnection, rows: str, header: Header) -> bool:
    """Whether numbers are written as ranges: 51-200, 10,000+."""
    text = quote(header.written)
    return bool(
        connection.execute(
            f"SELECT 1 FROM {rows} WHERE regexp_matches({text}, '^[0-9][0-9.,]* ?(-|–|to) ?[0-9][0-9.,]*') LIMIT 1"
        ).fetchall()
    )


def _of_native(kind: ColumnType, header: Header, zone: str) -> str:
    """A column of a Parquet file, which has a type already."""
    held, family = quote(header.written), family_of(header.native)
    match kind:
        case "time" | "end" if family == "TIMESTAMP":
            moment = (
                f"{held} AT TIME ZONE 'UTC'"
                if "TIME ZONE" in header.native or header.native == "TIMESTAMPTZ"
                else f"CAST({held} AS TIMESTAMP)"
            )
            return over(moment) if kind == "end" else moment
        case "time":
            return f"CAST({held} AS TIMESTAMP)" if family == "DATE" else f"epoch_ms(CAST({held} AS BIGINT))"
        case "end":
            return (
                f"CAST({held} AS TIMESTAMP) + INTERVAL 1 DAY"
                if family == "DATE"
                else f"epoch_ms(CAST({held} AS BIGINT))"
            )
        case "boolean":
            return held if family == "BOOLEAN" else f"CAST({held} AS VARCHAR) IN ('1', 'true')"
        case "integer":
            return f"CAST(round({held}) AS BIGINT)" if family in ACCEPTED["number"] else f"TRY_CAST({held} AS BIGINT)"
        case "number" | "money":
            return f"CAST({held} AS DOUBLE)"
        case "list" if header.native.endswith("[]"):
            return f"CAST({held} AS VARCHAR[])"
        case _:
            return _of_text(kind, f"nullif(trim(CAST({held} AS VARCHAR)), '')", ".", "", False)


def _of_text(kind: ColumnType, text: str, mark: str, times: str, ranges: bool) -> str:
    """A column whose values are text."""
    match kind:
        case "time" | "end":
            return times
        case "boolean":
            return f"lower({text}) IN ({', '.join(repr(word) for word in TRUE)})"
        case "integer":
            return f"CAST(round({_number(text, mark, ranges)}) AS BIGINT)"
        case "number" | "money":
            return _number(text, mark, ranges)
        case "list":
            return f"list_filter(list_transform(string_split({text}, ';'), lambda x: trim(x)), lambda x: x <> '')"
        case "domain":
            return f"nullif(regexp_extract(lower({text}), '^(?:[a-z]+://)?(?:[^@/]*@)?(?:www[0-9]?\\.)?([^/:?#\\s]+)', 1), '')"
        case _:
            return text


def _number(text: str, mark: str, ranges: bool) -> str:
    first = f"regexp_extract({text}, '^[0-9.,]+')" if ranges else text
    if mark == "plain":
        return f"TRY_CAST({text} AS DOUBLE)"
    if mark == ",":
        return f"TRY_CAST(replace(regexp_replace({first}, '[^0-9,-]', '', 'g'), ',', '.') AS DOUBLE)"
    return f"coalesce(TRY_CAST({first} AS DOUBLE), TRY_CAST(regexp_replace({first}, '[^0-9.-]', '', 'g') AS DOUBLE))"


def _tell(out: Reading, found: Found, header: Header, read: Read, shapes: list[Shape], known: Order | None) -> None:
    where = f"{found.shown}: {header.written}"
    if read.is_mixed:
        out.decisions.append(
            f"{where} has days before months in some values and months before days in others. Each value that can be only one is read so; "
            "the others follow the first form of the SELECT, and may be months off. Export it in one form."
        )
    elif is_ambiguous(shapes) and known is None:
        example = next(s.example for s in shapes)
        out.decisions.append(
            f"{where} is written like {example!r}, and no value tells whether the day or the month comes first. Read as month first; if that "
            "is wrong, dates are months off. --dates day-first reads them the other way."
        )


def _check(connection: duckdb.DuckDBPyConnection, rows: str, found: Found, out: Reading) -> None:
    """Count what is not read, and leave out times that are placeholders."""
    typed = [
        (column, found.columns[column.name])
        for column in found.file.columns.values()
        if column.name in found.columns and column.type not in ("id", "text", "list", "json", "domain", "boolean")
    ]
    if not typed:
        return
    counts: list[str] = []
    for column, header in typed:
        sql = out.columns[column.name].sql
        held = f"CAST({quote(header.written)} AS VARCHAR)"
        beyond = (
            f"{sql} < TIMESTAMP '{FIRST_TIME}' OR {sql} >= TIMESTAMP '{LAST_TIME}'"
            if column.type in ("time", "end")
            else "false"
        )
        counts += [
            f"count(*) FILTER (WHERE {held} IS NOT NULL AND {sql} IS NULL)",
            f"min({held}) FILTER (WHERE {held} IS NOT NULL AND {sql} IS NULL)",
            f"count(*) FILTER (WHERE {beyond})",
            f"min({held}) FILTER (WHERE {beyond})",
        ]
    row = connection.execute(f"SELECT {', '.join(counts)} FROM {rows}").fetchall()[0]
    for (column, header), (unread, example, beyond, placeholder) in zip(
        typed, zip(*[iter(row)] * 4, strict=True), strict=True
    ):
        where = f"{found.shown}, column {header.written}"
        if unread:
            out.remarks.append(
                f"{where}: {unread:,} rows such as {example!r} are no {_word(column.type)}, and are missing; correct them in the system"
            )
        if beyond:
            sql = out.columns[column.name].sql
            first, last = (dt.datetime.combine(day, dt.time()) for day in (FIRST_TIME, LAST_TIME))
            bounded = f"CASE WHEN {sql} >= '{first:%Y-%m-%d}' AND {sql} < '{last:%Y-%m-%d}' THEN {sql} END"
            out.columns[column.name] = Column(column.name, bounded, header.written)
            out.remarks.append(
                f"{where}: {beyond:,} rows such as {placeholder!r} lie before {FIRST_TIME} or after {LAST_TIME}, and are missing"
            )


def _word(kind: ColumnType) -> str:
    return {"time": "time", "end": "time", "integer": "number", "money": "amount"}.get(kind, "number")
