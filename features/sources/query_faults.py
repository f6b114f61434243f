"""Explains why a source's SELECT failed: what is wrong, the line with a caret under the place, and a next step that works.

DuckDB gives its errors as JSON with the position in the text (`errors_as_json`); the CSV reader names line, column and value in
its message. Of a row only that one value is shown.
"""

from __future__ import annotations

import re
from pathlib import Path

import duckdb

from features.kit.errors import Fault
from features.sources.cast_faults import FIELDS, RAGGED, conversion_fault, csv_fault, files_of, kind_of, ragged
from features.sources.duckdb_errors import Told, asking, honest_casts, said_by
from features.sources.empty_files import why_empty
from features.sources.name_advice import catalog_step, column_step, nearest_file, parser_step
from features.sources.query_text import Excerpt, QueryText
from features.sources.schema import TABLES
from features.sources.source_fault import source_fault

RULE = "the file is one SELECT that DuckDB can run"
_BEFORE = "SELECT bit_xor(hash(asked)) FROM ("
"""Put before a SELECT, it computes every value and keeps none."""


def text_fault(text: QueryText) -> list[Fault]:
    """The fault of a file that cannot be parsed, or is not exactly one SELECT; empty when it is."""
    try:
        statements = duckdb.extract_statements(text.run)
    except duckdb.Error:
        with asking() as connection:
            return [_fault(connection, text, said_by(connection, text.run), 0)]
    if not statements:
        return [
            source_fault(
                text.path,
                found="it holds no statement",
                rule=RULE,
                next_step="write a SELECT into it, or remove the file",
            )
        ]
    kinds = [str(s.type).rsplit(".", maxsplit=1)[-1] for s in statements]
    if len(kinds) > 1:
        step = "keep one SELECT, with what it needs of the others in a WITH before it"
        return [
            source_fault(
                text.path,
                found=f"it holds {len(kinds)} statements: {', '.join(kinds)}",
                rule=RULE,
                next_step=step,
            )
        ]
    if kinds[0] not in ("SELECT", "MULTI"):  # PIVOT is several statements to DuckDB
        return [
            source_fault(
                text.path,
                found=f"it holds a statement {kinds[0]}",
                rule=RULE,
                next_step="write a SELECT, or WITH ... SELECT",
            )
        ]
    return []


def select_fault(text: QueryText, error: Exception) -> Fault:
    """Why a SELECT that parses failed with `error`.

    To find the place in its text, it is run again as it is written, on a connection of its own. That takes at most as long as
    it took to fail.
    """
    with asking() as apart:
        asked = f"{_BEFORE}{text.alone}\n) asked"
        told = said_by(apart, asked)
        if told is not None and told.kind == "Conversion":
            honest_casts(apart, False)  # when the CSV reader performs the cast, it names the line
            lined = said_by(apart, asked)
            told = lined if lined is not None and lined.is_of_csv and lined.value == told.value else told
            honest_casts(apart)
        return _fault(apart, text, told or Told.of(error), len(_BEFORE))


def _fault(connection: duckdb.DuckDBPyConnection, text: QueryText, told: Told | None, before: int) -> Fault:
    """`before` is the number of bytes of the statement before the SELECT."""
    if told is None:
        return source_fault(
            text.path, found="it cannot be run", rule=RULE, next_step="run the SELECT in DuckDB and mend it"
        )
    excerpt = None
    if told.position is not None and told.position >= before:
        excerpt = text.excerpt(told.position - before, told.length)
    found, rule, step, excerpt = _judged(connection, text, told, excerpt, text.path.stem)
    if excerpt is None:
        return source_fault(text.path, found=found, rule=rule, next_step=step)
    return source_fault(text.path, line=excerpt.line, found=found, rule=rule, next_step=step, excerpt=str(excerpt))


def _judged(
    connection: duckdb.DuckDBPyConnection, text: QueryText, told: Told, excerpt: Excerpt | None, table: str
) -> tuple[str, str, str, Excerpt | None]:
    """What was found, the rule that it breaks, the next step, and the place."""
    if "xtension" in told.line or told.kind.startswith("Extension"):
        name = re.search(r"xtension ['\"]?(\w+)", told.message)
        found = f"it needs DuckDB's extension {name[1]}" if name else told.line
        rule = "only parquet, json, csv and icu come with DuckDB; other extensions are downloads"
        return (
            found,
            rule,
            f"write {text.path.stem}.py with rows(data) that yields Arrow (SQLAlchemy, ADBC, fsspec), in the place of {text.path.name}",
            excerpt,
        )
    empty = _empty(connection, text)
    if empty:
        named = ", ".join(f"{file.name} ({why})" for file, why in empty[:5])
        head = (
            "give it the line with the names of its columns"
            if len(empty) == 1
            else "give them the line with the names of their columns"
        )
        by_pattern = all(file.name not in text.run for file, _ in empty)
        step = f"remove the empty file{'s' * (len(empty) > 1)}, or {head}" if by_pattern else head
        return (
            f"{named}: an empty file has no columns",
            "each file that the SELECT reads has its columns",
            step,
            excerpt,
        )
    if "read_csv" in text.run and "read_parquet" not in text.run and "compression" not in text.run:
        other = next(((f, kind) for f in files_of(connection, text.run) if (kind := kind_of(f))), None)
        if other is not None:
            return (
                f"{other[0].name}: it is {other[1].what}",
                "each file is what the function reads",
                other[1].step,
                excerpt,
            )
    if told.is_of_csv:
        return csv_fault(connection, text, told, excerpt, table)
    if told.kind == "Conversion" or "Could not parse string" in told.message or "ould not convert" in told.message:
        return conversion_fault(connection, text, told, excerpt, table)
    if "No files found" in told.line:
        return told.line, "each file that the SELECT names is there", nearest_file(text, told), excerpt
    if told.kind == "Parser":
        return told.line, RULE, parser_step(text, told, excerpt), excerpt
    if told.kind == "Binder" and told.name and "not found in FROM" in told.message:
        file = ragged(connection, text.run, told.name)
        if file is not None:
            return (
                f"{file.name}: some of its lines have other fields than its header, so that {told.name} is not a column",
                FIELDS,
                RAGGED,
                excerpt,
            )
        return (
            told.line,
            "each column that the SELECT names is one of what it reads",
            column_step(connection, text, told, excerpt),
            excerpt,
        )
    if told.kind == "Catalog":
        return told.line, RULE, catalog_step(text, told, excerpt), excerpt
    if told.kind == "Binder" and "GROUP BY" in told.message:
        return (
            told.line,
            RULE,
            f"write any_value({excerpt.word if excerpt else '...'}), or add it to the GROUP BY",
            excerpt,
        )
    if "Parquet" in told.message or "magic bytes" in told.message or "GZIP" in told.message:
        return told.line, "each file is whole and what the function reads", _file_step(told), excerpt
    if "Malformed JSON" in told.message:
        filled = (
            " AND ".join(f"{c.name} IS NOT NULL" for c in TABLES[table].columns if c.required)
            if table in TABLES
            else "true"
        )
        step = (
            "mend the line of the file; or write read_json(..., ignore_errors = true), which makes it nulls, and leave them out: "
            f"SELECT * FROM (THIS SELECT) WHERE {filled}"
        )
        return told.line, "each file is whole and what the function reads", step, excerpt
    if used := re.search(r"\(use: '([^']+)'", told.message):
        return (
            told.line.split(" (use")[0],
            RULE,
            f"write {used[1]} in the place of {excerpt.word if excerpt else told.name}",
            excerpt,
        )
    if "duplicate alias" in told.message:
        return (
            told.line,
            RULE,
            "give each a name of its own, such as read_csv(...) AS a JOIN read_csv(...) AS b",
            excerpt,
        )
    if told.kind == "Out of Range":
        return told.line, RULE, "compute with DOUBLE: CAST(... AS DOUBLE)", excerpt
    if "parameters" in told.message:
        return told.line, RULE, "write the values in the place of $1 or ?", excerpt
    if re.search("[‘’“”]", text.run):
        return told.line, RULE, "write straight quotes: ' around texts, \" around names", excerpt
    return (
        told.line,
        RULE,
        "mend the SELECT at the caret" if excerpt else "run the SELECT in DuckDB and mend it",
        excerpt,
    )


def _file_step(told: Told) -> str:
    """The next step for a file that is truncated, or not of the format that the function reads."""
    named = re.search(r"'(/[^']+)'|: (/.+)$", told.line)
    file = Path(named[1] or named[2]) if named else None
    anew = "write the file anew: it was cut off, or is not what its name says"
    if file is None or not file.is_file():
        return anew
    with file.open("rb") as opened:
        first = opened.read(4096)
    text = b"\x00" not in first and not first.startswith((b"PAR1", b"\x1f\x8b"))
    if "GZIP" in told.message:
        return "write read_csv(..., compression = 'none'); it is not packed" if text else anew
    return f"write read_csv in the place of read_parquet; {file.name} is text" if text else anew


def _empty(connection: duckdb.DuckDBPyConnection, text: QueryText) -> list[tuple[Path, str]]:
    return [(file, why) for file in files_of(connection, text.run) if (why := why_empty(file))]
