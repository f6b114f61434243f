"""Opens one file of data: what its columns are called, and the SQL that reads its rows.

CSV comes in many encodings and separators, Parquet with types of its own, JSON as objects within objects: a column of JSON is a path,
such as `status_transitions.paid_at`.
"""

from __future__ import annotations

import csv
import gzip
import itertools
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import duckdb

from features.kit.errors import UserMistake
from features.kit.flat_files.reading import open_file
from features.sources.casts import quote

PARQUET, JSON = (".parquet", ".pq"), (".json", ".jsonl", ".ndjson")
ENDINGS = (".csv", ".tsv", ".txt", ".gz", *PARQUET, *JSON)
CHECKED_ROWS = 2_000_000
"""Rows that are looked through for footers of reports, which have fewer values than the header."""
JSON_SAMPLED, JSON_DEPTH = 1_000, 6
"""Objects whose paths are looked at, and how deep."""


@dataclass(frozen=True)
class Header:
    """A column of a file as it is written there."""

    written: str
    native: str
    """DuckDB's type; VARCHAR for everything in a text file."""


@dataclass(frozen=True)
class Opened:
    """A file that was looked at."""

    path: Path
    headers: tuple[Header, ...]
    function: str
    """read_csv, read_parquet, or read_json_objects."""
    options: str = ""
    """Arguments of the function behind the path."""
    inside: str = ""
    """For JSON: the path of a list within each object, whose objects are the rows."""

    @property
    def encoding(self) -> str:
        """The encoding that the SELECT names; "" for UTF-8."""
        return self.options.partition("encoding = '")[2].partition("'")[0]


def open_data_file(connection: duckdb.DuckDBPyConnection, path: Path) -> Opened:
    """Look at a file. Raises `UserMistake` or `BadInput` when it cannot be read."""
    if path.suffix.lower() in JSON:
        return _with_paths(connection, Opened(path, (), "read_json_objects"))
    if path.suffix.lower() not in PARQUET:
        _refuse_two_encodings(path)
    opened = open_file(path)
    if opened.dialect.parquet:
        described = connection.execute("SELECT * FROM (DESCRIBE FROM read_parquet(?))", [str(path)]).fetchall()
        return Opened(path, tuple(Header(row[0], row[1]) for row in described), "read_parquet")
    names = [name for name in opened.schema.names if name]
    options = _csv_options(path, opened.dialect.delimiter, opened.dialect.encoding)
    return Opened(path, tuple(Header(name, "VARCHAR") for name in names), "read_csv", options)


def inside(connection: duckdb.DuckDBPyConnection, opened: Opened, path: str) -> Opened | None:
    """The rows that are a list within the objects of a JSON file; None when there are none."""
    found = _with_paths(connection, replace(opened, inside=path))
    return found if found.headers else None


def reading(parts: Sequence[Opened], places: Sequence[str], columns: Iterable[Header]) -> str:
    """SQL of the rows of files that are read alike; `places` are their paths as SQL literals. JSON gives `columns` alone."""
    first = parts[0]
    if first.function == "read_json_objects":
        items = ", ".join(f"nullif(o->>'{json_path(c.written)}', '') AS {quote(c.written)}" for c in columns)
        rows = " UNION ALL ".join(_objects(part, place) for part, place in zip(parts, places, strict=True))
        return f"(SELECT {items or '1'} FROM ({rows}))"
    joined = places[0] if len(places) == 1 else f"[{', '.join(places)}], union_by_name = true"
    return f"{first.function}({joined}{', ' + first.options if first.options else ''})"


def json_path(written: str) -> str:
    """DuckDB's path of a column of JSON.

    >>> json_path("items.data[0].price.id")
    '$."items"."data"[0]."price"."id"'
    """
    parts = []
    for part in written.split("."):
        name, bracket, rest = part.partition("[")
        parts.append(f'."{name}"' + (bracket + rest))
    return "$" + "".join(parts).replace("'", "''")


def _objects(opened: Opened, place: str) -> str:
    """SQL of the objects of a JSON file as column `o`: one a line, a list, or an answer of an API with a list in `data`."""
    listed = "json_type(json, '$.data') = 'ARRAY' AND json->>'$.object' = 'list'"
    whole = f"SELECT unnest(CASE WHEN {listed} THEN from_json(json->'$.data', '[\"JSON\"]') ELSE [json] END) AS o FROM read_json_objects({place})"
    if not opened.inside:
        return whole
    path = json_path(opened.inside)
    return f"SELECT unnest(from_json(o->'{path}', '[\"JSON\"]')) AS o FROM ({whole}) WHERE json_type(o, '{path}') = 'ARRAY'"


def _with_paths(connection: duckdb.DuckDBPyConnection, opened: Opened) -> Opened:
    """A JSON file with the paths of its objects as columns. Raises `UserMistake` when it is no JSON."""
    place = "'" + str(opened.path).replace("'", "''") + "'"
    try:
        rows = connection.execute(
            f"SELECT CAST(o AS VARCHAR) FROM ({_objects(opened, place)}) LIMIT {JSON_SAMPLED}"
        ).fetchall()
    except duckdb.Error as error:
        said = str(error).splitlines()[0]
        raise UserMistake(f"it cannot be read as JSON ({said}): export it again, or leave it away") from None
    paths = dict.fromkeys(path for (row,) in rows for path in _paths(json.loads(row), ""))
    return replace(opened, headers=tuple(Header(path, "VARCHAR") for path in paths))


def _paths(value: Any, before: str) -> Iterator[str]:
    if before:
        yield before
    if before.count(".") >= JSON_DEPTH:
        return
    if isinstance(value, dict):
        for key, child in value.items():
            if "." not in key and '"' not in key:
                yield from _paths(child, f"{before}.{key}" if before else key)
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        yield from (path for path in _paths(value[0], f"{before}[0]"))


def _csv_options(path: Path, delimiter: str, encoding: str) -> str:
    shown = "\\t" if delimiter == "\t" else delimiter
    options = ["all_varchar = true", "header = true", f"delim = '{shown}'"]
    options += ["quote = '\"'", "escape = '\"'", "sample_size = -1"]
    if not encoding.startswith("utf-8"):
        options.append(f"encoding = '{_encoding(path, encoding)}'")
    if _is_ragged(path, delimiter, encoding):
        options += ["null_padding = true", "parallel = false"]
    if _has_sep_line(path, encoding):
        options.append("skip = 1")
    return ", ".join(options)


def _encoding(path: Path, encoding: str) -> str:
    """The name of an encoding in a SELECT."""
    raw = _bytes(path)
    if encoding == "cp1252":
        return "windows-1252" if any(0x7F < byte < 0xA0 for byte in raw) else "latin-1"
    if encoding == "utf-16":
        return "utf-16" if raw[:2] == b"\xff\xfe" else "utf-16be"
    return encoding


def _refuse_two_encodings(path: Path) -> None:
    """Raises `UserMistake` for a file with lines in UTF-8 and lines in another encoding of single bytes."""
    raw = _bytes(path)
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff") or _is_utf8(raw):
        return
    lines = raw.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    broken = [n for n, line in enumerate(lines, 1) if not _is_utf8(line)]
    whole = sum(1 for line in lines if not line.isascii() and _is_utf8(line)) + raw.startswith(b"\xef\xbb\xbf")
    if whole:
        raise UserMistake(
            f"{len(broken):,} rows that are not UTF-8 (the first in line {broken[0]:,}), in a file that is UTF-8 otherwise; one encoding a "
            "file: save it as UTF-8 once more, or mend these rows"
        )


def _bytes(path: Path) -> bytes:
    return gzip.decompress(path.read_bytes()) if path.suffix.lower() == ".gz" else path.read_bytes()


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _is_ragged(path: Path, delimiter: str, encoding: str) -> bool:
    """Whether records have fewer values than the header: totals and footers of reports."""
    opener = gzip.open if path.suffix.lower() == ".gz" else open
    with opener(path, "rt", encoding="latin-1" if encoding == "cp1252" else encoding, newline="") as text:
        records = csv.reader(text, delimiter=delimiter)
        try:
            first = next(records, [])
            if len(first) == 1 and first[0].lower().startswith("sep="):
                first = next(records, [])
            return any(record and len(record) < len(first) for record in itertools.islice(records, CHECKED_ROWS))
        except csv.Error:
            return False  # a value longer than Python's csv takes: DuckDB reads it


def _has_sep_line(path: Path, encoding: str) -> bool:
    return path.suffix.lower() != ".gz" and path.read_bytes()[:16].decode(encoding, errors="ignore").lower().startswith(
        "sep="
    )
