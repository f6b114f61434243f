"""Finds the files of a layout in a folder: by their names, else by their columns.

Names vary (`Account.csv`, `hubspot-crm-exports-all-companies-2026-05-01.csv`, `report1712.csv`), and so do encodings and separators.
Several files of one kind are its parts when their keys differ; when the keys are the same they are two exports, and the newest counts.
"""

from __future__ import annotations

import csv
import gzip
import itertools
import re
import shutil
import tempfile
import unicodedata
import weakref
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from features.init.layouts import FileColumn, Layout, LayoutFile, plain
from features.kit.errors import BadInput, Fault, UserMistake
from features.kit.flat_files.reading import open_file
from features.sources.casts import quote
from features.sources.legacy_encodings import LEGACY, without_legacy, write_utf8

ENDINGS = (".csv", ".tsv", ".txt", ".parquet", ".pq", ".gz")
OTHERS = {
    ".xlsx": "save each sheet as CSV UTF-8",
    ".xls": "save each sheet as CSV UTF-8",
    ".zip": "unpack it",
    ".json": "save the records as CSV or Parquet",
}
"""Endings of files that hold tables we do not read, and the step that makes them readable."""
_NOISE = frozenset(
    [
        "hubspot",
        "crm",
        "export",
        "exports",
        "exported",
        "all",
        "data",
        "extract",
        "report",
        "reports",
        "result",
        "bulk",
        "results",
        "query",
        "bulkquery",
        "view",
        "my",
        "the",
        "full",
        "salesforce",
        "sfdc",
        "sf",
        "stripe",
        "zendesk",
        "netsuite",
        "fivetran",
        "final",
        "new",
        "copy",
        "part",
        "sheet",
        "table",
        "dump",
        "download",
        "backup",
        "weekly",
        "daily",
        "v",
    ]
)
ALIKE_FEWEST = 3
"""Fewest columns that a file of an unknown name must share with a file of the layout."""


@dataclass(frozen=True)
class Header:
    """A column of a file as it is written there."""

    written: str
    native: str
    """DuckDB's type; VARCHAR for everything in a text file."""


@dataclass(frozen=True)
class Found:
    """A file of the layout that is there."""

    file: LayoutFile
    paths: tuple[Path, ...]
    """Its parts, each with the same reader; the columns of all of them."""
    headers: tuple[Header, ...]
    columns: dict[str, Header]
    """Header of each column of the layout that the file has."""
    reading: str
    """SQL of all rows as they are written, with `${data}` for the folder."""
    older: tuple[Path, ...] = ()
    """Earlier exports of the same records, which are not read."""

    @property
    def shown(self) -> str:
        """The names of the files, for people."""
        return ", ".join(path.name for path in self.paths)

    @property
    def own(self) -> tuple[Header, ...]:
        """Columns that the layout does not know."""
        known = {header.written for header in self.columns.values()}
        return tuple(
            header
            for header in self.headers
            if header.written not in known
            and not any(re.search(pattern, header.written, re.IGNORECASE) for pattern in self.file.ignored)
        )


@dataclass
class Folder:
    """What was found in a folder of data for one layout."""

    root: Path
    files: dict[str, Found] = field(default_factory=dict)
    copies: dict[str, Path] = field(default_factory=dict)
    """Copies in UTF-8 of files in an encoding that DuckDB does not read, by their path below the root."""
    faults: list[Fault] = field(default_factory=list)
    """Files that cannot be read; nothing is written then."""
    left: list[Fault] = field(default_factory=list)
    """Files that are left out: of no kind that the layout knows, or without a column that they need."""


@dataclass(frozen=True)
class _Opened:
    path: Path
    headers: tuple[Header, ...]
    call: str
    """Arguments of the reading function behind the path."""
    function: str


def find_files(connection: duckdb.DuckDBPyConnection, layout: Layout, root: Path) -> Folder:
    """Find and open every file of a layout below `root`. Raises `UserMistake` when there is no such folder."""
    if not root.is_dir():
        raise UserMistake(f"no folder {str(root)!r}: --data takes the folder with the files of {layout.title}")
    inside = [
        root / name for name in (f"{layout.system}-{layout.name}", f"{layout.system}_{layout.name}", layout.system)
    ]
    place = next((each for each in inside if each.is_dir()), root)
    others: list[_Opened] = []
    found = Folder(root)
    by_file: dict[str, list[_Opened]] = {}
    for path in sorted(p for p in place.rglob("*") if p.is_file() and not p.name.startswith((".", "~"))):
        step = OTHERS.get(path.suffix.lower())
        if step:
            found.left.append(_fault(path, found=f"a {path.suffix} file", rule="files are CSV or Parquet", step=step))
            continue
        if path.suffix.lower() not in ENDINGS:
            continue
        if not path.stat().st_size:
            found.left.append(_fault(path, "an empty file", "a file has a line of column names", "export it again"))
            continue
        try:
            opened = _open(connection, path)
            _copy(path, opened, found)
        except BadInput as error:
            found.faults += [
                Fault(where=f"{path.name}, {f.where}", found=f.found, rule=f.rule, next_step=f.next_step)
                for f in error.faults
            ]
            continue
        except UserMistake as error:
            found.faults.append(_fault(path, *_parts(str(error))))
            continue
        kind = _named(layout, opened)
        if kind is not None:
            by_file.setdefault(kind, []).append(opened)
        else:
            others.append(opened)
    named = set(by_file)
    for opened in others:
        kind = _alike(connection, layout, opened, found)
        if kind is not None and kind not in named:
            by_file.setdefault(kind, []).append(opened)
        elif kind is not None or (place.name == layout.system and not layout.by_name):
            found.left.append(_unknown(layout, opened))
    for kind, parts in by_file.items():
        _take(connection, layout.files[kind], parts, found)
    return found


def _fault(path: Path, found: str, rule: str, step: str) -> Fault:
    return Fault(where=path.name, found=found, rule=rule, next_step=step)


def _parts(message: str) -> tuple[str, str, str]:
    what, _, step = message.rpartition(": ")
    return (what or message), "a file is one table in one encoding", step or "export it again"


def _open(connection: duckdb.DuckDBPyConnection, path: Path) -> _Opened:
    """Encoding, separator and columns of a file. Raises `UserMistake` when it cannot be read."""
    if path.suffix.lower() not in (".parquet", ".pq"):
        _refuse_two_encodings(path)
    opened = open_file(path)
    if opened.dialect.parquet:
        described = connection.execute("SELECT * FROM (DESCRIBE FROM read_parquet(?))", [str(path)]).fetchall()
        return _Opened(path, tuple(Header(row[0], row[1]) for row in described), "", "read_parquet")
    names = [name for name in opened.schema.names if name]
    return _Opened(
        path, tuple(Header(name, "VARCHAR") for name in names), _csv_options(path, opened.dialect), "read_csv"
    )


def _csv_options(path: Path, dialect: object) -> str:
    delimiter = str(getattr(dialect, "delimiter", ","))
    encoding = str(getattr(dialect, "encoding", "utf-8"))
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
        first = next(records, [])
        if len(first) == 1 and first[0].lower().startswith("sep="):
            first = next(records, [])
        return any(record and len(record) < len(first) for record in itertools.islice(records, 2_000_000))


def _has_sep_line(path: Path, encoding: str) -> bool:
    return path.suffix.lower() != ".gz" and path.read_bytes()[:16].decode(encoding, errors="ignore").lower().startswith(
        "sep="
    )


def _named(layout: Layout, opened: _Opened) -> str | None:
    """Which file of the layout this is by its name; of two of one name, the one whose columns it has."""
    words = _words(layout, opened.path)
    named = [name for name, file in layout.files.items() if any(words == _split(stem) for stem in file.stems)]
    whole = [n for n in named if set(layout.files[n].needs) <= set(_columns(layout.files[n], opened.headers))]
    return next(iter(whole or named), None)


def _alike(connection: duckdb.DuckDBPyConnection, layout: Layout, opened: _Opened, folder: Folder) -> str | None:
    """Which file of the layout this is by its columns, and by how its keys begin; None when it is none."""
    if layout.by_name:
        return None
    found = {name: _columns(file, opened.headers) for name, file in layout.files.items()}
    likely = {
        name: len(columns) / len(layout.files[name].columns) ** 0.5
        for name, columns in found.items()
        if len(columns) >= ALIKE_FEWEST and set(layout.files[name].needs) <= set(columns)
    }
    for name in sorted(likely, key=lambda each: -likely[each]):
        file = layout.files[name]
        if not file.id_starts or _first_key(connection, file, opened, folder).startswith(file.id_starts):
            return name
    return None


def _first_key(connection: duckdb.DuckDBPyConnection, file: LayoutFile, opened: _Opened, folder: Folder) -> str:
    key = _columns(file, opened.headers)[str(file.key)]
    rows = connection.execute(
        f"SELECT CAST({quote(key.written)} AS VARCHAR) FROM {here(_call(opened, folder), folder)} WHERE {quote(key.written)} IS NOT NULL LIMIT 1"
    ).fetchall()
    return str(rows[0][0]).strip() if rows else ""


def _call(opened: _Opened, folder: Folder) -> str:
    """The SQL that reads one file."""
    place = f"'${{data}}/{_relative(opened.path, folder.root)}'"
    return f"{opened.function}({place}{', ' + opened.call if opened.call else ''})"


def _words(layout: Layout, path: Path) -> tuple[str, ...]:
    """The words of a file's name that tell what it is."""
    stem = path.name.split(".")[0]
    noise = _NOISE | {layout.system, f"{layout.system}s"}
    return tuple(word for word in _split(stem) if word not in noise)


def _split(stem: str) -> tuple[str, ...]:
    text = unicodedata.normalize("NFKC", re.sub(r"([a-z])([A-Z])", r"\1 \2", stem))
    return tuple(re.findall(r"[^\W\d_]+", text.casefold()))


def _columns(file: LayoutFile, headers: Sequence[Header]) -> dict[str, Header]:
    """Header of each column of the layout: the first of its spellings that is there."""
    by_name: dict[str, Header] = {}
    for header in headers:
        by_name.setdefault(plain(header.written), header)
    if file.prefix:
        for header in headers:
            by_name.setdefault(plain(header.written.lower().removeprefix(file.prefix)), header)
    found: dict[str, Header] = {}
    for column in file.columns.values():
        spelled = next((by_name[plain(s)] for s in column.spellings if plain(s) in by_name), None)
        if spelled is not None:
            found[column.name] = spelled
    return found


def _unknown(layout: Layout, opened: _Opened) -> Fault:
    return Fault(
        where=opened.path.name,
        found="its name and columns are of no file of this layout",
        rule=f"{layout.label} reads {', '.join(file.stems[0] for file in layout.files.values())}",
        next_step="nothing, or rename it if it is one of them",
    )


def _take(connection: duckdb.DuckDBPyConnection, file: LayoutFile, parts: list[_Opened], found: Folder) -> None:
    parts, older = _newest(connection, file, parts, found)
    readers = {(part.function, part.call) for part in parts}
    if len(readers) > 1:
        readers = {(parts[-1].function, parts[-1].call)}
        older = [*older, *(p for p in parts[:-1] if (p.function, p.call) not in readers)]
        parts = [p for p in parts if (p.function, p.call) in readers]
    headers = {header.written: header for part in parts for header in part.headers}
    columns = _columns(file, tuple(headers.values()))
    function, call = next(iter(readers))
    paths = [f"'${{data}}/{_relative(part.path, found.root)}'" for part in parts]
    joined = paths[0] if len(paths) == 1 else f"[{', '.join(paths)}], union_by_name = true"
    reading = f"{function}({joined}{', ' + call if call else ''})"
    lacking = [file.columns[name] for name in file.needs if name not in columns]
    taken = Found(
        file, tuple(p.path for p in parts), tuple(headers.values()), columns, reading, tuple(p.path for p in older)
    )
    try:
        rows = connection.execute(f"SELECT count(*) FROM {here(taken.reading, found)}").fetchall()[0][0]
    except duckdb.Error as error:
        text = str(error).split("\n")[0]
        found.faults.append(
            _fault(parts[0].path, text, "a file is a table", "mend or export it again, or leave it away")
        )
        return
    if lacking:
        found.left.append(_lacking(taken, lacking, rows))
        return
    found.files[file.name] = taken


def _relative(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix().replace("'", "''")


def here(sql: str, folder: Folder) -> str:
    """SQL with the folder in place of `${data}`, over the copies where there are any."""
    for relative, copy in folder.copies.items():
        sql = sql.replace(f"'${{data}}/{relative}'", _literal(copy))
    return without_legacy(sql).replace("${data}", str(folder.root.resolve()).replace("'", "''"))


def _literal(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"


def _copy(path: Path, opened: _Opened, folder: Folder) -> None:
    """Copy a file in an encoding that DuckDB does not read."""
    named = re.search(r"encoding = '([^']+)'", opened.call)
    if named is None or named[1] not in LEGACY:
        return
    if path.suffix.lower() == ".gz":
        raise UserMistake(f"it is compressed and written in {named[1]}: unpack it")
    made = tempfile.mkdtemp(prefix="accountscore-init-")
    weakref.finalize(folder, shutil.rmtree, made, ignore_errors=True)
    copy = Path(made) / path.name
    write_utf8(path, copy, named[1])
    folder.copies[_relative(path, folder.root)] = copy


def _lacking(found: Found, lacking: Sequence[FileColumn], rows: int) -> Fault:
    names = ", ".join(repr(column.spellings[0]) for column in lacking)
    held = ", ".join(header.written for header in found.headers[:20]) + (" ..." if len(found.headers) > 20 else "")
    return Fault(
        where=found.shown,
        found=f"{rows:,} rows without the column {names}; it has {held}",
        rule=f"{found.file.name} needs {', '.join(found.file.columns[n].spellings[0] for n in found.file.needs)}",
        next_step="export it with that column, or rename the one that holds it",
    )


def _newest(
    connection: duckdb.DuckDBPyConnection, file: LayoutFile, parts: list[_Opened], folder: Folder
) -> tuple[list[_Opened], list[_Opened]]:
    """The parts of the newest export, and the older exports of the same records."""
    parts = sorted(parts, key=lambda part: (_dated(part.path), -len(part.path.name), part.path.name))
    if len(parts) == 1 or file.key is None:
        return parts, []
    kept: list[_Opened] = []
    older: list[_Opened] = []
    for part in reversed(parts):
        (older if any(_overlap(connection, file, part, other, folder) for other in kept) else kept).append(part)
    return kept[::-1], older[::-1]


def _dated(path: Path) -> str:
    """The digits of a date in a file's name, in order; "" without one."""
    found = re.findall(r"(?:19|20)\d\d[-_.]?\d\d[-_.]?\d\d(?:[-_.T]?\d\d[-_.]?\d\d)?", path.stem)
    return re.sub(r"\D", "", found[-1]) if found else ""


def _overlap(
    connection: duckdb.DuckDBPyConnection, file: LayoutFile, one: _Opened, other: _Opened, folder: Folder
) -> bool:
    assert file.key is not None
    keys = [_columns(file, part.headers).get(file.key) for part in (one, other)]
    if None in keys:
        return True
    selects = []
    for key, part in zip(keys, (one, other), strict=True):
        assert key is not None
        call = (
            f"{part.function}('${{data}}/{_relative(part.path, folder.root)}'{', ' + part.call if part.call else ''})"
        )
        selects.append(f"SELECT CAST({quote(key.written)} AS VARCHAR) AS k FROM {here(call, folder)}")
    try:
        return bool(
            connection.execute(f"SELECT 1 FROM ({selects[0]}) JOIN ({selects[1]}) USING (k) LIMIT 1").fetchall()
        )
    except duckdb.Error:
        return True
