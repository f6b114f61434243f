"""Loads a source: runs each SELECT of its folder, casts and checks the rows, and makes them a canonical table.

A file that cannot be read, or whose rows break a rule, is a fault of its table; the other tables are loaded all the same.
"""

from __future__ import annotations

import contextlib
import importlib.util
from pathlib import Path

import duckdb
import pyarrow as pa

from features.kit.errors import BadInput, Fault, UserMistake
from features.kit.flat_files.bounds import TooMuch
from features.kit.settings import Settings
from features.sources.casts import (
    ADDED,
    OTHER_UNITS,
    canonical_item,
    custom_item,
    in_microseconds,
    quote,
    slug_of,
    versions,
)
from features.sources.credits import without_credits
from features.sources.empty_tables import empty_rows, typed, why_no_row
from features.sources.full_sample import reads_text_files, with_full_sample
from features.sources.held_text import bounded
from features.sources.legacy_encodings import readable
from features.sources.money import convert, forget, is_converted, rate_faults
from features.sources.notes_reader import add_notes
from features.sources.query_faults import select_fault, text_fault
from features.sources.query_files import files_read
from features.sources.query_text import DATA, QueryText, UnreadableText
from features.sources.schema import KNOWN_TIME, TABLES, Table
from features.sources.source import Source
from features.sources.source_fault import source_fault
from features.sources.suppression import Suppressed
from features.sources.time_bounds import Scan
from features.sources.validation import (
    file_fault,
    name_fault,
    overflow_faults,
    python_fault,
    schema_faults,
    taken_faults,
    value_faults,
)

SHIPPED = Path(__file__).parent / "shipped"
VIEW_ABOVE_ROWS = 5_000_000
"""Tables with more rows stay in their files and are scanned; smaller ones are read into memory once."""


def open_source(
    name_or_dir: str,
    data: Path | None = None,
    keep_going: bool = False,
    home: Path | None = None,
    memory_mb: int | None = None,
) -> Source:
    """Open a shipped source by name or a folder by path, and check every table against its definition.

    `data` stands for `${data}`: the folder itself, or the one folder in it whose name starts with the source's name.
    Without it, `ACCOUNTSCORE_DATA`; where that has no sample company, `sample` reads `ACCOUNTSCORE_HOME/sample`. Entities that
    `removed.json` of `home` (default `ACCOUNTSCORE_HOME`) lists are left out of every table (`features.sources.suppression`), and what
    notes of `home` tell is added (`features.sources.notes`). Above `memory_mb` megabytes, by default `MEMORY_SHARE` of the machine's memory, DuckDB spills into a folder in TMPDIR.

    Raises `BadInput` with all faults of all files at once. With `keep_going` it loads the tables without a fault, and
    `Source.faults` has the faults of the others. Raises `UserMistake` when there is no such source or no data, and
    `duckdb.OutOfMemoryException` when `memory_mb` is too small.
    """
    folder = Path(name_or_dir) if Path(name_or_dir).is_dir() else SHIPPED / name_or_dir
    if not folder.is_dir() or (not any(folder.glob("*.sql")) and not any(folder.glob("*.py"))):
        shipped = ", ".join(sorted(p.name for p in SHIPPED.iterdir() if any(p.glob("*.sql"))))
        raise UserMistake(
            f"no source {name_or_dir!r}: give a folder with one <table>.sql per table, or one of {shipped}"
        )
    name = folder.resolve().name
    home = home or Settings.from_env().home
    suppressed = Suppressed.load(home).of(name)
    source = Source(name, folder, _data_folder(name, folder, data), suppressed, memory_mb)
    load(source, keep_going)
    add_notes(source, home)
    return source


def _data_folder(name: str, folder: Path, data: Path | None) -> Path | None:
    settings = Settings.from_env()
    shipped = folder.resolve() == (SHIPPED / "sample").resolve()  # a folder of yours may have that name
    if data is None:
        data = settings.home / "sample" if shipped and not has_sample(settings.data) else settings.data
    needed = any(DATA.encode() in path.read_bytes() for path in folder.glob("*.sql") if path.is_file())
    if data is None:
        if needed:
            raise UserMistake(
                f"source {name!r} reads ${{data}} and none was given: pass --data DIR (make: DATA=DIR) or set ACCOUNTSCORE_DATA"
            )
        return None
    if not data.is_dir():
        hint = "make it with: python -m features simulate" if shipped else "pass --data DIR (make: DATA=DIR)"
        if shipped and settings.data is not None:
            hint += f" (ACCOUNTSCORE_DATA, {str(settings.data)!r}, has no sample company either)"
        raise UserMistake(f"source {name!r}: no folder {str(data)!r} for ${{data}}; {hint}")
    return _inside(name, data).resolve()


def _inside(name: str, data: Path) -> Path:
    """The one folder in `data` whose name starts with the source's, or `data` itself."""
    found = [child for child in data.iterdir() if child.is_dir() and child.name.startswith(name)]
    return found[0] if len(found) == 1 else data


def has_sample(data: Path | None) -> bool:
    """Whether a folder holds a sample company, in a folder named so or directly. It may hold other companies instead."""
    return data is not None and data.is_dir() and (_inside("sample", data) / "accounts.parquet").is_file()


def load(source: Source, keep_going: bool) -> None:
    """Fill a new source with its tables. Raises `BadInput`, see `open_source`."""
    faults: list[Fault] = []
    # Rates come first: other tables are converted by them.
    for path in sorted(source.folder.iterdir(), key=lambda path: (path.stem != "rates", path)):
        if path.suffix not in (".sql", ".py") or path.name.startswith("_"):
            continue
        table = TABLES.get(path.stem)
        if table is None:
            faults.append(name_fault(path))
            continue
        here = _load_table(source, path, table)
        if here:
            source.columns.pop(table.name, None)
            source.custom.pop(table.name, None)
            source.broken[table.name] = tuple(here)
        faults += here
    forget(source)
    if not faults and not any(t in source.columns for t in ("accounts", "leads")):
        faults.append(
            source_fault(
                source.folder,
                found="neither accounts nor leads",
                rule="a source has the table that holds its entity",
                next_step="add accounts.sql or leads.sql",
            )
        )
    source.faults = tuple(faults)
    if faults and not keep_going:
        raise BadInput(f"source {source.name!r}", faults)


def _load_table(source: Source, path: Path, table: Table) -> list[Fault]:
    try:
        text = QueryText.read(path, source.data) if path.suffix == ".sql" else None
        faults = [] if text is None else text_fault(text) or _bombs(source, path, table)
        if faults:
            return faults
        _read(source, path, table)
        faults = _twice(source, path, table)
        if faults:
            return faults
    except UnreadableText as error:
        return [
            source_fault(path, found=str(error), rule="a SELECT is text in UTF-8", next_step="save the file as UTF-8")
        ]
    except TooMuch as error:
        return [error.fault]
    except duckdb.OutOfMemoryException:
        raise  # nothing is wrong with the file
    except (duckdb.Error, OSError) as error:
        if text is None or not _is_empty(source, table):
            return [python_fault(path, error) if text is None else select_fault(text, error)]
    except Exception as error:  # a source's own Python file may raise anything; the message is all there is
        if path.suffix != ".py":
            raise
        return [python_fault(path, error)]
    raw = quote("raw_" + table.name)
    has_rows = bool(source.query(f"SELECT 1 FROM {raw} LIMIT 1"))
    if has_rows and any(table.column(row[0]) for row in source.query(f"DESCRIBE {raw}")):
        return _canonicalise(source, path, table)
    if not _is_empty(source, table) and not has_rows:
        source.empty[table.name] = why_no_row(source.connection, source.statement(table.name))
        typed(source.connection, raw, table)
    return _canonicalise(source, path, table)


def _is_empty(source: Source, table: Table) -> bool:
    """Whether the files of a SELECT are all empty. They have no columns then, so the table gets those of the SELECT."""
    query = source.statement(table.name)
    found = None if query is None else empty_rows(source.connection, table, query)
    if found is not None:
        rows, source.empty[table.name] = found
        _adopt(source, table.name, rows)
    return found is not None


def _bombs(source: Source, path: Path, table: Table) -> list[Fault]:
    """Faults of the files of a SELECT that ask for absurdly much memory."""
    query = source.statement(table.name)
    found = [] if query is None else [file_fault(path, file) for file in files_read(source.connection, query)]
    return [fault for fault in found if fault is not None]


def _read(source: Source, path: Path, table: Table) -> None:
    query = source.statement(table.name)
    if query is not None:
        whole = with_full_sample(source.connection, query)
        try:
            _run(source, path, table.name, whole)
        except duckdb.OutOfMemoryException:
            raise
        except duckdb.Error:
            if whole == query:
                raise
            # Run the query as it was written: the message then names its own line, or the line of the file.
            _run(source, path, table.name, query)
            whole = query
        source.queries[table.name] = whole
    else:
        spec = importlib.util.spec_from_file_location(f"source_{source.name}_{table.name}", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        found = module.rows(source.data)
        if not hasattr(found, "__arrow_c_stream__"):
            raise TypeError(f"rows(data) returned a {type(found).__name__}")
        _adopt(source, table.name, pa.table(found))


def _twice(source: Source, path: Path, table: Table) -> list[Fault]:
    """Faults of canonical columns that a SELECT returns twice with different values: DuckDB would take the first silently."""
    query = source.statement(table.name)
    columns = [row[0] for row in source.query(f"DESCRIBE {quote('raw_' + table.name)}")]
    if query is None or not any(f"{column.name}_1" in columns for column in table.canonical):
        return []  # DuckDB's name for a repeated column. Only then is the query described, which reads its files once more
    names = [row[0] for row in source.query(f"DESCRIBE {query}")]
    faults: list[Fault] = []
    for name in {n: None for n in names if names.count(n) > 1 and (table.column(n) or n == KNOWN_TIME.name)}:
        first, *others = (quote(column) for n, column in zip(names, columns, strict=True) if n == name)
        differ = " OR ".join(f"CAST({first} AS VARCHAR) IS DISTINCT FROM CAST({other} AS VARCHAR)" for other in others)
        rows = source.query(f"SELECT count(*) FROM {quote('raw_' + table.name)} WHERE {differ}")[0][0]
        if rows:
            found = f"{len(others) + 1} columns have this name, and their values differ in {rows:,} rows"
            step = f"leave out all but one: in the place of SELECT *, ... AS {name} write SELECT * EXCLUDE ({name}), ... AS {name}"
            faults.append(source_fault(path, column=name, found=found, rule="each name once", next_step=step))
    return faults


def _run(source: Source, path: Path, table: str, query: str) -> None:
    """Make the rows of a query the view `raw_<table>`. Text files and small tables are read into memory, other files stay."""
    raw, held = quote(f"raw_{table}"), quote(f"read_{table}")
    if not reads_text_files(query):
        source.connection.execute(f"CREATE OR REPLACE VIEW {raw} AS {query}")
        if source.query(f"SELECT count(*) FROM {raw}")[0][0] > VIEW_ABOVE_ROWS:
            return
    with (
        bounded(source.connection, path, query) if reads_text_files(query) else contextlib.nullcontext(),
        readable(query) as text,
    ):
        source.connection.execute(f"CREATE OR REPLACE TABLE {held} AS {text}")
    source.connection.execute(f"CREATE OR REPLACE VIEW {raw} AS SELECT * FROM {held}")


def _adopt(source: Source, table: str, rows: pa.Table) -> None:
    source.connection.register(f"arrow_{table}", rows)
    source.connection.execute(
        f"CREATE OR REPLACE VIEW {quote('raw_' + table)} AS SELECT * FROM {quote('arrow_' + table)}"
    )


def _in_microseconds(source: Source, table: str) -> dict[str, str]:
    """The types of a table's columns, after times in another unit were converted to microseconds."""
    raw, given = quote(f"raw_{table}"), quote(f"given_{table}")
    types = {row[0]: row[1] for row in source.query(f"DESCRIBE {raw}")}
    source.given_types[table] = types
    others = [name for name, kind in types.items() if kind in OTHER_UNITS]
    if not others:
        return types
    source.connection.execute(f"ALTER VIEW {raw} RENAME TO {given}")
    casts = ", ".join(f"{in_microseconds(quote(name), types[name])} AS {quote(name)}" for name in others)
    source.connection.execute(f"CREATE VIEW {raw} AS SELECT * REPLACE ({casts}) FROM {given}")
    return types | {name: OTHER_UNITS[types[name]][0] for name in others}


def _canonicalise(source: Source, path: Path, table: Table) -> list[Fault]:
    types = _in_microseconds(source, table.name)
    canonical = table.canonical
    faults = schema_faults(source.connection, path, table, types, source.statement(table.name))
    if faults:
        return faults
    source.suppression.take_out(quote("raw_" + table.name), table, types)
    source.columns[table.name] = tuple(c.name for c in canonical if c.name in types)
    source.schemas[table.name] = "main"
    extra = {name: slug_of(name) for name in types if name not in {c.name for c in canonical}}
    faults += taken_faults(path, extra, [*(c.name for c in canonical), *ADDED])
    if faults:
        return faults
    source.custom[table.name] = tuple(extra.values())
    items = [
        canonical_item(table.name, c, c.name in types) for c in table.columns if c.name in types or not c.only_given
    ]
    if table.column("event_time"):
        # A null time (the label of a snapshot) stays null. A row that was known before it happened becomes visible when it happens.
        known = "epoch_us(known_time)" if "known_time" in types else "NULL::BIGINT"
        happened = "epoch_us(event_time)" if "event_time" in types else "NULL::BIGINT"
        items.append(f"coalesce({known}, {happened}) AS known_us")
        items.append(f"greatest({happened}, {known}) AS visible_us")
    items += [custom_item(name, types[name], slug) for name, slug in extra.items()]
    raw = quote("raw_" + table.name)
    select = f"SELECT {', '.join(items)} FROM {raw}"
    if table.name == "subscriptions":
        select = without_credits(select)
    big = source.query(f"SELECT count(*) FROM {raw}")[0]
    stays = table.kind == "event" and big[0] > VIEW_ABOVE_ROWS
    if stays:
        source.scans[table.name] = Scan(select, types["event_time"], "known_time" in types)
    what = "VIEW" if stays else "TABLE"
    try:
        if is_converted(source, table.name):
            select, faults = convert(source, path, table.name, select)
        if table.kind == "state":
            select = versions(select, quote(table.key or ""))
        source.connection.execute(f"CREATE OR REPLACE {what} {quote(table.name)} AS {select}")
    except duckdb.OutOfMemoryException:
        raise
    except duckdb.Error as error:
        return overflow_faults(source.connection, path, table, types) or [python_fault(path, error)]
    faults += value_faults(source, path, table)
    return rate_faults(source, path) if table.name == "rates" and not faults else faults
