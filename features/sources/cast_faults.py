"""Explains a value that a SELECT cannot read, in a file or in a cast: the value, its column and line, and a cast that reads it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from features.kit.flat_files.bounds import is_packed
from features.sources.cast_advice import cast_advice, quoted, reading
from features.sources.duckdb_errors import Told, said_by
from features.sources.query_files import files_read, parsed, written
from features.sources.query_text import Excerpt, QueryText
from features.sources.schema import KNOWN_TIME, TABLES, Column, Type

_TYPES: dict[str, Type] = {
    "DOUBLE": "number",
    "FLOAT": "number",
    "DECIMAL": "number",
    "DATE": "time",
    "TIMESTAMP": "time",
    "BOOLEAN": "boolean",
    "TINYINT": "integer",
    "SMALLINT": "integer",
    "INTEGER": "integer",
    "BIGINT": "integer",
    "HUGEINT": "integer",
    "INT8": "integer",
    "INT16": "integer",
    "INT32": "integer",
    "INT64": "integer",
    "INT128": "integer",
}
"""The type that is meant by each name of a type in DuckDB's messages."""


def csv_fault(
    connection: duckdb.DuckDBPyConnection, text: QueryText, told: Told, excerpt: Excerpt | None, table: str
) -> tuple[str, str, str, Excerpt | None]:
    """What the CSV reader found, the rule that it breaks, the next step, and the place in the SELECT."""
    line = re.search(r"CSV Error on Line: (\d+)", told.message)
    named = re.search(r"\n  file = (.+)", told.message)
    file = Path(named[1]) if named else None
    place = f"{file.name if file else 'the file'}, line {line[1] if line else '?'}"
    reader = excerpt or _only(text, r"\bread_csv(?:_auto)?\s*\(")
    converted = re.search(
        r"Error when converting column \"(.*)\"\. Could not convert string \"(.*)\" to '(\w+)", told.message, re.DOTALL
    )
    if converted and file:
        whole = f"SELECT * FROM read_csv('{sql_text(str(file))}', all_varchar = true)"
        other = said_by(connection, f"SELECT count(COLUMNS(*)) FROM ({whole})")
        if other is not None and other.is_of_csv:  # a line has the wrong number of fields: its columns cannot be read
            return csv_fault(connection, text, other, excerpt, table)
        name, value, kind = converted.groups()
        found = f"{place}, column {name}: {short(value)} is no {kind}"
        # The reader performs a CAST of the SELECT itself, and then names its own types.
        column = re.escape(name)
        cast = _only(
            text, rf'(?i)(?<![\w])CAST\s*\(\s*"?{column}"?\s+AS\s+[\w ]+(?:\([\d, ]+\))?\s*\)|"?\b{column}"?\s*::\s*\w+'
        )
        step = (
            _recast(connection, whole, cast, name, kind, table)
            if cast
            else _retyped(connection, whole, name, kind, table, text.run)
        )
        return found, f"a value is of the type of its column, {kind}", step, cast or reader
    if "nicode" in told.message:
        step = (
            "write read_csv(..., encoding = 'utf-16')"
            if file and _is_utf_16(file)
            else "write read_csv(..., encoding = 'latin-1')"
        )
        if file and not _is_utf_16(file) and _has_cp1252(file):
            step = f"write the file in UTF-8: iconv -f CP1252 -t UTF-8 {file.name} > utf8.csv, then mv utf8.csv {file.name}"
        return f"{place}: it is not UTF-8", "a file is UTF-8, or the SELECT names its encoding", step, reader
    columns = re.search(r"Expected Number of Columns: (\d+) Found: (\d+)", told.message)
    if columns:
        found = f"{place}: {columns[2]} fields where the header has {columns[1]}"
    else:
        said = [
            part for part in told.message.split("\n") if part and not part.startswith(("CSV Error", "Original Line"))
        ]
        found = f"{place}: {said[0].rstrip('.') if said else 'it cannot be read'}"
    return found, FIELDS, RAGGED, reader


@dataclass(frozen=True)
class Kind:
    """What a file is that is not text, and the step that reads it."""

    what: str
    step: str


_KINDS = (
    (b"PAR1", Kind("a Parquet file", "write read_parquet in the place of read_csv")),
    (b"\x1f\x8b", Kind("packed with gzip", "write read_csv(..., compression = 'gzip')")),
    (b"PK\x03\x04", Kind("an Excel workbook or a zip file", "save it as CSV, or unpack it")),
    (b"<!DOCTYPE", Kind("a web page", "load the file again: a page, perhaps a login, was saved in its place")),
    (b"<html", Kind("a web page", "load the file again: a page, perhaps a login, was saved in its place")),
)


def kind_of(file: Path) -> Kind | None:
    """What a file is by its first bytes; None when it may be text."""
    if is_packed(file) or file.suffix.lower() in (".parquet", ".pq"):
        return None
    try:
        with file.open("rb") as opened:
            first = opened.read(16).lstrip()
    except OSError:
        return None
    return next((kind for mark, kind in _KINDS if first.lower().startswith(mark.lower())), None)


FIELDS = "each line has the fields of the header"
RAGGED = "mend the lines, or write read_csv(..., ignore_errors = true), which leaves them out"


def ragged(connection: duckdb.DuckDBPyConnection, run: str, name: str) -> Path | None:
    """The CSV file whose header has a column of this name that DuckDB did not find, because some lines have other fields than the
    header: DuckDB then takes the header for a data row, or the file for one of a single column. None when there is no such file."""
    for file in files_of(connection, run):
        if ".csv" not in file.name.lower() and ".txt" not in file.name.lower() and ".tsv" not in file.name.lower():
            continue
        try:
            plain, lenient = (
                [
                    row[0].lower()
                    for row in connection.execute(
                        f"DESCRIBE SELECT * FROM read_csv('{sql_text(str(file))}', ignore_errors = {flag})"
                    ).fetchall()
                ]
                for flag in ("false", "true")
            )
        except duckdb.Error:
            continue
        if name.lower() in lenient and name.lower() not in plain:
            return file
    return None


def _is_utf_16(file: Path) -> bool:
    with file.open("rb") as opened:
        return opened.read(2) in (b"\xff\xfe", b"\xfe\xff")


def _has_cp1252(file: Path) -> bool:
    """Whether the file has bytes that are letters only in Windows' code page 1252, not in Latin-1: quotes, dashes, the euro sign."""
    if file.suffix.lower() in (".gz", ".zst", ".bz2"):
        return False
    with file.open("rb") as opened:
        return any(re.search(rb"[\x80-\x9f]", block) for block in iter(lambda: opened.read(2**20), b""))


def _retyped(connection: duckdb.DuckDBPyConnection, whole: str, name: str, kind: str, table: str, run: str) -> str:
    """The step for a column whose type the reader guessed wrongly: read it as text, then cast it."""
    wanted = _wanted(table, name, kind)
    told = re.search(rf"'{re.escape(sql_text(name))}'\s*:\s*'[\w ]+'", run)
    text = f"'{sql_text(name)}': 'VARCHAR'"
    step = f"write {text} in the place of {told[0]}" if told else f"write read_csv(..., types = {{{text}}})"
    return f"{step}, then {cast_advice(connection, whole, wanted, 'VARCHAR')}"


def _recast(
    connection: duckdb.DuckDBPyConnection,
    rows: str,
    cast: Excerpt,
    name: str,
    kind: str,
    table: str,
    held: str = "VARCHAR",
) -> str:
    """The step that replaces a failing cast by one that reads its column."""
    alias = cast.alias or name
    wanted = _wanted(table, alias, kind)
    type_ = _TYPES.get(kind.split("(", maxsplit=1)[0].split(" ", maxsplit=1)[0].upper(), wanted.type)
    best = reading(connection, rows, name, type_, held)
    expression = best.expression if best else f"TRY_CAST({quoted(name)} AS {kind})"
    step = (
        f"write {expression} in the place of {cast.word}{best.remark if best else ': what cannot be read becomes null'}"
    )
    return step + _nulls_left_out(wanted, best is None or best.read < best.rows or "nullif(" in expression)


def _nulls_left_out(wanted: Column, some: bool) -> str:
    """What to add to the step when a required column would get nulls."""
    if not (wanted.required and some):
        return ""
    return f"; {wanted.name} may not be null, so leave these rows out: SELECT * FROM (THIS SELECT) WHERE {quoted(wanted.name)} IS NOT NULL"


def _wanted(table: str, name: str, kind: str) -> Column:
    """The column that is wanted: the canonical one of this name, else one of the type in the error."""
    definition = TABLES.get(table)
    known = KNOWN_TIME if name == "known_time" else definition.column(name) if definition else None
    return known or Column(name, _TYPES.get(kind.split("(", maxsplit=1)[0].split(" ", maxsplit=1)[0], "text"), "")


def conversion_fault(
    connection: duckdb.DuckDBPyConnection, text: QueryText, told: Told, excerpt: Excerpt | None, table: str
) -> tuple[str, str, str, Excerpt | None]:
    """What a failed cast found, the rule that it breaks, the next step, and the place in the SELECT."""
    shown = told.value or ""
    if "Could not parse string" in told.message:
        place = excerpt or _only(text, r"\bstrptime\s*\(")
        source = re.match(r'strptime\s*\(\s*"?(\w+)', place.text[place.start :]) if place else None
        found = f"{f'column {source[1]}: ' if source else ''}{short(shown)} is not written as {short(_format_of(told.line))}"
        step = "write try_strptime in the place of strptime: what is written otherwise becomes null"
        alias = place.alias_of_call if place else None
        return (
            found,
            "a time is written as its format says",
            step + _nulls_left_out(_wanted(table, alias or "", "TIMESTAMP"), True),
            place,
        )
    cast = excerpt.word if excerpt else ""
    if excerpt is not None and cast.startswith("::"):
        operand = re.search(r"(\"[^\"]+\"|'[^']*'|[\w.]+)\s*$", excerpt.text[: excerpt.start])
        if operand:
            excerpt = replace(excerpt, start=operand.start(1))
            cast = excerpt.word
    inner = re.match(r'(?is)CAST\s*\(\s*"?(\w+)"?\s+AS\s+(.+)\)$|"?(\w+)"?\s*::\s*(.+)$', cast)
    column = str(inner[1] or inner[3]) if inner else ""
    target = re.search(r"(?is)(?:\sAS\s+|::\s*)([\w ]+(?:\([\d, ]+\))?)\s*\)?$", cast)
    kind = target[1].strip() if target else _target(told.line)
    found = f"{f'column {column}: ' if column else ''}{short(shown)} is no {kind}" if shown else told.line
    rule = "a cast reads every value"
    read = _operand(cast)
    rows = rows_read(connection, text, read) if read else None
    if excerpt is not None and rows is not None and (held := _type_in(connection, rows, READ)):
        return found, rule, _recast(connection, rows, excerpt, READ, kind, table, held).replace(READ, read), excerpt
    nulls = _nulls_left_out(_wanted(table, (excerpt.alias if excerpt else "") or "", kind), True)
    if re.match(r"(?i)CAST\s*\(", cast):
        return found, rule, f"write TRY_{cast} in the place of {cast}: what cannot be read becomes null{nulls}", excerpt
    if excerpt is not None and inner is not None:
        step = f"write TRY_CAST({cast.split('::')[0].strip()} AS {kind}) in the place of {cast}: what cannot be read becomes null{nulls}"
        return found, rule, step, excerpt
    if excerpt is not None and not re.search(r"(?i)\bCAST\b|::", cast):
        return found, "both sides of a comparison are of one type", _made_alike(connection, excerpt, kind), excerpt
    step = (
        "write TRY_CAST(... AS type) in the place of CAST(... AS type) or ...::type: what cannot be read becomes null"
    )
    return found, rule, step + nulls, excerpt


_SIZES = {"INT8": "TINYINT", "INT16": "SMALLINT", "INT32": "INTEGER", "INT64": "BIGINT", "INT128": "HUGEINT"}
"""SQL names of the types that messages call INT8 and so on; in SQL an INT8 has 8 bytes."""


def _made_alike(connection: duckdb.DuckDBPyConnection, excerpt: Excerpt, kind: str) -> str:
    """The step for a comparison of two types, which DuckDB casts by itself: around the name, or the text in quotes, of the excerpt."""
    word, type_ = excerpt.word, _SIZES.get(kind, kind)
    if not re.match(r"'(?:[^']|'')*'$", word):
        # Include the other side of the comparison, since the name may occur elsewhere too.
        before = re.search(r"[\w.]+\s*(?:=|<>|!=)\s*$", excerpt.text[: excerpt.start])
        after = re.match(r"\s*(?:=|<>|!=)\s*[\w.]+", excerpt.text[excerpt.end :])
        left, right = before[0] if before else "", after[0] if after and not before else ""
        cast = f"{left}TRY_CAST({word} AS {type_}){right}"
        return f"write {cast} in the place of {left}{word}{right}: what cannot be read becomes null"
    best = reading(connection, f"SELECT {word} AS {READ}", READ, _TYPES.get(type_, "text"), "VARCHAR")
    if best is not None and best.read == best.rows:
        return f"write {best.expression.replace(READ, word)} in the place of {word}"
    before = re.search(
        r"([\w.]+|\"[^\"]+\")(\s*(?:=|<>|!=|NOT\s+IN\s*\(|IN\s*\()[^()]*)$", excerpt.text[: excerpt.start], re.I
    )
    if before is not None:
        compared = before[2] + word
        return f"write CAST({before[1]} AS VARCHAR){compared} in the place of {before[1]}{compared}"
    return f"write a {type_} in the place of {word}, or CAST(... AS VARCHAR) around what stands beside it"


READ = "value_that_is_read"
"""The column name of an operand while casts of it are tried."""


def _operand(cast: str) -> str:
    """The operand of a cast, `x` of `CAST(x AS t)` or `x::t`; "" when it is no cast."""
    found = re.match(r"(?is)CAST\s*\((.+)\s+AS\s+[\w ]+(?:\([\d, ]+\))?\s*\)$|(.+?)\s*::[^:]+$", cast)
    return (found[1] or found[2]).strip() if found else ""


def rows_read(connection: duckdb.DuckDBPyConnection, text: QueryText, operand: str = "") -> str | None:
    """SQL of all rows that the outermost SELECT reads, or of an operand over them. None when it reads from a WITH, or DuckDB cannot
    parse it into a tree."""
    items = f"({operand}) AS {READ}" if operand else "*"
    try:
        node = parsed(connection, text.run)["statements"][0]["node"]
        if node["cte_map"]["map"]:
            return None
        tree = parsed(connection, f"SELECT {items} FROM somewhere")
        tree["statements"][0]["node"]["from_table"] = node["from_table"]
        return written(connection, tree)
    except (duckdb.Error, KeyError, IndexError, TypeError):
        return None


def _type_in(connection: duckdb.DuckDBPyConnection, rows: str, name: str) -> str | None:
    try:
        types = {row[0].lower(): row[1] for row in connection.execute(f"DESCRIBE {rows}").fetchall()}
    except duckdb.Error:
        return None
    return types.get(name.lower())


def _target(line: str) -> str:
    found = re.search(r"destination type (\w+)|\bto (\w+)(?: when|$)", line)
    if found:
        return str(found[1] or found[2])
    of_time = re.search(r"(?i)\b(timestamp|date) field", line)
    return of_time[1].upper() if of_time else "value of its type"


def _format_of(line: str) -> str:
    found = re.search(r'format specifier "(.*?)"', line)
    return found[1] if found else "its format"


def _only(text: QueryText, pattern: str) -> Excerpt | None:
    """The only match of a pattern in a SELECT; None when there is no match, or more than one."""
    found = list(re.finditer(pattern, text.run))
    if len(found) != 1:
        return None
    before, length = text.run[: found[0].start()], len(found[0][0].rstrip("( \n"))
    return text.excerpt(len(before.encode()), length)


def files_of(connection: duckdb.DuckDBPyConnection, run: str) -> list[Path]:
    """The files that a SELECT names; none for one that cannot be parsed."""
    try:
        return files_read(connection, run)
    except duckdb.Error:
        return []


def short(value: str) -> str:
    """A value for a message, at most 80 characters."""
    shown = repr(value)
    return shown if len(shown) <= 80 else shown[:77] + "...'"


def sql_text(text: str) -> str:
    """A text for use between single quotes in SQL."""
    return text.replace("'", "''")
