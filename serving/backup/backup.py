"""Backup and restore. A backup is one SQLite file with the whole store, from either database: consistent as of one
moment while all processes run. It can be restored into either database.

A restore removes what is newer than the backup, and counts it. Protections are not removed: see
`serving.privacy.protections`."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import cast

from sqlalchemy import Connection, Table, delete, func, insert, select, text, tuple_

from features.kit import atomic_files
from features.kit.errors import UserMistake
from features.kit.settings import sqlite_url
from features.kit.writable import require_writable, unwritable
from serving.audit_log import repository as audit_log
from serving.audit_log.chain import Head
from serving.audit_log.entry import Entry, command
from serving.connections.config import ConnectionConfig
from serving.privacy import protections
from serving.privacy.protections import KeptProtections, Protections
from serving.privacy.repository import holds
from serving.store.connect import Store, open_store
from serving.store.migrate import migrate
from serving.store.tables import generations, metadata, sessions
from serving.store.version_counters import read as read_generations

ROWS_AT_A_TIME = 1000
_CHECKED = "the file is not a backup, or it is damaged"


def backup(store: Store, file: Path) -> int:
    """Write the store into a new file and return its size in bytes. Raises `UserMistake` when the file exists, and
    `StoreAway`; then no file is left."""
    require_new(file)
    with atomic_files.writing(file) as partial:
        try:
            if store.dialect == "sqlite":
                _copy_file(store, partial)
            else:
                _copy_rows_out(store, partial)
        finally:
            for left in partial.parent.glob(f"{partial.name}-*"):
                left.unlink()
    return file.stat().st_size


def require_new(file: Path) -> None:
    """Raises `UserMistake` when the file exists or cannot be made."""
    if file.exists():
        raise UserMistake(f"{str(file)!r} is there already: name a new file")
    require_writable(file.parent, "name a file elsewhere")


@dataclass(frozen=True)
class Difference:
    """How a store's table differs from the backup's."""

    lost: int
    """Rows that were added or changed since the backup."""
    returned: int
    """Rows that were deleted since the backup."""


@dataclass(frozen=True)
class Restored:
    """The result of a restore, in rows by table."""

    rows: dict[str, int]
    taken_back: dict[str, Difference]
    """Only tables that differed."""
    kept: KeptProtections


def restore(
    store: Store,
    file: Path,
    now_us: int,
    connections: Iterable[ConnectionConfig] = (),
    *,
    overwrite: bool = False,
    told: Protections | None = None,
    known: Head | None = None,
) -> Restored:
    """Put a backup's rows into a migrated store, in one transaction. Protections that are newer stay.

    A backup of an older revision is migrated first. `connections` map events to entities (`protections.apply`). `told`
    are the home's protections (`serving.privacy.home_copy`), which stay too: they matter when the store is new because
    the old one was lost. `known` is the home's head of the audit log. The log that the backup brings goes on with a row
    of the restore, which names that head and the store's own as given up. Raises `UserMistake` for a file that is not a backup and, without `overwrite`, for a store with
    rows.
    """
    if not file.is_file():
        raise UserMistake(f"there is no file {str(file)!r}")
    # The copy goes beside the backup, where there is room for it; into the system's folder if that one is read-only.
    beside = file.absolute().parent if unwritable(file.absolute().parent) is None else None
    with tempfile.TemporaryDirectory(dir=beside) as scratch:
        copy = Path(scratch) / "store.db"
        shutil.copyfile(file, copy)
        _check(copy)
        source = open_store(sqlite_url(copy))
        try:
            migrate(source)
            with source.read() as there, store.write() as here:
                # Locked, so that nobody erases or objects between reading the protections and the restore.
                protections.lock(here, *metadata.sorted_tables)
                held = protections.read(here).joined(told or Protections())
                taken_back = _taken_back(there, here) if overwrite else {}
                before = audit_log.head(here)
                rows = _replace(there, here, overwrite)
                kept = protections.apply(here, held, now_us, connections)
                _log(here, {before, known or Head()}, rows, kept, now_us)
                return Restored(rows, taken_back, kept)
        finally:
            source.close()


def _log(here: Connection, heads: set[Head], rows: dict[str, int], kept: KeptProtections, now_us: int) -> None:
    """Adds the row of the restore. Heads that the restored log has are not given up."""
    given_up = [str(each) for each in sorted(heads, key=str) if each.seq and not audit_log.has(here, each)]
    after = {
        "given_up": given_up,
        "rows": {name: count for name, count in rows.items() if count},
        "kept": {name: count for name, count in asdict(kept).items() if count},
    }
    audit_log.append(here, Entry(command("restore"), "restore", "store", None, None, after), now_us)


def _taken_back(there: Connection, here: Connection) -> dict[str, Difference]:
    found = {}
    for table in metadata.sorted_tables:
        if table is generations or table is sessions:
            continue
        lost = matched = 0
        # A protection that was taken back counts as deleted.
        holding = [holds(table)] if "taken_back_at" in table.c else []
        # For this statement only: Postgres allows a server-side cursor only for a SELECT.
        in_parts = {"yield_per": ROWS_AT_A_TIME}
        for part in here.execute(select(table).where(*holding), execution_options=in_parts).partitions():
            keys = [tuple(row._mapping[column.name] for column in table.primary_key) for row in part]
            of_backup = select(table).where(*holding, tuple_(*table.primary_key).in_(keys))
            same = [tuple(row) for row in there.execute(of_backup)]
            matched += len(same)
            lost += len(part) - len(set(same) & {tuple(row) for row in part})
        returned = there.execute(select(func.count()).select_from(table).where(*holding)).scalar_one() - matched
        if lost or returned:
            found[table.name] = Difference(lost, returned)
    return found


def _copy_file(store: Store, partial: Path) -> None:
    """SQLite's own online backup."""
    with store.read() as connection:
        source = cast(sqlite3.Connection, connection.connection.driver_connection)
        target = sqlite3.connect(partial)
        try:
            source.backup(target)
        finally:
            target.close()
    _one_file(partial)


def _copy_rows_out(store: Store, partial: Path) -> None:
    target = open_store(sqlite_url(partial))
    try:
        migrate(target)
        with store.read() as there, target.write() as here:
            _replace(there.execution_options(isolation_level="REPEATABLE READ"), here, True)
    finally:
        target.close()
    _one_file(partial)


def _one_file(partial: Path) -> None:
    """Leave WAL mode, so that the backup is a single file."""
    connection = sqlite3.connect(partial)
    try:
        connection.execute("PRAGMA journal_mode = DELETE")
    finally:
        connection.close()


def _check(copy: Path) -> None:
    connection = sqlite3.connect(copy)
    try:
        found = connection.execute("PRAGMA integrity_check").fetchone()[0]
        connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.DatabaseError:
        raise UserMistake(_CHECKED) from None
    finally:
        connection.close()
    if found != "ok":
        raise UserMistake(_CHECKED)


def _replace(there: Connection, here: Connection, overwrite: bool) -> dict[str, int]:
    counted: dict[str, int] = {}
    before = read_generations(here)
    for table in metadata.sorted_tables:
        if table is not generations and not overwrite and here.execute(select(table).limit(1)).first() is not None:
            raise UserMistake(f"the store has rows in {table.name}: --overwrite puts the backup in their place")
        here.execute(delete(table))
        counted[table.name] = 0
        if table is sessions:  # who signed out since the backup stays out: everybody signs in again
            continue
        rows = there.execution_options(yield_per=ROWS_AT_A_TIME).execute(select(table)).mappings()
        for part in rows.partitions():
            here.execute(insert(table), [dict(row) for row in part])
            counted[table.name] += len(part)
        _count_on(here, table)
    for name in {*before, *read_generations(here)}:  # so that running processes reload everything
        value = max(before.get(name, 0), read_generations(here).get(name, 0)) + 1
        here.execute(delete(generations).where(generations.c.name == name))
        here.execute(insert(generations), [{"name": name, "value": value}])
    return counted


def _count_on(here: Connection, table: Table) -> None:
    """Set the sequence of Postgres to the newest key: inserting rows with keys does not advance it."""
    key = table.autoincrement_column
    if here.dialect.name == "postgresql" and key is not None:
        newest = here.execute(select(func.max(key))).scalar()
        if newest is not None:
            sequence = text("SELECT setval(pg_get_serial_sequence(:table, :key), :newest)")
            here.execute(sequence, {"table": table.name, "key": key.name, "newest": newest})
