"""Finds the files of a layout in a folder: by their names, else by their columns.

Names vary (`Account.csv`, `hubspot-crm-exports-all-companies-2026-05-01.csv`, `report1712.csv`), and so do encodings and separators.
Several files of one kind are its parts when their keys differ; when the keys are the same they are two exports, and the newest counts.
"""

from __future__ import annotations

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
from features.init.opening import ENDINGS, Header, Opened, inside, open_data_file, reading
from features.kit.errors import BadInput, Fault, UserMistake
from features.sources.casts import quote
from features.sources.legacy_encodings import LEGACY, without_legacy, write_utf8

OTHERS = {
    ".xlsx": "save each sheet as CSV UTF-8",
    ".xls": "save each sheet as CSV UTF-8",
    ".zip": "unpack it",
}
"""Endings of files that hold tables we do not read, and the step that makes them readable."""
_NOISE = frozenset(
    re.findall(
        r"\w+",
        """
        hubspot crm export exports exported all data extract report reports result bulk results query bulkquery view my the full
        salesforce sfdc sf stripe zendesk netsuite fivetran final new copy part sheet table dump download backup weekly daily v
        """,
    )
)
"""Words in the names of files that do not tell what is in them."""
UNNAMED_BYTES = 2**28
"""Files of an unknown name that are larger are not looked at: attachments, feeds."""
ALIKE_FEWEST = 3
"""Fewest columns that a file of an unknown name must share with a file of the layout."""


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


def find_files(connection: duckdb.DuckDBPyConnection, layout: Layout, root: Path) -> Folder:
    """Find and open every file of a layout below `root`. Raises `UserMistake` when there is no such folder."""
    if not root.is_dir():
        raise UserMistake(f"no folder {str(root)!r}: --data takes the folder with the files of {layout.title}")
    within = [
        root / name for name in (f"{layout.system}-{layout.name}", f"{layout.system}_{layout.name}", layout.system)
    ]
    place = next((each for each in within if each.is_dir()), root)
    found = Folder(root)
    by_file: dict[str, list[Opened]] = {}
    unnamed: list[Path] = []
    for path in sorted(p for p in place.rglob("*") if p.is_file() and not p.name.startswith((".", "~"))):
        named = _named(layout, path)
        if path.suffix.lower() in OTHERS:
            step = OTHERS[path.suffix.lower()]
            found.left.append(_fault(path, f"a {path.suffix} file", "files are CSV, Parquet or JSON", step))
        elif path.suffix.lower() in ENDINGS and not path.stat().st_size:
            found.left.append(_fault(path, "an empty file", "a file has a line of column names", "export it again"))
        elif path.suffix.lower() in ENDINGS and not named:
            unnamed.append(path)
        elif path.suffix.lower() in ENDINGS:
            opened = _look(connection, path, found, found.faults)
            if opened is not None:
                by_file.setdefault(_whole(layout, named, opened), []).append(opened)
    of_a_name = set(by_file)
    for path in [] if layout.by_name else unnamed:
        if path.stat().st_size > UNNAMED_BYTES:
            continue
        opened = _look(connection, path, found, found.left)
        kind = None if opened is None else _alike(connection, layout, opened, found)
        if opened is not None and kind is not None and kind not in of_a_name:
            by_file.setdefault(kind, []).append(opened)
        elif opened is not None and (kind is not None or place.name == layout.system):
            found.left.append(_unknown(layout, opened))
    for name, file in layout.files.items():
        if file.inside and name not in by_file:
            parent, _, path_inside = file.inside.partition(".")
            lists = [
                inside(connection, each, path_inside)
                for each in by_file.get(parent, ())
                if each.function == "read_json_objects"
            ]
            by_file |= {name: [each for each in lists if each is not None]} if any(lists) else {}
    for kind, parts in by_file.items():
        _take(connection, layout.files[kind], parts, found)
    return found


def _look(connection: duckdb.DuckDBPyConnection, path: Path, folder: Folder, faults: list[Fault]) -> Opened | None:
    """Open a file; None, with its faults in `faults`, when it cannot be read."""
    try:
        opened = open_data_file(connection, path)
        _copy(path, opened, folder)
    except BadInput as error:
        faults += [
            Fault(where=f"{path.name}, {f.where}", found=f.found, rule=f.rule, next_step=f.next_step)
            for f in error.faults
        ]
    except UserMistake as error:
        faults.append(_fault(path, *_parts(str(error))))
    else:
        return opened
    return None


def _fault(path: Path, found: str, rule: str, step: str) -> Fault:
    return Fault(where=path.name, found=found, rule=rule, next_step=step)


def _parts(message: str) -> tuple[str, str, str]:
    what, _, step = message.rpartition(": ")
    return (what or message), "a file is one table in one encoding", step or "export it again"


def _named(layout: Layout, path: Path) -> list[str]:
    """Which files of the layout this may be by its name."""
    words = _words(layout, path)
    return [name for name, file in layout.files.items() if any(words == _split(stem) for stem in file.stems)]


def _whole(layout: Layout, named: Sequence[str], opened: Opened) -> str:
    """Of several files of one name the one whose columns it has."""
    whole = [n for n in named if set(layout.files[n].needs) <= set(_columns(layout.files[n], opened.headers))]
    return next(iter(whole or named))


def _alike(connection: duckdb.DuckDBPyConnection, layout: Layout, opened: Opened, folder: Folder) -> str | None:
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


def _first_key(connection: duckdb.DuckDBPyConnection, file: LayoutFile, opened: Opened, folder: Folder) -> str:
    key = _columns(file, opened.headers)[str(file.key)]
    rows = connection.execute(
        f"SELECT CAST({quote(key.written)} AS VARCHAR) FROM {_one(opened, key, folder)} WHERE {quote(key.written)} IS NOT NULL LIMIT 1"
    ).fetchall()
    return str(rows[0][0]).strip() if rows else ""


def _one(opened: Opened, column: Header, folder: Folder) -> str:
    """The SQL that reads a column of one file."""
    return here(reading([opened], [_place(opened.path, folder)], [column]), folder)


def _place(path: Path, folder: Folder) -> str:
    return f"'${{data}}/{_relative(path, folder.root)}'"


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


def _unknown(layout: Layout, opened: Opened) -> Fault:
    return Fault(
        where=opened.path.name,
        found="its name and columns are of no file of this layout",
        rule=f"{layout.label} reads {', '.join(file.stems[0] for file in layout.files.values())}",
        next_step="nothing, or rename it if it is one of them",
    )


def _take(connection: duckdb.DuckDBPyConnection, file: LayoutFile, parts: list[Opened], found: Folder) -> None:
    parts, older = _newest(connection, file, parts, found)
    last = (parts[-1].function, parts[-1].options)
    older = [*older, *(part for part in parts if (part.function, part.options) != last)]
    parts = [part for part in parts if (part.function, part.options) == last]
    headers = {header.written: header for part in parts for header in part.headers}
    columns = _columns(file, tuple(headers.values()))
    read = {header.written: header for header in columns.values()}
    source = reading(parts, [_place(part.path, found) for part in parts], read.values())
    lacking = [file.columns[name] for name in file.needs if name not in columns]
    taken = Found(
        file, tuple(p.path for p in parts), tuple(headers.values()), columns, source, tuple(p.path for p in older)
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


def _copy(path: Path, opened: Opened, folder: Folder) -> None:
    """Copy a file in an encoding that DuckDB does not read."""
    if opened.encoding not in LEGACY:
        return
    if path.suffix.lower() == ".gz":
        raise UserMistake(f"it is compressed and written in {opened.encoding}: unpack it")
    made = tempfile.mkdtemp(prefix="accountscore-init-")
    weakref.finalize(folder, shutil.rmtree, made, ignore_errors=True)
    copy = Path(made) / path.name
    write_utf8(path, copy, opened.encoding)
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
    connection: duckdb.DuckDBPyConnection, file: LayoutFile, parts: list[Opened], folder: Folder
) -> tuple[list[Opened], list[Opened]]:
    """The parts of the newest export, and the older exports of the same records."""
    parts = sorted(parts, key=lambda part: (_dated(part.path), -len(part.path.name), part.path.name))
    if len(parts) == 1 or file.key is None:
        return parts, []
    kept: list[Opened] = []
    older: list[Opened] = []
    for part in reversed(parts):
        (older if any(_overlap(connection, file, part, other, folder) for other in kept) else kept).append(part)
    return kept[::-1], older[::-1]


def _dated(path: Path) -> str:
    """The digits of a date in a file's name, in order; "" without one."""
    found = re.findall(r"(?:19|20)\d\d[-_.]?\d\d[-_.]?\d\d(?:[-_.T]?\d\d[-_.]?\d\d)?", path.stem)
    return re.sub(r"\D", "", found[-1]) if found else ""


def _overlap(
    connection: duckdb.DuckDBPyConnection, file: LayoutFile, one: Opened, other: Opened, folder: Folder
) -> bool:
    assert file.key is not None
    keys = [_columns(file, part.headers).get(file.key) for part in (one, other)]
    if None in keys:
        return True
    selects = []
    for key, part in zip(keys, (one, other), strict=True):
        assert key is not None
        selects.append(f"SELECT CAST({quote(key.written)} AS VARCHAR) AS k FROM {_one(part, key, folder)}")
    try:
        return bool(
            connection.execute(f"SELECT 1 FROM ({selects[0]}) JOIN ({selects[1]}) USING (k) LIMIT 1").fetchall()
        )
    except duckdb.Error:
        return True
