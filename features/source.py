"""A source: a folder with one `<table>.sql` (or `<table>.py`) per canonical table.

Each `.sql` file is one SELECT, run by DuckDB, in which `${data}` stands for a directory given at run time. A `.py`
file has a function `rows(data: pathlib.Path)` that returns a `pyarrow.Table` or `RecordBatchReader`.

After opening, each table is a DuckDB relation of the canonical columns, absent ones null, in the types that signals
may see (see `reference` in `features/README.md`): text, int64, float64 without NaN, booleans, and times and money as
int64 (microseconds since 1970 UTC, cents). State tables also get, per version row, what makes "as known at `as_of`"
a comparison of integers:

- `from_us`, `until_us`: the row is the state of its key at `as_of` iff `from_us < as_of <= until_us`;
- `created_us`: the earliest `event_time` of the key that was known when the row was.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import importlib.util
import shutil
import tempfile
import weakref
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from features.canonical import (
    ADDED,
    OTHER_UNITS,
    canonical_item,
    custom_item,
    in_microseconds,
    internal,
    quote,
    slug_of,
    versions,
)
from features.clock import now
from features.contents import Contents
from features.credits import without_credits
from features.duckdb_errors import honest_casts
from features.empty_tables import empty_rows, typed, why_no_row
from features.errors import BadInput, Fault, UserMistake
from features.faults import (
    file_fault,
    name_fault,
    overflow_faults,
    python_fault,
    schema_faults,
    taken_faults,
    value_faults,
)
from features.full_sample import may_be_sampled, reads_text_files, with_full_sample
from features.memory import memory_bytes
from features.observed_period import DAY_US, Days, ObservedPeriod, observed_period
from features.query_faults import select_fault, text_fault
from features.query_text import DATA, QueryText, UnreadableText
from features.removed import LeftOut, Marks, Removed
from features.scan import Bounds, Scan, rows_of
from features.settings import Settings
from features.statement import files_read
from features.tables import ENTITIES, KNOWN_TIME, TABLES, Table

SHIPPED = Path(__file__).parent / "sources"
VIEW_ABOVE_ROWS = 5_000_000
"""Larger tables stay where they are and are scanned; smaller ones are read once into memory."""
MEMORY_SHARE = 0.8
SPILL_SHARE = 0.5
"""Of the disk: what is left is for everybody else."""


def open_source(
    name_or_dir: str, data: Path | None = None, keep_going: bool = False, home: Path | None = None,
    memory_mb: int | None = None,
) -> Source:  # fmt: skip
    """Open a shipped source by name or a folder by path, and check every table against its definition.

    `data` stands for `${data}`: the folder itself, or the one folder in it whose name starts with the source's name.
    Without it, `ACCOUNTSCORE_DATA`; where that has no sample company, `sample` reads `ACCOUNTSCORE_HOME/sample`. Who is gone by
    `ACCOUNTSCORE_HOME/removed.json` (or that of `home`) is in no table (`features.removed`). Above `memory_mb` megabytes DuckDB
    uses a folder in TMPDIR; without it, above `MEMORY_SHARE` of the machine's memory.

    Raises `BadInput` with all faults of all files at once; with `keep_going` the tables without a fault are there, and
    `Source.faults` says what is wrong with the others. Raises `duckdb.OutOfMemoryException` when `memory_mb` are too few.
    """
    folder = Path(name_or_dir) if Path(name_or_dir).is_dir() else SHIPPED / name_or_dir
    if not folder.is_dir() or (not any(folder.glob("*.sql")) and not any(folder.glob("*.py"))):
        shipped = ", ".join(sorted(p.name for p in SHIPPED.iterdir() if any(p.glob("*.sql"))))
        raise UserMistake(
            f"no source {name_or_dir!r}: give a folder with one <table>.sql per table, or one of {shipped}"
        )
    name = folder.resolve().name
    gone = Removed.load(home or Settings.from_env().home).of(name)
    return Source(name, folder, _data_folder(name, folder, data), keep_going, gone, memory_mb)


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
    """Whether a folder has a sample company: in a folder of that name, or its tables. Many keep other companies there."""
    return data is not None and data.is_dir() and (_inside("sample", data) / "accounts.parquet").is_file()


class Source:
    """The checked canonical tables of one company, each a DuckDB table or view named as in `features.tables`."""

    def __init__(
        self, name: str, folder: Path, data: Path | None, keep_going: bool = False, gone: Marks | None = None,
        memory_mb: int | None = None,
    ) -> None:  # fmt: skip
        self.name, self.folder, self.data = name, folder, data
        self.now_us = to_us(now())
        """The clock when it was opened: no row that became visible later has been seen."""
        self.connection = duckdb.connect()
        configure(self.connection)
        bound(self, self.connection, memory_mb)
        self.left_out = LeftOut(self.connection, gone or {})
        self.columns: dict[str, tuple[str, ...]] = {}
        """Per table the canonical columns that the source delivers."""
        self.custom: dict[str, tuple[str, ...]] = {}
        """Per table the columns beyond the canonical ones, under the names that they have here (`slug_of`)."""
        self._scans: dict[str, Scan] = {}
        """The tables that stay where they are."""
        self.schemas: dict[str, str] = {}
        """Per table the DuckDB schema that holds it: `main`, or that of an overlay (`features.changes`)."""
        self.given_types: dict[str, dict[str, str]] = {}
        """Per table the DuckDB types of the columns of its SELECT."""
        self._queries: dict[str, str] = {}
        """Per table the query that was read."""
        self.faults: tuple[Fault, ...] = ()
        """What is wrong, when it was opened all the same."""
        self.broken: dict[str, tuple[Fault, ...]] = {}
        """Per table that has a file and cannot be read: why. It is not absent."""
        self.empty: dict[str, str] = {}
        """Per table without a row: what its files are like."""
        self._load(keep_going)

    @property
    def tables(self) -> tuple[str, ...]:
        """Names of the tables that this source has, in the order of `features.tables`."""
        return tuple(name for name in TABLES if name in self.columns)

    def has(self, table: str, column: str | None = None) -> bool:
        return table in self.columns and (column is None or column in self.columns[table])

    def has_file(self, table: str) -> bool:
        """Whether the source has a file of a table, also one that cannot be read."""
        return table in self.columns or table in self.broken

    def faults_for(self, tables: Collection[str]) -> tuple[Fault, ...]:
        """What stops somebody who reads these tables: their faults, and those of files of no table."""
        others = {fault for table, faults in self.broken.items() if table not in tables for fault in faults}
        return tuple(fault for fault in self.faults if fault not in others)

    def require(self, tables: Collection[str]) -> None:
        """Raises `BadInput` when one of these tables has a file that cannot be read: it is not absent."""
        if found := self.faults_for(tables):
            raise BadInput(f"source {self.name!r}", found)

    def arrow(self, table: str, columns: Sequence[str] | None = None, seen: bool = False) -> pa.Table:
        """A table as people know it: times as timestamp[us, UTC], money in currency units, custom columns kept.

        With `seen` only what was observed: without rows that happened after its end, or became known after the clock.
        """
        definition = TABLES[table]
        wanted = columns or [*self.columns[table], *self.custom[table]]
        wanted = wanted if columns or "known_time" in wanted else [*wanted, "known_time"]
        items = []
        for name in wanted:
            column = KNOWN_TIME if name == "known_time" else definition.column(name)
            quoted = quote(name)
            if column is not None and column.type == "time":
                items.append(f"make_timestamptz({internal(name)}) AS {quoted}")
            elif column is not None and column.type == "money":
                items.append(f"{quoted} / 100.0 AS {quoted}")
            else:
                items.append(quoted)
        where = f" WHERE {self.was_seen()}" if seen else ""
        return self.connection.sql(f"SELECT {', '.join(items)} FROM {quote(table)}{where}").to_arrow_table()

    def was_seen(self, of: str = "") -> str:
        """SQL condition: a row did not happen after the end of what was observed, nor became known after the clock."""
        at, known = f"{of}event_us", f"{of}known_us"
        return f"coalesce({at} <= {self.observed.last_us}, true) AND coalesce({known} <= {self.now_us}, true)"

    @cached_property
    def fingerprint(self) -> str:
        """sha256 over the contents of all tables, whatever the order of their rows (see `features.contents` for what it costs)."""
        digest = hashlib.sha256()
        for table in self.tables:
            row = self.contents.of(table)
            digest.update(repr((table, self.columns[table], self.custom[table], row)).encode())
            if self.stays(table):
                # Its files are summed as they are, before who is gone is taken out and columns become canonical ones.
                digest.update((self._scans[table].select + self.left_out.digest).encode())
        return digest.hexdigest()

    @cached_property
    def contents(self) -> Contents:
        """What the rows of each table add up to."""
        return Contents(self)

    def stays(self, table: str) -> bool:
        """Whether a table stays where it is and is scanned, rather than held in memory."""
        return table in self._scans

    @property
    def span(self) -> tuple[dt.datetime, dt.datetime]:
        """First and last moment of what was observed; raises `UserMistake` when no row says."""
        return from_us(self.observed.first_us), from_us(self.observed.last_us)

    @cached_property
    def observed(self) -> ObservedPeriod:
        """How far the data reach, rows dated ahead and far off left out (`features.observed_period`); a pass over each table.

        Actions may be planned ahead: they do not say. Raises `UserMistake` when no table has a row before the clock.
        """
        dated = [t for t in self.tables if "event_time" in self.columns[t] and TABLES[t].kind != "action"]
        # A row that was known before it happened was planned: when it was known, somebody was recording.
        found = observed_period(
            {
                table: Days.of(
                    self.query(
                        f"SELECT seen_us // {DAY_US}, min(seen_us), max(seen_us) FROM (SELECT least(event_us, known_us) AS seen_us "
                        f"FROM {quote(table)} WHERE event_us <= {self.now_us} AND known_us <= {self.now_us}) GROUP BY 1"
                    )
                )
                for table in dated
            },
            tuple(ENTITIES.values()),
        )
        if found is not None:
            return found
        ahead = [table for table in dated if self.query(f"SELECT count(event_us) FROM {quote(table)}")[0][0]]
        raise UserMistake(
            f"source {self.name!r} has rows only after the clock ({from_us(self.now_us):%Y-%m-%d}): see event_time and known_time of "
            f"{', '.join(ahead)}, or set ACCOUNTSCORE_NOW when your data live at another time"
            if ahead
            else f"source {self.name!r} has no row with an event_time: nothing to place in time"
        )

    def rows(self, table: str) -> int:
        return int(self.query(f"SELECT count(*) FROM {quote(table)}")[0][0])

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """All rows of a query; a result is never left unfinished, which would block the connection."""
        return self.connection.execute(sql).fetchall()

    def statement(self, table: str) -> str | None:
        """The SELECT of a table, with the folder in the place of `${data}`, reading types from all rows; None when Python makes it."""
        if table in self._queries:
            return self._queries[table]
        path = self.folder / f"{table}.sql"
        if not path.is_file():
            return None
        return QueryText.read(path, self.data).run

    def is_sampled(self, table: str) -> bool:
        """Whether the types of the table's columns were settled by the first rows of a text file (`features.full_sample`)."""
        return table in self._queries and may_be_sampled(self.connection, self._queries[table])

    def recent(self, table: str, bounds: Bounds) -> str:
        """SQL of an event table's rows within bounds: on a table that stays where it is the cost does not grow with the history."""
        scan = self._scans.get(table)
        return rows_of(quote(table), bounds) if scan is None else scan.rows(bounds)

    def with_changes(self, table: str, changes: Iterable[Mapping[str, Any]]) -> Source:
        """The same source with later-known versions of some rows of a state table; itself stays as it is.

        Each change names the key, `event_time` and `known_time` (aware datetimes) and the columns that changed; the
        others are carried from the newest version before it. An unknown key is a new row.
        """
        from features.changes import overlay

        return overlay(self, table, list(changes))

    def _load(self, keep_going: bool) -> None:
        faults: list[Fault] = []
        for path in sorted(self.folder.iterdir()):
            if path.suffix not in (".sql", ".py") or path.name.startswith("_"):
                continue
            table = TABLES.get(path.stem)
            if table is None:
                faults.append(name_fault(path))
                continue
            here = self._load_table(path, table)
            if here:
                self.columns.pop(table.name, None)
                self.custom.pop(table.name, None)
                self.broken[table.name] = tuple(here)
            faults += here
        if not faults and not any(t in self.columns for t in ("accounts", "leads")):
            faults.append(
                Fault(
                    str(self.folder),
                    "neither accounts nor leads",
                    "a source has the table that holds its entity",
                    "add accounts.sql or leads.sql",
                )
            )
        self.faults = tuple(faults)
        if faults and not keep_going:
            raise BadInput(f"source {self.name!r}", faults)

    def _load_table(self, path: Path, table: Table) -> list[Fault]:
        try:
            text = QueryText.read(path, self.data) if path.suffix == ".sql" else None
            faults = [] if text is None else text_fault(text) or self._bombs(path, table)
            if faults:
                return faults
            self._read(path, table)
        except UnreadableText as error:
            return [Fault(str(path), str(error), "a SELECT is text in UTF-8", "save the file as UTF-8")]
        except duckdb.OutOfMemoryException:
            raise  # nothing is wrong with the file
        except (duckdb.Error, OSError) as error:
            if text is None or not self._is_empty(table):
                return [python_fault(path, error) if text is None else select_fault(text, error)]
        except Exception as error:  # a source's own Python file may raise anything; the message is all there is
            if path.suffix != ".py":
                raise
            return [python_fault(path, error)]
        raw = quote("raw_" + table.name)
        has_rows = bool(self.query(f"SELECT 1 FROM {raw} LIMIT 1"))
        if has_rows and any(table.column(row[0]) for row in self.query(f"DESCRIBE {raw}")):
            return self._canonicalise(path, table)
        if not self._is_empty(table) and not has_rows:
            self.empty[table.name] = why_no_row(self.connection, self.statement(table.name))
            typed(self.connection, raw, table)
        return self._canonicalise(path, table)

    def _is_empty(self, table: Table) -> bool:
        """Whether the files of a SELECT hold nothing, so that they have no columns either: the table has those of the SELECT then."""
        query = self.statement(table.name)
        found = None if query is None else empty_rows(self.connection, table, query)
        if found is not None:
            rows, self.empty[table.name] = found
            self._adopt(table.name, rows)
        return found is not None

    def _bombs(self, path: Path, table: Table) -> list[Fault]:
        """The files of a SELECT that ask for absurdly much memory."""
        query = self.statement(table.name)
        found = [] if query is None else [file_fault(path, file) for file in files_read(self.connection, query)]
        return [fault for fault in found if fault is not None]

    def _read(self, path: Path, table: Table) -> None:
        query = self.statement(table.name)
        if query is not None:
            whole = with_full_sample(self.connection, query)
            try:
                self._run(table.name, whole)
            except duckdb.OutOfMemoryException:
                raise
            except duckdb.Error:
                if whole == query:
                    raise
                # The message about the query as it was written names its line, or the line of the file.
                self._run(table.name, query)
                whole = query
            self._queries[table.name] = whole
        else:
            spec = importlib.util.spec_from_file_location(f"source_{self.name}_{table.name}", path)
            assert spec is not None
            assert spec.loader is not None
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            found = module.rows(self.data)
            if not hasattr(found, "__arrow_c_stream__"):
                raise TypeError(f"rows(data) returned a {type(found).__name__}")
            self._adopt(table.name, pa.table(found))

    def _run(self, table: str, query: str) -> None:
        """Make the rows of a query the view `raw_<table>`; those of text files are read once, others stay when they are many."""
        raw, held = quote(f"raw_{table}"), quote(f"read_{table}")
        if not reads_text_files(query):
            self.connection.execute(f"CREATE OR REPLACE VIEW {raw} AS {query}")
            if self.query(f"SELECT count(*) FROM {raw}")[0][0] > VIEW_ABOVE_ROWS:
                return
        self.connection.execute(f"CREATE OR REPLACE TABLE {held} AS {query}")
        self.connection.execute(f"CREATE OR REPLACE VIEW {raw} AS SELECT * FROM {held}")

    def _adopt(self, table: str, rows: pa.Table) -> None:
        self.connection.register(f"arrow_{table}", rows)
        self.connection.execute(
            f"CREATE OR REPLACE VIEW {quote('raw_' + table)} AS SELECT * FROM {quote('arrow_' + table)}"
        )

    def _in_microseconds(self, table: str) -> dict[str, str]:
        """The types of a table's columns, those that hold times in another unit turned into microseconds."""
        raw, given = quote(f"raw_{table}"), quote(f"given_{table}")
        types = {row[0]: row[1] for row in self.query(f"DESCRIBE {raw}")}
        self.given_types[table] = types
        others = [name for name, kind in types.items() if kind in OTHER_UNITS]
        if not others:
            return types
        self.connection.execute(f"ALTER VIEW {raw} RENAME TO {given}")
        casts = ", ".join(f"{in_microseconds(quote(name), types[name])} AS {quote(name)}" for name in others)
        self.connection.execute(f"CREATE VIEW {raw} AS SELECT * REPLACE ({casts}) FROM {given}")
        return types | {name: OTHER_UNITS[types[name]][0] for name in others}

    def _canonicalise(self, path: Path, table: Table) -> list[Fault]:
        types = self._in_microseconds(table.name)
        canonical = [*table.columns, KNOWN_TIME]
        faults = schema_faults(self.connection, path, table, types, self.statement(table.name))
        if faults:
            return faults
        self.left_out.take_out(quote("raw_" + table.name), table, types)
        self.columns[table.name] = tuple(c.name for c in canonical if c.name in types)
        self.schemas[table.name] = "main"
        extra = {name: slug_of(name) for name in types if name not in {c.name for c in canonical}}
        faults += taken_faults(path, extra, [*(c.name for c in canonical), *ADDED])
        if faults:
            return faults
        self.custom[table.name] = tuple(extra.values())
        items = [canonical_item(table.name, c, c.name in types) for c in canonical if c.name != "known_time"]
        if table.column("event_time"):
            # A time that is null (a snapshot's label) stays null; a row that was known before it happened is seen when it happens.
            known = "epoch_us(known_time)" if "known_time" in types else "NULL::BIGINT"
            happened = "epoch_us(event_time)" if "event_time" in types else "NULL::BIGINT"
            items.append(f"coalesce({known}, {happened}) AS known_us")
            items.append(f"greatest({happened}, {known}) AS visible_us")
        items += [custom_item(name, types[name], slug) for name, slug in extra.items()]
        raw = quote("raw_" + table.name)
        select = f"SELECT {', '.join(items)} FROM {raw}"
        if table.name == "subscriptions":
            select = without_credits(select)
        if table.kind == "state":
            select = versions(select, quote(table.key or ""))
        big = self.query(f"SELECT count(*) FROM {raw}")[0]
        stays = table.kind == "event" and big[0] > VIEW_ABOVE_ROWS
        if stays:
            self._scans[table.name] = Scan(select, types["event_time"], "known_time" in types)
        what = "VIEW" if stays else "TABLE"
        try:
            self.connection.execute(f"CREATE OR REPLACE {what} {quote(table.name)} AS {select}")
        except duckdb.OutOfMemoryException:
            raise
        except duckdb.Error as error:
            return overflow_faults(self.connection, path, table, types) or [python_fault(path, error)]
        return value_faults(self, path, table)


def bound(owner: object, connection: duckdb.DuckDBPyConnection, memory_mb: int | None) -> None:
    """At most `memory_mb` (by default `MEMORY_SHARE` of this machine's) and `SPILL_SHARE` of the free room in TMPDIR.

    DuckDB's own default for the second is a folder `.tmp` where the command was started, and nearly all of the disk. The
    folder goes with `owner`.
    """
    spill = tempfile.mkdtemp(prefix="accountscore-spill-")
    weakref.finalize(owner, shutil.rmtree, spill, ignore_errors=True)
    memory = int(MEMORY_SHARE * memory_bytes() / 1e6) if memory_mb is None else memory_mb
    room = int(SPILL_SHARE * shutil.disk_usage(spill).free / 1e6)
    connection.execute(f"SET memory_limit = '{memory}MB'")
    connection.execute("SET temp_directory = $1", [spill])
    connection.execute(f"SET max_temp_directory_size = '{room}MB'")


def configure(connection: duckdb.DuckDBPyConnection) -> None:
    """UTC, no progress bar, rows in any order, TRY_CAST as SQL says (`features.duckdb_errors.honest_casts`)."""
    connection.execute("SET TimeZone = 'UTC'; SET preserve_insertion_order = false")
    honest_casts(connection)
    # In a notebook without ipywidgets the bar is off, and DuckDB refuses to be told so.
    with contextlib.suppress(duckdb.InvalidInputException):
        connection.execute("SET enable_progress_bar = false")


def to_us(moment: dt.datetime) -> int:
    """Microseconds since 1970-01-01 UTC of an aware datetime.

    >>> to_us(dt.datetime(1970, 1, 2, tzinfo=dt.UTC))
    86400000000
    """
    return (moment - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(microseconds=1)


def from_us(us: int) -> dt.datetime:
    """The aware UTC datetime of microseconds since 1970-01-01."""
    return dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=us)
