"""Fingerprint of a source's rows: notices an edit of an old row without reading the files that did not change.

A fingerprint is a sum of row hashes, so it does not depend on the order of rows, and the sums of several files add up. A table in
memory is summed there. A table that stays in files and is read row by row is summed file by file. A file whose size, times and
inode are as before is not read again, so a nightly run reads only new and changed files. A SELECT that is not row by row
is summed from its rows every time.
"""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import duckdb

from features.kit import atomic_files
from features.sources.casts import in_microseconds
from features.sources.query_files import by_file
from features.sources.schema import TABLES
from features.sources.source import Source

Sums = tuple[int, int, int]
"""Number of rows, exclusive or of their hashes, sum of their hashes modulo a prime."""
NOTHING: Sums = (0, 0, 0)
_SUMS = "count(*), coalesce(bit_xor(hash(t)), 0), coalesce(sum(hash(t)::HUGEINT % 1000000007), 0)"
SETTLED_S = 2.0
"""A file written less than this long ago can be written again within the same clock tick, so its identity is not trusted yet."""


def identity(path: str) -> list[int]:
    """Size, mtime, ctime and inode of a file: equal as long as nobody wrote to it."""
    stat = Path(path).stat()
    return [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino]


@dataclass(frozen=True)
class Part:
    """One file of a table, or the whole table under the name ""."""

    sums: Sums
    last_us: int | None
    """When the newest of its rows became visible, in microseconds since 1970; None without a row."""


class Contents:
    """The sums of one source's tables."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._record: Path | None = None
        self._held: dict[str, dict[str, Any]] = {}
        self._known: dict[tuple[str, int], Sums] = {}

    def keep_in(self, record: Path) -> None:
        """Keep the sums of files in `record`, for the next process. Only the first call has an effect."""
        if self._record is None:
            self._record = record
            try:
                self._held = json.loads(record.read_text()) | self._held
            except (FileNotFoundError, json.JSONDecodeError):
                return

    @cached_property
    def _files(self) -> dict[str, dict[str, str]]:
        """For each table that stays in files and is read row by row: each file and its SELECT."""
        found = {}
        for table in self._source.tables:
            text = self._source.statement(table) if self._source.stays(table) else None
            if text is not None and (files := by_file(self._source.connection, text)):
                found[table] = files
        return found

    def of(self, table: str) -> Sums:
        """The sums of the whole table."""
        return added([self._part(table, name).sums for name in self.parts(table)])

    def parts(self, table: str) -> list[str]:
        """The files of a table that is summed file by file; else [""], the whole table."""
        return list(self._files.get(table, [""]))

    def is_as_before(self, table: str, name: str, when: list[int] | None) -> bool:
        """Whether a file has the identity `when`, as `mark` gave it."""
        return when is not None and name in self._files.get(table, ()) and identity(name) == when

    def mark(self, table: str, name: str) -> list[int] | None:
        """The identity of a file; None when it is no single file, or was written too recently."""
        if name not in self._files.get(table, ()):
            return None
        found = identity(name)
        return found if time.time() - max(found[1], found[2]) / 1e9 > SETTLED_S else None

    def before(self, table: str, name: str, at_us: int) -> Sums:
        """The sums of the rows of a part that were visible before a moment."""
        part = self._part(table, name)
        if part.last_us is None or part.last_us < at_us:
            return part.sums
        rows, visible = self._rows(table, name)
        return _sums(self._source.query(f"SELECT {_SUMS} FROM ({rows}) t WHERE {visible} < {at_us}")[0])

    def known_before(self, table: str, at_us: int) -> Sums:
        """The sums of the rows of a table that were known before a moment, without the columns that later rows change. For a table
        that stays in files: of the rows that were visible then."""
        if (table, at_us) not in self._known:
            self._known[table, at_us] = self._sum_known(table, at_us)
        return self._known[table, at_us]

    def _sum_known(self, table: str, at_us: int) -> Sums:
        if self._source.stays(table):
            return added([self.before(table, name, at_us) for name in self.parts(table)])
        made = "(from_us, until_us, created_us)"  # later versions of a state table change them
        columns = "* EXCLUDE " + made if TABLES[table].kind == "state" else "*"
        known = [row[0] for row in self._source.query(f'DESCRIBE "{table}"')]
        condition = f"WHERE known_us < {at_us}" if "known_us" in known else ""
        return _sums(self._source.query(f'SELECT {_SUMS} FROM (SELECT {columns} FROM "{table}" {condition}) t')[0])

    def _part(self, table: str, name: str) -> Part:
        rows, visible = self._rows(table, name)
        # Another version of DuckDB may hash differently.
        key = hashlib.sha256(f"{duckdb.__version__} {rows}".encode()).hexdigest()[:32]
        when = self.mark(table, name)
        held = self._held.get(key)
        if held is not None and when is not None and held["when"] == when:
            return Part(_sums(held["sums"]), held["last_us"])
        found = self._source.query(f"SELECT {_SUMS}, max({visible}) FROM ({rows}) t")[0]
        part = Part(_sums(found[:3]), found[3])
        if when is not None and identity(name) == when:
            self._held[key] = {"when": when, "sums": list(part.sums), "last_us": part.last_us}
            self._save()
        return part

    def _rows(self, table: str, name: str) -> tuple[str, str]:
        """SQL of the rows of a part, and of the moment at which a row is visible."""
        if not name:
            timed = "visible_us" in [row[0] for row in self._source.query(f'DESCRIBE "{table}"')]
            return f'SELECT * FROM "{table}"', "visible_us" if timed else "NULL::BIGINT"
        known = "known_time" if "known_time" in self._source.columns[table] else "event_time"
        kinds = self._source.given_types[table]
        happened, learnt = (f"epoch_us({in_microseconds(c, kinds[c])})" for c in ("event_time", known))
        return self._files[table][name], f"greatest({happened}, {learnt})"

    def _save(self) -> None:
        if self._record is not None:
            atomic_files.write_text(self._record, json.dumps(self._held))


def contents_of(source: Source) -> Contents:
    """The sums of a source's tables; the same object on every call."""
    found: Contents = source.noted.setdefault("contents", Contents(source))
    return found


def fingerprint(source: Source) -> str:
    """sha256 over the rows of all tables and of notes, independent of their order; computed once for a source."""
    if "fingerprint" not in source.noted:
        source.noted["fingerprint"] = _fingerprint(source)
    found: str = source.noted["fingerprint"]
    return found


def _fingerprint(source: Source) -> str:
    digest = hashlib.sha256()
    for table in source.tables:
        row = contents_of(source).of(table)
        digest.update(repr((table, source.columns[table], source.custom[table], row)).encode())
        if source.stays(table):
            # Its files are summed as they are, before suppression and casts: so these are part of the fingerprint.
            digest.update((source.scans[table].select + source.suppression.digest).encode())
    if source.told_outcomes:
        digest.update(repr(_sums(source.query(f"SELECT {_SUMS} FROM told_outcomes t")[0])).encode())
    return digest.hexdigest()


def added(parts: list[Sums]) -> Sums:
    """The sums of several parts together.

    >>> added([(1, 0b101, 7), (2, 0b110, 8)])
    (3, 3, 15)
    """
    rows, mixed, total = NOTHING
    for part in parts:
        rows, mixed, total = rows + part[0], mixed ^ part[1], total + part[2]
    return rows, mixed, total


def _sums(values: Any) -> Sums:
    return int(values[0]), int(values[1]), int(values[2])
