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
SPILL_SHARE = 0.5
"""Of the disk: what is left is for everybody else."""


class Source:
    """The checked canonical tables of one company, each a DuckDB table or view named as in `features.sources.schema`."""

    def __init__(
        self, name: str, folder: Path, data: Path | None, suppressed: SuppressedIds | None = None,
        memory_mb: int | None = None,
    ) -> None:  # fmt: skip
        self.name, self.folder, self.data = name, folder, data
        self.now_us = to_us(now())
        """The clock when it was opened: no row that became visible later has been seen."""
        self.connection = duckdb.connect()
        configure(self.connection)
        bound(self, self.connection, memory_mb)
        self.suppression = SuppressionFilter(self.connection, suppressed or {})
        self.columns: dict[str, tuple[str, ...]] = {}
        """Per table the canonical columns that the source delivers."""
        self.custom: dict[str, tuple[str, ...]] = {}
        """Per table the columns beyond the canonical ones, under the names that they have here (`slug_of`)."""
        self.scans: dict[str, Scan] = {}
        """The tables that stay where they are."""
        self.schemas: dict[str, str] = {}
        """Per table the DuckDB schema that holds it: `main`, or that of an overlay (`features.sources.overlay`)."""
        self.given_types: dict[str, dict[str, str]] = {}
        """Per table the DuckDB types of the columns of its SELECT."""
        self.queries: dict[str, str] = {}
        """Per table the query that was read."""
        self.faults: tuple[Fault, ...] = ()
        """What is wrong, when it was opened all the same."""
        self.broken: dict[str, tuple[Fault, ...]] = {}
        """Per table that has a file and cannot be read: why. It is not absent."""
        self.empty: dict[str, str] = {}
        """Per table without a row: what its files are like."""
        self.noted: dict[str, Any] = {}
        """What other modules found out of it and keep with it; an overlay begins without."""

    @property
    def tables(self) -> tuple[str, ...]:
        """Names of the tables that this source has, in the order of `features.sources.schema`."""
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

    def stays(self, table: str) -> bool:
        """Whether a table stays where it is and is scanned, rather than held in memory."""
        return table in self.scans

    @property
    def span(self) -> tuple[dt.datetime, dt.datetime]:
        """First and last moment of what was observed; raises `UserMistake` when no row says."""
        return from_us(self.observed.first_us), from_us(self.observed.last_us)

    @cached_property
    def observed(self) -> ObservedPeriod:
        """How far the data reach, rows dated ahead and far off left out (`features.sources.observed_period`); a pass over each table.

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
        if table in self.queries:
            return self.queries[table]
        path = self.folder / f"{table}.sql"
        if not path.is_file():
            return None
        return QueryText.read(path, self.data).run

    def is_sampled(self, table: str) -> bool:
        """Whether the types of the table's columns were settled by the first rows of a text file (`features.sources.full_sample`)."""
        return table in self.queries and may_be_sampled(self.connection, self.queries[table])

    def recent(self, table: str, bounds: Bounds) -> str:
        """SQL of an event table's rows within bounds: on a table that stays where it is the cost does not grow with the history."""
        scan = self.scans.get(table)
        return rows_of(quote(table), bounds) if scan is None else scan.rows(bounds)


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
    """UTC, no progress bar, rows in any order, TRY_CAST as SQL says (`features.sources.duckdb_errors.honest_casts`)."""
    connection.execute("SET TimeZone = 'UTC'; SET preserve_insertion_order = false")
    honest_casts(connection)
    # In a notebook without ipywidgets the bar is off, and DuckDB refuses to be told so.
    with contextlib.suppress(duckdb.InvalidInputException):
        connection.execute("SET enable_progress_bar = false")
