"""The star in a database, SQLite or Postgres. Each export is one transaction."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from features.kit.errors import UserMistake
from serving.export import star_schema
from serving.export.destination import Added, Waiting
from serving.export.published_run import PublishedRun
from serving.store.connect import insert_new, open_store

_TYPES: dict[pa.DataType, Any] = {
    star_schema.TIME: sa.DateTime(timezone=True),
    star_schema.TEXT: sa.Text(),
    star_schema.NUMBER: sa.Double(),
    star_schema.COUNT: sa.BigInteger(),
    star_schema.FLAG: sa.Boolean(),
    star_schema.DATE: sa.Date(),
}
_LOCK = 4_190_211_387
"""Key of the advisory lock: two exports into one Postgres wait for each other."""


def _table(metadata: sa.MetaData, table: star_schema.StarTable) -> sa.Table:
    columns = [
        sa.Column(c.name, _TYPES[c.type], primary_key=c.name in table.key, nullable=c.name not in table.key)
        for c in table.columns
    ]
    by = [n for n in ("run_id", "model") if n in {c.name for c in table.columns} and table.key[0] != n]
    return sa.Table(
        table.name, metadata, *columns, *([sa.Index(f"{table.name}_by_run", *by)] if "run_id" in by else [])
    )


METADATA = sa.MetaData()
TABLES = {table.name: _table(METADATA, table) for table in star_schema.TABLES}
SCORES, RUNS, MODELS, OUTCOMES = (TABLES[n] for n in ("score_fact", "run_dim", "model_dim", "outcome_fact"))


class Database:
    """Use under `opened`. Times are UTC; SQLite has no type for them and holds text without a zone."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    @classmethod
    @contextlib.contextmanager
    def opened(cls, url: str) -> Iterator[Database]:
        """Opens the star's tables and creates missing ones. All changes are kept when the block ends well, or none.

        Raises `UserMistake` for a URL that is none, or tables of the same names that are others; `StoreAway` when the
        database does not answer.
        """
        store = open_store(url, named="--to")
        try:
            with store.write() as connection:
                if store.dialect == "postgresql":
                    connection.execute(sa.text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
                _check(connection)
                METADATA.create_all(connection)
                yield cls(connection)
            if store.dialect == "sqlite":
                _one_file(store.engine)
        finally:
            store.close()

    def add(self, run: PublishedRun) -> Added:
        connection = self._connection
        there = connection.execute(sa.select(RUNS.c.run_id, RUNS.c.as_of, RUNS.c.source)).all()
        runs = {r.run_id for r in there if run.takes_the_place_of(r.run_id, _utc(r.as_of), r.source)}
        for own in TABLES.values():
            if runs and "run_id" in own.c:
                connection.execute(sa.delete(own).where(own.c.run_id.in_(runs)))
        if any(r.run_id == run.run_id for r in there):
            return Added({}, len(runs))
        counts = {}
        for table, parts in run.tables():
            if table is star_schema.MODEL_DIM:
                models = [row for part in parts for row in part.to_pylist()]
                counts[table.name] = insert_new(connection, MODELS, models, unique=["model_key"])
            else:
                counts[table.name] = self._insert(TABLES[table.name], parts)
        return Added(counts, len(runs))

    def waiting(self) -> Sequence[Waiting]:
        connection, found = self._connection, []
        models = {row.model_key: row for row in connection.execute(sa.select(MODELS))}
        for run in connection.execute(sa.select(RUNS).order_by(RUNS.c.as_of)).all():
            for model in sorted({about.model for about in models.values()}):
                # Two index look-ups: a year of facts need not be read to find what is missing.
                scored = sa.select(SCORES.c.model_key).where(SCORES.c.run_id == run.run_id, SCORES.c.model == model)
                told = sa.select(OUTCOMES.c.run_id).where(OUTCOMES.c.run_id == run.run_id, OUTCOMES.c.model == model)
                key = connection.execute(scored.limit(1)).scalar()
                if key is not None and connection.execute(told.limit(1)).scalar() is None:
                    about, as_of = models[key], _utc(run.as_of)
                    found.append(Waiting(run.run_id, as_of, run.source, model, about.entity, about.horizon_days))
        return found

    def scored(self, waiting: Waiting) -> list[str]:
        own = (SCORES.c.run_id == waiting.run_id, SCORES.c.model == waiting.model, SCORES.c.probability.is_not(None))
        return list(self._connection.execute(sa.select(SCORES.c.entity_id).where(*own)).scalars())

    def put_outcomes(self, waiting: Waiting, outcomes: pa.Table) -> None:
        self._insert(OUTCOMES, [outcomes])

    def _insert(self, table: sa.Table, parts: Iterable[pa.Table]) -> int:
        put = self._copy if self._connection.dialect.name == "postgresql" else self._many
        count = 0
        for part in parts:
            if len(part):
                put(table, part)
            count += len(part)
        return count

    def _many(self, table: sa.Table, part: pa.Table) -> None:
        self._connection.execute(sa.insert(table), part.to_pylist())

    def _copy(self, table: sa.Table, part: pa.Table) -> None:
        """Inserts by COPY, which Postgres offers for many rows."""
        driver: Any = self._connection.connection.driver_connection
        columns = [_without_nul(part[name]).to_pylist() for name in part.column_names]
        with (
            driver.cursor() as cursor,
            cursor.copy(f"COPY {table.name} ({', '.join(part.column_names)}) FROM STDIN") as copy,
        ):
            for row in zip(*columns, strict=True):
                copy.write_row(row)


def _without_nul(column: Any) -> Any:
    """Removes NUL characters, which Postgres does not allow in a text."""
    return pc.replace_substring(column, "\0", "") if pa.types.is_string(column.type) else column


def _check(connection: sa.Connection) -> None:
    inspector = sa.inspect(connection)
    for name, table in TABLES.items():
        if inspector.has_table(name):
            found, wanted = {c["name"] for c in inspector.get_columns(name)}, set(table.c.keys())
            if found != wanted:
                other = ", ".join(sorted(found ^ wanted))
                raise UserMistake(
                    f"the database of --to has a table {name!r} that is not the star's (they differ in {other}): "
                    "give another database, or another schema with ?options=-csearch_path%3DNAME, or rename the table"
                )


def _utc(moment: dt.datetime) -> dt.datetime:
    return moment.replace(tzinfo=dt.UTC) if moment.tzinfo is None else moment.astimezone(dt.UTC)


def _one_file(engine: sa.Engine) -> None:
    """Ends WAL mode: a reader with read-only access cannot open a file that has a write-ahead log."""
    raw = engine.raw_connection()
    try:
        raw.cursor().execute("PRAGMA journal_mode = DELETE")
    finally:
        raw.close()
