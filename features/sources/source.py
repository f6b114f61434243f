"""A source: a folder with one `<table>.sql` (or `<table>.py`) per canonical table.

Each `.sql` file is one SELECT, run by DuckDB, in which `${data}` stands for a directory given at run time. A `.py`
file has a function `rows(data: pathlib.Path)` that returns a `pyarrow.Table` or `RecordBatchReader`.

After opening, each table is a DuckDB relation of the canonical columns, absent ones null, in the types that signals
may see (see "Dialect" in `features/README.md`): text, int64, float64 without NaN, booleans, and times and money as
int64 (microseconds since 1970 UTC, cents). State tables also get, per version row, what makes "as known at `as_of`"
a comparison of integers:

- `from_us`, `until_us`: the row is the state of its key at `as_of` iff `from_us < as_of <= until_us`;
- `created_us`: the earliest `event_time` of the key that was known when the row was.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import shutil
import tempfile
import weakref
from collections.abc import Collection, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from features.kit.clock import DAY_US, from_us, now, to_us
from features.kit.errors import BadInput, Fault, UserMistake
from features.kit.memory import memory_bytes
from features.sources.casts import (
    internal,
    quote,
)
from features.sources.duckdb_errors import honest_casts
from features.sources.full_sample import may_be_sampled
from features.sources.observed_period import Days, ObservedPeriod, observed_period
from features.sources.query_text import QueryText
from features.sources.schema import ENTITIES, KNOWN_TIME, TABLES
from features.sources.suppression import SuppressedIds
from features.sources.suppression_filter import SuppressionFilter
from features.sources.time_bounds import Bounds, Scan, rows_of

MEMORY_SHARE = 0.8
"""Share of the machine's memory that DuckDB may use."""
SPILL_SHARE = 0.5
"""Share of the free disk space that DuckDB may use; the rest is for other processes."""


class Source:
    """The checked canonical tables of one company, each a DuckDB table or view named as in `features.sources.schema`."""

    def __init__(
        self,
        name: str,
        folder: Path,
        data: Path | None,
        suppressed: SuppressedIds | None = None,
        memory_mb: int | None = None,
    ) -> None:
        self.name, self.folder, self.data = name, folder, data
        self.now_us = to_us(now())
        """The clock when the source was opened, in microseconds since 1970: rows that become visible later do not count."""
        self.connection = duckdb.connect()
        configure(self.connection)
        bound(self, self.connection, memory_mb)
        self.suppression = SuppressionFilter(self.connection, suppressed or {})
        self.columns: dict[str, tuple[str, ...]] = {}
        """Per table the canonical columns that the source delivers."""
        self.custom: dict[str, tuple[str, ...]] = {}
        """Per table the custom columns (those beyond the canonical ones), by their names here (`slug_of`)."""
        self.scans: dict[str, Scan] = {}
        """The tables that stay in their files and are scanned."""
        self.schemas: dict[str, str] = {}
        """Per table the DuckDB schema that holds it: `main`, or that of an overlay (`features.sources.overlay`)."""
        self.given_types: dict[str, dict[str, str]] = {}
        """Per table the DuckDB types of the columns of its SELECT."""
        self.queries: dict[str, str] = {}
        """Per table the query whose rows were loaded."""
        self.faults: tuple[Fault, ...] = ()
        """The faults of a source that was opened all the same (`keep_going`)."""
        self.broken: dict[str, tuple[Fault, ...]] = {}
        """Per table that has a file but could not be loaded: its faults. Such a table does not count as absent."""
        self.empty: dict[str, str] = {}
        """Per table without a row: why it has none."""
        self.told_outcomes = 0
        """Rows of the DuckDB table `told_outcomes` (`features.sources.notes`); with 0 there is no such table."""
        self.told_actions = False
        """Whether `actions` has rows of notes; they are true in its column `_is_note`, which is there only then."""
        self.noted: dict[str, Any] = {}
        """Results that other modules cache with the source; an overlay starts with none."""

    @property
    def tables(self) -> tuple[str, ...]:
        """Names of the tables that this source has, in the order of `features.sources.schema`."""
        return tuple(name for name in TABLES if name in self.columns)

    def has(self, table: str, column: str | None = None) -> bool:
        """Whether the source delivers a table, or one of its canonical columns."""
        return table in self.columns and (column is None or column in self.columns[table])

    def has_file(self, table: str) -> bool:
        """Whether the source has a file of a table, also one that cannot be read."""
        return table in self.columns or table in self.broken

    def faults_for(self, tables: Collection[str]) -> tuple[Fault, ...]:
        """The faults that concern a reader of these tables: those of the tables, and those of files that are no table."""
        others = {fault for table, faults in self.broken.items() if table not in tables for fault in faults}
        return tuple(fault for fault in self.faults if fault not in others)

    def require(self, tables: Collection[str]) -> None:
        """Raises `BadInput` when one of these tables has a file but could not be loaded."""
        if found := self.faults_for(tables):
            raise BadInput(f"source {self.name!r}", found)

    def arrow(self, table: str, columns: Sequence[str] | None = None, seen: bool = False) -> pa.Table:
        """A table in ordinary types: times as timestamp[us, UTC], money in currency units, custom columns included.

        `seen`: only observed rows, without those that happened after the end or became known after the clock.
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
        """SQL condition of an observed row: it neither happened after the end nor became known after the clock."""
        at, known = f"{of}event_us", f"{of}known_us"
        return f"coalesce({at} <= {self.observed.last_us}, true) AND coalesce({known} <= {self.now_us}, true)"

    def stays(self, table: str) -> bool:
        """Whether a table stays in its files and is scanned, instead of being held in memory."""
        return table in self.scans

    @property
    def span(self) -> tuple[dt.datetime, dt.datetime]:
        """First and last observed moment. Raises `UserMistake` when no table has a row before the clock."""
        return from_us(self.observed.first_us), from_us(self.observed.last_us)

    @cached_property
    def observed(self) -> ObservedPeriod:
        """How far the data reach, without rows dated ahead or far off (`features.sources.observed_period`); one pass over each table.

        Actions do not count, because they may be planned ahead. Raises `UserMistake` when no table has a row before the clock.
        """
        dated = [t for t in self.tables if "event_time" in self.columns[t] and TABLES[t].kind != "action"]
        # A row that was known before it happened was planned: it shows that somebody recorded when it became known.
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
        """Number of rows of a table."""
        return int(self.query(f"SELECT count(*) FROM {quote(table)}")[0][0])

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """All rows of a query, fetched at once: a half-read result would block the connection."""
        return self.connection.execute(sql).fetchall()

    def statement(self, table: str) -> str | None:
        """The SELECT of a table as it is run, with types from all rows; None when the table comes from Python."""
        if table in self.queries:
            return self.queries[table]
        path = self.folder / f"{table}.sql"
        if not path.is_file():
            return None
        return QueryText.read(path, self.data).run

    def is_sampled(self, table: str) -> bool:
        """Whether the types of the table were decided by the first rows of a text file (`features.sources.full_sample`)."""
        return table in self.queries and may_be_sampled(self.connection, self.queries[table])

    def recent(self, table: str, bounds: Bounds) -> str:
        """SQL of an event table's rows within bounds. For a table that stays in its files, the cost does not grow with the history."""
        scan = self.scans.get(table)
        return rows_of(quote(table), bounds) if scan is None else scan.rows(bounds)


def bound(owner: object, connection: duckdb.DuckDBPyConnection, memory_mb: int | None) -> None:
    """Limit a connection to `memory_mb` (by default `MEMORY_SHARE` of the machine) and to `SPILL_SHARE` of the free space in TMPDIR.

    By default DuckDB would spill into a folder `.tmp` of the working folder, and fill nearly the whole disk. The folder is deleted
    together with `owner`.
    """
    spill = tempfile.mkdtemp(prefix="accountscore-spill-")
    weakref.finalize(owner, shutil.rmtree, spill, ignore_errors=True)
    memory = int(MEMORY_SHARE * memory_bytes() / 1e6) if memory_mb is None else memory_mb
    room = int(SPILL_SHARE * shutil.disk_usage(spill).free / 1e6)
    connection.execute(f"SET memory_limit = '{memory}MB'")
    connection.execute("SET temp_directory = $1", [spill])
    connection.execute(f"SET max_temp_directory_size = '{room}MB'")


def configure(connection: duckdb.DuckDBPyConnection) -> None:
    """Set a connection to UTC, no progress bar, rows in any order, and TRY_CAST as in SQL (`duckdb_errors.honest_casts`)."""
    connection.execute("SET TimeZone = 'UTC'; SET preserve_insertion_order = false")
    honest_casts(connection)
    # In a notebook without ipywidgets the bar is off already, and DuckDB refuses the setting.
    with contextlib.suppress(duckdb.InvalidInputException):
        connection.execute("SET enable_progress_bar = false")
