"""The store, on SQLite (WAL; a commit that has returned survives power loss) or on Postgres. The URL says which."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, cast

from sqlalchemy import Connection, Engine, Table, create_engine, event, inspect, make_url, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from features.kit.errors import MissingExtra, UserMistake
from serving.errors import StoreAway
from serving.store.tables import REVISION
from serving.store.trouble import REFUSED, cannot_be_written, cannot_write, reading_uri, trouble_of
from serving.store.write_ahead_log import BUSY_TIMEOUT_MS, LIMIT_BYTES, Bound

STATEMENT_TIMEOUT_MS = 600_000
"""Limit of one statement on Postgres. No statement takes a tenth of it; it frees us from a server that hangs."""


class Store:
    """Short transactions on the store. Safe to share between threads."""

    def __init__(self, engine: Engine, named: str, busy_ms: int, unwritable: str | None = None) -> None:
        """`named` is the setting that the URL comes from, for messages. `unwritable` says why a SQLite file is
        read-only; None when it is not."""
        self.engine, self._named, self._busy_ms, self._unwritable = engine, named, busy_ms, unwritable
        self._log = Bound(engine.url.database or "") if engine.dialect.name == "sqlite" else None

    @property
    def dialect(self) -> str:
        return self.engine.dialect.name

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A consistent view of the database. Raises `StoreAway` when it cannot be reached."""
        with self.telling(), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction, durable when the block ends. Raises `StoreAway` when the database is away or locked. SQLite
        takes the write lock at the start, so that no read in the transaction is stale."""
        with self.telling(), self.engine.connect().execution_options(immediate=True) as connection:
            with connection.begin():
                yield connection
            self.bound_log(connection)

    def bound_log(self, connection: Connection) -> None:
        """After a commit: keep SQLite's write-ahead log small."""
        if self._log is not None:
            self._log.keep(cast(sqlite3.Connection, connection.connection.driver_connection))

    @contextmanager
    def raw(self) -> Iterator[sqlite3.Connection]:
        """A connection of SQLite's driver outside of any transaction, for statements that cannot run in one. Raises
        `StoreAway`."""
        with self.telling(), self.engine.connect() as connection:
            # SQLAlchemy begins a transaction with its first statement, so none is executed through it.
            yield cast(sqlite3.Connection, connection.connection.driver_connection)

    def revision(self) -> str | None:
        """The migration that the store is at, None when it was never migrated."""
        with self.read() as connection:
            if not inspect(connection).has_table("alembic_version"):
                return None
            return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()

    def require_revision(self) -> None:
        """Raises `UserMistake` unless the store is at the revision of this code."""
        found = self.revision()
        if found is not None and is_newer(found):
            raise UserMistake(newer_than_this(self, found))
        if found != REVISION:
            state = "was never set up" if found is None else f"is at revision {found}"
            raise UserMistake(
                f"the store {self.engine.url.render_as_string(hide_password=True)!r} {state}; this version needs {REVISION}: "
                "run python -m serving migrate"
            )

    def require_writable(self) -> None:
        """Raises `UserMistake` when the store is a read-only file."""
        if self._unwritable is not None:
            raise UserMistake(cannot_be_written(self.engine.url.database or "", self._unwritable, self._named))

    @contextmanager
    def telling(self) -> Iterator[None]:
        """Turns errors of a database that is away, locked, full or read-only into `StoreAway`. Its message has the
        reason and the next step."""
        try:
            yield
        except PoolTimeout as error:
            raise StoreAway("the store has no free connection: try again") from error
        except DBAPIError as error:
            # A broken statement is a bug of ours and is raised as it is.
            refused = getattr(error.orig, "sqlstate", None) in REFUSED
            if (
                refused
                or error.connection_invalidated
                or type(error).__name__ in ("OperationalError", "InterfaceError")
            ):
                raise StoreAway(
                    trouble_of(error.orig, self.engine.url.database or "", self._named, self._busy_ms)
                ) from error
            raise

    def close(self) -> None:
        self.engine.dispose()


def is_newer(revision: str) -> bool:
    """Whether a newer version has migrated the store. Revisions are numbered: a larger one is newer."""
    return revision > REVISION


def newer_than_this(store: Store, found: str) -> str:
    """The message for a store that a newer version has migrated."""
    shown = store.engine.url.render_as_string(hide_password=True)
    return f"the store {shown!r} is at revision {found}, this version knows {REVISION}: use the version that migrated it, or restore a backup"


class Writing:
    """`Store.write` for one thread that commits often. On SQLite it keeps one connection, which makes small commits
    cheaper. On Postgres each transaction takes a live connection from the pool, because the server may have been
    restarted."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._kept: Connection | None = None

    @contextmanager
    def __call__(self) -> Iterator[Connection]:
        if self._store.dialect != "sqlite":
            with self._store.write() as connection:
                yield connection
            return
        try:
            with self._store.telling():
                if self._kept is None:
                    self._kept = self._store.engine.connect().execution_options(immediate=True)
                with self._kept.begin():
                    yield self._kept
                self._store.bound_log(self._kept)
        except BaseException:
            self.close()  # the next transaction opens a new connection
            raise

    def close(self) -> None:
        """Give the connection back."""
        kept, self._kept = self._kept, None
        if kept is not None:
            kept.close()


def open_store(url: str, named: str = "ACCOUNTSCORE_STORE_URL", busy_ms: int | None = None) -> Store:
    """Open the store at a SQLAlchemy URL. Reads nothing yet; makes the folder of a SQLite file.

    `named` is the setting that the URL comes from, for messages. A transaction waits `busy_ms` milliseconds (default
    `BUSY_TIMEOUT_MS`) for a lock of another process, then raises `StoreAway`.

    Raises `UserMistake` for an invalid URL or another kind of database, `MissingExtra` when the Postgres driver is not
    installed.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        # The URL may hold a password: it is not repeated.
        raise UserMistake(
            f"{named} is not a SQLAlchemy URL: write sqlite:////path/store.db or postgresql://user@host/name"
        ) from None
    busy_ms = BUSY_TIMEOUT_MS if busy_ms is None else busy_ms
    backend = parsed.get_backend_name()
    if backend == "sqlite":
        if not parsed.database or parsed.database == ":memory:":
            raise UserMistake(f"{named} names no file: write sqlite:////path/store.db")
        file = Path(parsed.database)
        why = cannot_write(file)
        if why is not None:
            only_read = partial(
                sqlite3.connect, reading_uri(file), uri=True, timeout=busy_ms / 1000, check_same_thread=False
            )
            engine = create_engine(parsed, creator=only_read, hide_parameters=True)
            event.listen(engine, "begin", _sqlite_begin)
            return Store(engine, named, busy_ms, why)
        file.parent.mkdir(parents=True, exist_ok=True)
        waiting = {"timeout": busy_ms / 1000, "check_same_thread": False}
        engine = create_engine(parsed, connect_args=waiting, hide_parameters=True)  # no row in an error's message
        event.listen(engine, "connect", partial(_sqlite_settings, busy_ms))
        event.listen(engine, "begin", _sqlite_begin)
        return Store(engine, named, busy_ms)
    if backend == "postgresql":
        try:
            engine = create_engine(
                parsed.set(drivername="postgresql+psycopg"),
                pool_pre_ping=True,
                pool_timeout=min(5, busy_ms / 1000),
                hide_parameters=True,
                # These notice a server that vanished; the system's defaults take a quarter of an hour.
                connect_args={
                    "connect_timeout": 5,
                    "keepalives_idle": 10,
                    "keepalives_interval": 5,
                    "keepalives_count": 3,
                    "tcp_user_timeout": 20_000,
                },
            )
        except (ModuleNotFoundError, NoSuchModuleError):
            raise MissingExtra("postgres", "a database on Postgres") from None
        event.listen(engine, "connect", partial(_postgres_settings, busy_ms))
        return Store(engine, named, busy_ms)
    raise UserMistake(f"{named} names {backend!r}: it is on sqlite or postgresql")


def insert_new(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]], unique: Sequence[str]) -> int:
    """Insert the rows whose `unique` columns are not in the table yet. Returns how many were new."""
    if not rows:
        return 0
    # Rows are bound parameters, so that the statement is compiled once: 54 us in all. With the values in the statement,
    # compiling alone took 270 us for one row.
    statement = _insert(connection)(table).on_conflict_do_nothing(index_elements=list(unique))
    # Counted by what comes back: psycopg's `rowcount` of such a statement is -1.
    return len(connection.execute(statement.returning(table.c[unique[0]]), list(map(dict, rows))).all())


def upsert(
    connection: Connection,
    table: Table,
    rows: Sequence[Mapping[str, Any]],
    unique: Sequence[str],
    add: Sequence[str] = (),
    keep: Sequence[str] = (),
    newest: str | None = None,
) -> None:
    """Insert the rows, or update those with the same `unique` columns: columns in `add` are summed, those in `keep`
    keep their value.

    With `newest`, an existing row whose column of that name is larger is left alone: a late writer does not undo a
    newer row. An empty list does nothing. All rows have the same columns, and no key occurs twice.
    """
    if not rows:
        return
    statement = _insert(connection)(table)
    new = statement.excluded
    setting = {
        name: table.c[name] + new[name] if name in add else new[name]
        for name in rows[0]
        if name not in (*unique, *keep)
    }
    where = (new[newest] >= table.c[newest]) if newest else None
    statement = statement.on_conflict_do_update(index_elements=list(unique), set_=setting, where=where)
    connection.execute(statement, list(map(dict, rows)))


def _insert(connection: Connection) -> Any:
    return sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert


def _sqlite_settings(busy_ms: int, connection: DBAPIConnection, _record: object) -> None:
    connection.isolation_level = None  # `_sqlite_begin` alone begins transactions
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA secure_delete = ON")  # what is deleted is overwritten: see serving.store.wipe
    cursor.execute(f"PRAGMA journal_size_limit = {LIMIT_BYTES}")
    cursor.execute(f"PRAGMA busy_timeout = {busy_ms}")
    cursor.close()


def _postgres_settings(busy_ms: int, connection: DBAPIConnection, _record: object) -> None:
    # Set by statements: a connection pooler refuses them as connection parameters.
    try:
        cursor = connection.cursor()
        cursor.execute(f"SET lock_timeout = {busy_ms}")
        cursor.execute(f"SET statement_timeout = {STATEMENT_TIMEOUT_MS}")
        cursor.close()
        connection.commit()
    except BaseException:
        connection.close()  # nobody else has it yet
        raise


def _sqlite_begin(connection: Connection) -> None:
    immediate = connection.get_execution_options().get("immediate")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")
