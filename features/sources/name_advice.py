"""Suggests a correction for a wrong name in a SELECT: an SQL keyword, a column, a table, a function or a file."""

from __future__ import annotations

import difflib
import itertools
import re
from pathlib import Path

import duckdb

from features.sources.cast_advice import quoted
from features.sources.cast_faults import rows_read, sql_text
from features.sources.duckdb_errors import Told, asking, said_by
from features.sources.query_files import READERS
from features.sources.query_text import DATA, Excerpt, QueryText
from features.sources.schema import TABLES

SHOWN_NAMES = 20
TYPES = ("VARCHAR", "STRING", "BIGINT", "INTEGER", "DOUBLE", "DECIMAL", "BOOLEAN", "DATE", "TIMESTAMP", "TIMESTAMPTZ")
MOST_FILES = 2_000
"""Most files of a folder that are searched for a similar name."""


def parser_step(text: QueryText, told: Told, excerpt: Excerpt | None) -> str:
    """The next step after a syntax error."""
    if "unterminated" in told.line:
        sign = '"' if "identifier" in told.line else "'"
        return f"close it with {sign} (or the one before it: a {sign} inside of it is written twice)"
    if excerpt is not None and re.search("[‘’“”]", excerpt.text):
        return "write straight quotes: ' around texts, \" around names"
    word = _reserved(text, excerpt)
    if word:
        return f'write "{word}" in double quotes wherever it is a name: it is a word of SQL'
    meant = _misspelt(text, excerpt)
    if meant and excerpt is not None:
        return f"write {meant} in the place of {excerpt.word}"
    if told.position is not None and excerpt is not None:
        run = text.run.encode()
        if _parses((run[: told.position] + b", " + run[told.position :]).decode(errors="replace")):
            return f"write a comma before {excerpt.word}"
        if _parses(text.run + ")"):
            return "close the bracket: write ) at the end"
    return "mend the SELECT at the caret: a comma, a bracket or a word is missing or too many there"


def _misspelt(text: QueryText, excerpt: Excerpt | None) -> str | None:
    """The SQL keyword that is meant: with it the SELECT parses. None when there is none."""
    if excerpt is None:
        return None
    for near in difflib.get_close_matches(excerpt.word.upper(), _KEPT, 3, 0.6):
        if _parses(text.run.replace(excerpt.word, near, 1)):
            return near
    return None


def _reserved(text: QueryText, excerpt: Excerpt | None) -> str | None:
    """The name near a syntax error that DuckDB takes for a keyword: in double quotes it lets the parser get further. Else None."""
    if excerpt is None:
        return None
    near = re.findall(r"[A-Za-z_]\w*", excerpt.text[max(0, excerpt.start - 60) : excerpt.start])[-2:]
    for word in dict.fromkeys([*re.findall(r"^[A-Za-z_]\w*$", excerpt.word), *reversed(near)]):
        if word.upper() in _KEPT:
            continue
        tried = re.sub(rf'(?<![\w"\'.]){word}(?![\w"\'(])', f'"{word}"', text.run)
        if tried != text.run and _gets_further(text.run, tried):
            return word
    return None


def _gets_further(run: str, tried: str) -> bool:
    """Whether a changed text parses, or its first error comes later than that of the text before."""
    if _parses(tried):
        return True
    with asking() as connection:
        before, after = (said_by(connection, text) for text in (run, tried))
    # Compared from the end, since the change moves everything behind it.
    if before is None or after is None or before.position is None or after.position is None:
        return False
    return len(tried.encode()) - after.position < len(run.encode()) - before.position


_KEPT = (
    "SELECT",
    "FROM",
    "WHERE",
    "AS",
    "AND",
    "OR",
    "ON",
    "JOIN",
    "GROUP",
    "ORDER",
    "BY",
    "UNION",
    "ALL",
    "CASE",
    "WHEN",
    "THEN",
    "ELSE",
    "END",
    "NOT",
    "NULL",
    "WITH",
    "IN",
    "IS",
    "LEFT",
    "INNER",
    "HAVING",
    "LIMIT",
    "DISTINCT",
    "USING",
)


def _parses(run: str) -> bool:
    try:
        return len(duckdb.extract_statements(run)) == 1
    except duckdb.Error:
        return False


def column_step(connection: duckdb.DuckDBPyConnection, text: QueryText, told: Told, excerpt: Excerpt | None) -> str:
    """The next step when a column is not found."""
    if re.search("[‘’“”]", told.name or ""):
        return "write straight quotes: ' around texts, \" around names"
    there = _columns_read(connection, text)
    near = difflib.get_close_matches((told.name or "").lower(), [c.lower() for c in there], 1, 0.7)
    if near:
        best = next(c for c in there if c.lower() == near[0])
        return f"write {quoted(best)} in the place of {excerpt.word if excerpt else told.name}"
    if there:
        single = (
            f"; a text is written in single quotes, '{told.name}'" if excerpt and excerpt.word.startswith('"') else ""
        )
        more = f" and {len(there) - SHOWN_NAMES} more" if len(there) > SHOWN_NAMES else ""
        return f"write one of the columns that it reads: {', '.join(there[:SHOWN_NAMES])}{more}{single}"
    if told.candidates:
        return f"write {' or '.join(told.candidates)} in the place of {told.name}"
    return "write a column of what the SELECT reads; a text is written in single quotes"


def _columns_read(connection: duckdb.DuckDBPyConnection, text: QueryText) -> list[str]:
    """The columns that the outermost SELECT can read; empty when they cannot be determined."""
    rows = rows_read(connection, text)
    try:
        return [row[0] for row in connection.execute(f"DESCRIBE {rows}").fetchall()] if rows else []
    except duckdb.Error:
        return []


def catalog_step(text: QueryText, told: Told, excerpt: Excerpt | None) -> str:
    """The next step when a table, a function or a type is not found."""
    name = told.name or (excerpt.word if excerpt else "")
    if not told.message.startswith("Table with"):
        known = [*told.candidates, *TYPES] if told.message.startswith("Type") else [*told.candidates, *READERS]
        like = difflib.get_close_matches(name.lower(), [c.lower() for c in known], 1, 0.6)
        near = [next(c for c in known if c.lower() == like[0])] if like else []
        if near:
            return f"write {near[0]} in the place of {name}"
        if told.message.startswith("Type"):
            return f"write one of {', '.join(TYPES)} in the place of {name}"
        return f"write a function that DuckDB has in the place of {name} (SELECT function_name FROM duckdb_functions())"
    if text.data is not None:
        stem = Path(name).name.split(".")[0].lower()
        files = sorted(f.name for f in text.data.iterdir() if f.name.lower().split(".")[0] == stem and f.is_file())
        if files:
            return f"write {_reading(files[0])} in the place of {name}"
    if stem_of(name) in TABLES:
        return f"write the file that {name} is read from: the SELECTs of a source do not see each other"
    return (
        f"write read_csv('{DATA}/FILE'), read_parquet('{DATA}/FILE') or read_json('{DATA}/FILE') in the place of {name}"
    )


def stem_of(name: str) -> str:
    """The last part of a qualified name, in lower case and without quotes."""
    return name.rsplit(".", maxsplit=1)[-1].strip('"').lower()


def _reading(file: str) -> str:
    """The call that reads a file of the folder."""
    lower = file.lower()
    if lower.endswith((".parquet", ".pq")):
        return f"read_parquet('{DATA}/{sql_text(file)}')"
    if ".json" in lower or ".ndjson" in lower:
        return f"read_json('{DATA}/{sql_text(file)}')"
    return f"read_csv('{DATA}/{sql_text(file)}', sample_size = -1)"


def nearest_file(text: QueryText, told: Told) -> str:
    """The next step when a file is not found."""
    found = re.search(r'pattern "(.*?)"', told.message)
    wanted = Path(found[1]) if found else Path()
    folder = text.data if text.data is not None else wanted.parent
    if not folder.is_dir():
        return "write the path of a file that is there, or '${data}/FILE' and pass --data DIR"
    if text.data is not None and wanted.is_relative_to(text.data):
        beside = text.data.parent / wanted.relative_to(text.data)
        if beside.exists():
            return (
                f"rename the folder {text.data.name!r} beside {beside.name}: its name begins as that of the source, so that ${{data}} is "
                "taken to mean it"
            )
    if wanted.is_dir():
        return f"put the files into {str(wanted)!r}, which is a folder without any that DuckDB reads, or write the path of a file"
    if set(wanted.name) & set("*?["):
        there = ", ".join(
            str(f.relative_to(folder)) for f in sorted(itertools.islice(folder.rglob("*.*"), MOST_FILES))[:SHOWN_NAMES]
        )
        return f"write a pattern that takes files which are there ({there or 'none is'}), or pass another --data DIR"
    files = [f for f in itertools.islice(folder.rglob("*"), MOST_FILES) if f.is_file() and not f.name.startswith(".")]
    names = {f.name.lower(): f for f in reversed(files)}
    near = difflib.get_close_matches(wanted.name.lower(), names, 1, 0.6)
    if near and text.data is not None:
        given, best = (_relative(file, text.data) for file in (wanted, names[near[0]]))
        return f"write {best} in the place of {given}, or put {wanted.name} into {str(wanted.parent)!r}"
    there = _listed(folder)
    return f"put {wanted.name} into {str(wanted.parent)!r}, or pass another --data DIR" + (
        f"; it has {there}" if there else ""
    )


def _relative(file: Path, folder: Path) -> str:
    return f"{DATA}/{file.relative_to(folder)}" if file.is_relative_to(folder) else str(file)


def _listed(folder: Path) -> str:
    names = sorted(f.name for f in folder.iterdir() if not f.name.startswith("."))
    return ", ".join(names[:SHOWN_NAMES]) + (" ..." if len(names) > SHOWN_NAMES else "")
