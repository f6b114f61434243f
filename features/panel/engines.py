"""DuckDB, pandas and Spark behind one interface: read tables, materialize intermediate results, return the panel.

The computation itself is Narwhals and the same on all three.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import reduce
from pathlib import Path
from typing import Any, Literal, Protocol

import narwhals as nw
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from features.kit.errors import MissingExtra, UserMistake
from features.panel.visibility import KnownBefore
from features.sources.casts import quote
from features.sources.source import Source
from features.sources.time_bounds import Bounds

How = Literal["sum", "min", "max", "bits"]
Integers = Sequence[int] | np.ndarray
Placed = Callable[[str], str]
"""Takes the SQL of a table's rows (in brackets), gives the SQL of the rows to read."""
WORD_BITS = 52
"""Bits that one integer holds: Spark divides integers as doubles, exact up to 2^53."""
ENGINES = ("duckdb", "pandas", "spark")


class Engine(Protocol):
    def table(
        self,
        name: str,
        columns: Sequence[str],
        ids: tuple[str, Sequence[str]] | None,
        bounds: Bounds | None = None,
        known: KnownBefore | None = None,
        placed: Placed | None = None,
    ) -> nw.LazyFrame[Any]:
        """Columns of one source table. `ids` keeps rows whose column has one of the values, `bounds` limits events in
        time, `known` keeps what was known before a moment, and `placed` derives columns in SQL first
        (`features.panel.placement`)."""
        ...

    def parquet(self, path: Path) -> nw.LazyFrame[Any]:
        """Reads a small Parquet file that an earlier run wrote."""
        ...

    def small(self, columns: Mapping[str, Integers]) -> nw.LazyFrame[Any]:
        """A small frame of int64 columns; the same content is built once."""
        ...

    def keep(self, frame: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
        """Materializes a result that is used more than once."""
        ...

    def roll_up(self, frame: nw.LazyFrame[Any], keys: Sequence[str], how: Mapping[str, How]) -> nw.LazyFrame[Any]:
        """Aggregates columns per key; keys are never null, sums are int64.

        `sum` of nulls only is 0. `bits` takes a column of numbers from 0 to below `WORD_BITS`, or null, and gives the
        integer with the bits of the numbers that occur; 0 when none does.
        """
        ...

    def joined(self, left: nw.LazyFrame[Any], right: nw.LazyFrame[Any], *on: str) -> nw.LazyFrame[Any]:
        """Inner join of two frames, a cross join without `on`. They share no other column."""
        ...

    def beside(
        self, spine: nw.LazyFrame[Any], frames: Sequence[nw.LazyFrame[Any]], keys: Sequence[str]
    ) -> nw.LazyFrame[Any]:
        """Left joins of materialized frames to a materialized spine, on the same keys. They share no other column."""
        ...

    def arrow(self, frame: nw.LazyFrame[Any]) -> pa.Table: ...

    def parts(self, frame: nw.LazyFrame[Any], by: str, rows: int) -> Iterator[pa.Table]:
        """The frame sorted by a text, `rows` at a time, the last part smaller; one empty part when it has no rows."""
        ...

    def close(self) -> None:
        """Drops what was materialized."""
        ...


def make_engine(name: str, source: Source) -> Engine:
    match name:
        case "duckdb":
            return DuckDBEngine(source)
        case "pandas":
            return PandasEngine(source)
        case "spark":
            return SparkEngine(source)
    raise UserMistake(f"no engine {name!r}: one of {', '.join(ENGINES)}")


def _select(
    source: Source,
    name: str,
    columns: Sequence[str],
    ids: tuple[str, Sequence[str]] | None,
    bounds: Bounds | None,
    known: KnownBefore | None = None,
    placed: Placed | None = None,
) -> Any:
    picked = ", ".join(map(quote, columns))
    rows = quote(name) if bounds is None else f"({source.recent(name, bounds)})"
    if known is not None:
        rows = known.rows(source, name, bounds, ids[0] if ids is not None else "")
    where = ""
    # With moments of their own these are the rows of the wanted entities alone.
    if ids is not None and not (known is not None and known.is_of_each):
        wanted = pa.table({"wanted": pa.array(list(ids[1]), pa.string())})
        source.connection.register("wanted_ids", wanted)
        where = f" WHERE {quote(ids[0])} IN (SELECT wanted FROM wanted_ids)"
    found = f"SELECT {picked} FROM {rows}{where}"
    return source.connection.sql(found if placed is None else placed(f"({found})"))


def _roll_up(
    engine: Engine, frame: nw.LazyFrame[Any], keys: Sequence[str], how: Mapping[str, How]
) -> nw.LazyFrame[Any]:
    """For engines where Narwhals has no bitwise OR: distinct numbers first, then the sum of their powers of two."""
    plain = {name: way for name, way in how.items() if way != "bits"}
    aggregates = [getattr(nw.col(name), way)() for name, way in plain.items()]
    found = frame.group_by(*keys).agg(*aggregates) if plain else frame.select(*keys).unique()
    for name in how.keys() - plain.keys():
        numbers = frame.filter(~nw.col(name).is_null()).select(*keys, name).unique()
        powers = engine.small({name: list(range(WORD_BITS)), "power": [2**n for n in range(WORD_BITS)]})
        words = numbers.join(powers, on=name, how="inner").group_by(*keys).agg(nw.col("power").sum())
        found = found.join(words.rename({"power": name}), on=list(keys), how="left")
    whole: dict[How, Callable[[str], nw.Expr]] = {"sum": nw.col, "bits": lambda n: nw.col(n).fill_null(0)}
    return found.select(
        *keys, **{n: whole[way](n).cast(nw.Int64) if way in whole else nw.col(n) for n, way in how.items()}
    )


def _joined(left: nw.LazyFrame[Any], right: nw.LazyFrame[Any], on: Sequence[str]) -> nw.LazyFrame[Any]:
    return left.join(right, on=list(on), how="inner") if on else left.join(right, how="cross")


def _integers(columns: Mapping[str, Integers]) -> tuple[pa.Table, bytes]:
    """A table of int64 columns, and a key of what is in it."""
    table = pa.table({name: pa.array(values, pa.int64()) for name, values in columns.items()})
    held = [
        buffer.to_pybytes() for column in table.columns for buffer in column.chunk(0).buffers() if buffer is not None
    ]
    return table, hashlib.sha256(b"".join([repr(table.column_names).encode(), *held])).digest()


def _slices(table: pa.Table, rows: int) -> Iterator[pa.Table]:
    for start in range(0, max(table.num_rows, 1), rows):
        yield table.slice(start, rows)


class DuckDBEngine:
    """Embedded and out of core; the default."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._kept: list[str] = []
        self._small: dict[bytes, nw.LazyFrame[Any]] = {}

    def table(
        self,
        name: str,
        columns: Sequence[str],
        ids: tuple[str, Sequence[str]] | None,
        bounds: Bounds | None = None,
        known: KnownBefore | None = None,
        placed: Placed | None = None,
    ) -> nw.LazyFrame[Any]:
        found = nw.from_native(_select(self._source, name, columns, ids, bounds, known, placed))
        # The next call registers other ids and moments under the same names, so the result is materialized now.
        return found if ids is None and not (known is not None and known.is_of_each) else self.keep(found)

    def parquet(self, path: Path) -> nw.LazyFrame[Any]:
        return self.keep(nw.from_native(self._source.connection.read_parquet(str(path))))

    def small(self, columns: Mapping[str, Integers]) -> nw.LazyFrame[Any]:
        table, key = _integers(columns)
        if key not in self._small:
            self._small[key] = self.keep(nw.from_native(self._source.connection.from_arrow(table)))
        return self._small[key]

    def keep(self, frame: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
        # The count makes names unique per connection, also when two panels are built from one source.
        name = f"kept_{id(self):x}_{len(self._kept)}"
        frame.to_native().create(name)
        self._kept.append(name)
        return nw.from_native(self._source.connection.table(name))

    def roll_up(self, frame: nw.LazyFrame[Any], keys: Sequence[str], how: Mapping[str, How]) -> nw.LazyFrame[Any]:
        # One pass and one small hash table; `_roll_up` would first make a row for each key and number: on 50 million
        # events 8.9 million for users and weeks instead of 0.3 million for users.
        form = {
            "bits": "coalesce(bit_or(1::BIGINT << {0}::INTEGER), 0)",
            "sum": "coalesce(sum({0}), 0)::BIGINT",
        }
        items = [f"{form.get(way, way + '({0})').format(quote(n))} AS {quote(n)}" for n, way in how.items()]
        by = ", ".join(map(quote, keys))
        return nw.from_native(frame.to_native().aggregate(", ".join([by, *items]), by))

    def joined(self, left: nw.LazyFrame[Any], right: nw.LazyFrame[Any], *on: str) -> nw.LazyFrame[Any]:
        # Narwhals' join is five relations, each of which DuckDB binds: 4 ms in the place of 1.
        one, other = (each.to_native().sql_query() for each in (left, right))
        how = f"JOIN ({other}) USING ({', '.join(map(quote, on))})" if on else f"CROSS JOIN ({other})"
        return nw.from_native(self._source.connection.sql(f"FROM ({one}) {how}"))

    def beside(
        self, spine: nw.LazyFrame[Any], frames: Sequence[nw.LazyFrame[Any]], keys: Sequence[str]
    ) -> nw.LazyFrame[Any]:
        # One statement: frame by frame, DuckDB would bind all columns so far anew, for some 30 frames and 300 columns.
        first, *others = (quote(f.to_native().alias) for f in (spine, *frames))
        using = f" USING ({', '.join(map(quote, keys))})"
        joins = " ".join(f"LEFT JOIN {name}{using}" for name in others)
        return nw.from_native(self._source.connection.sql(f"FROM {first} {joins}"))

    def arrow(self, frame: nw.LazyFrame[Any]) -> pa.Table:
        return frame.to_native().to_arrow_table()

    def parts(self, frame: nw.LazyFrame[Any], by: str, rows: int) -> Iterator[pa.Table]:
        reader = frame.to_native().order(quote(by)).to_arrow_reader(rows)
        waiting = reader.schema.empty_table()
        for batch in reader:
            waiting = pa.concat_tables([waiting, pa.Table.from_batches([batch])])
            while waiting.num_rows > rows:
                yield waiting.slice(0, rows)
                waiting = waiting.slice(rows)
        yield waiting

    def close(self) -> None:
        for name in self._kept:
            self._source.connection.execute(f'DROP TABLE IF EXISTS "{name}"')
        self._kept.clear()


class PandasEngine:
    """For a notebook and for tests: everything in memory, on Arrow-backed columns so that null stays null."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def table(
        self,
        name: str,
        columns: Sequence[str],
        ids: tuple[str, Sequence[str]] | None,
        bounds: Bounds | None = None,
        known: KnownBefore | None = None,
        placed: Placed | None = None,
    ) -> nw.LazyFrame[Any]:
        return self._frame(_select(self._source, name, columns, ids, bounds, known, placed).to_arrow_table())

    def parquet(self, path: Path) -> nw.LazyFrame[Any]:
        return self._frame(pq.read_table(path))

    def small(self, columns: Mapping[str, Integers]) -> nw.LazyFrame[Any]:
        return self._frame(_integers(columns)[0])

    def keep(self, frame: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
        return frame

    def roll_up(self, frame: nw.LazyFrame[Any], keys: Sequence[str], how: Mapping[str, How]) -> nw.LazyFrame[Any]:
        return _roll_up(self, frame, keys, how)

    def joined(self, left: nw.LazyFrame[Any], right: nw.LazyFrame[Any], *on: str) -> nw.LazyFrame[Any]:
        return _joined(left, right, on)

    def beside(
        self, spine: nw.LazyFrame[Any], frames: Sequence[nw.LazyFrame[Any]], keys: Sequence[str]
    ) -> nw.LazyFrame[Any]:
        return reduce(lambda left, right: left.join(right, on=list(keys), how="left"), frames, spine)

    def arrow(self, frame: nw.LazyFrame[Any]) -> pa.Table:
        return pa.Table.from_pandas(frame.to_native(), preserve_index=False)

    def parts(self, frame: nw.LazyFrame[Any], by: str, rows: int) -> Iterator[pa.Table]:
        return _slices(self.arrow(frame).sort_by(by), rows)

    def close(self) -> None:
        return

    @staticmethod
    def _frame(table: pa.Table) -> nw.LazyFrame[Any]:
        import pandas as pd

        return nw.from_native(table.to_pandas(types_mapper=pd.ArrowDtype)).lazy()


def spark_session() -> Any:
    """The Spark of this process, made when there is none: local, or the cluster that `PYSPARK_SUBMIT_ARGS` names.

    Raises `MissingExtra` without PySpark, `UserMistake` without Java.
    """
    try:
        from pyspark.sql import SparkSession
    except ImportError:
        raise MissingExtra("spark", "--engine spark") from None
    if not os.environ.get("JAVA_HOME") and shutil.which("java") is None:
        raise UserMistake(
            "--engine spark needs Java, and no java is on the PATH: install version 17 or newer, or set JAVA_HOME"
        )
    builder: Any = SparkSession.builder.appName("accountscore")
    if "--master" not in os.environ.get("PYSPARK_SUBMIT_ARGS", ""):
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)  # a local Spark's workers would be the PATH's python3
        builder = builder.config("spark.ui.enabled", "false")
    session = (
        builder.config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.ansi.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .getOrCreate()
    )
    session.sparkContext.setLogLevel("ERROR")
    # Spark's default of 200 partitions is too many for one company; a cluster's own setting is kept.
    if not session.sparkContext.getConf().contains("spark.sql.shuffle.partitions"):
        session.conf.set("spark.sql.shuffle.partitions", "8")
    return session


class SparkEngine:
    """A cluster, or a local Spark. The source's tables reach it as Parquet, written once by DuckDB."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._folder = tempfile.TemporaryDirectory(prefix="accountscore-spark-")
        self._session = spark_session()
        self._written: dict[str, Path] = {}
        self._kept: list[Any] = []
        self._small: dict[bytes, nw.LazyFrame[Any]] = {}

    def table(
        self,
        name: str,
        columns: Sequence[str],
        ids: tuple[str, Sequence[str]] | None,
        bounds: Bounds | None = None,
        known: KnownBefore | None = None,
        placed: Placed | None = None,
    ) -> nw.LazyFrame[Any]:
        path = Path(self._folder.name) / f"{name}_{len(self._written)}.parquet"
        self._written[str(path)] = path
        _select(self._source, name, columns, ids, bounds, known, placed).write_parquet(str(path))
        return nw.from_native(self._session.read.parquet(str(path)))

    def parquet(self, path: Path) -> nw.LazyFrame[Any]:
        return nw.from_native(self._session.read.parquet(str(path)))

    def small(self, columns: Mapping[str, Integers]) -> nw.LazyFrame[Any]:
        # As Arrow it is part of the plan; as Python's rows it would need Python's workers, each time it is read.
        table, key = _integers(columns)
        if key not in self._small:
            self._small[key] = nw.from_native(self._session.createDataFrame(table))
        return self._small[key]

    def keep(self, frame: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
        kept = frame.to_native().persist()
        self._kept.append(kept)
        return nw.from_native(kept)

    def roll_up(self, frame: nw.LazyFrame[Any], keys: Sequence[str], how: Mapping[str, How]) -> nw.LazyFrame[Any]:
        return _roll_up(self, frame, keys, how)

    def joined(self, left: nw.LazyFrame[Any], right: nw.LazyFrame[Any], *on: str) -> nw.LazyFrame[Any]:
        return _joined(left, right, on)

    def beside(
        self, spine: nw.LazyFrame[Any], frames: Sequence[nw.LazyFrame[Any]], keys: Sequence[str]
    ) -> nw.LazyFrame[Any]:
        # Spark's own join names the keys once; Narwhals would rename and select all columns again for each frame.
        wide = spine.to_native()
        for frame in frames:
            wide = wide.join(frame.to_native(), on=list(keys), how="left")
        return nw.from_native(wide)

    def arrow(self, frame: nw.LazyFrame[Any]) -> pa.Table:
        return frame.to_native().toArrow()

    def parts(self, frame: nw.LazyFrame[Any], by: str, rows: int) -> Iterator[pa.Table]:
        return _slices(self.arrow(frame).sort_by(by), rows)

    def close(self) -> None:
        for kept in self._kept:
            kept.unpersist()
        self._folder.cleanup()
