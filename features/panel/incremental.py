"""State that a nightly run leaves for the next one, so that it reads only the last window and new rows.

Windows reach back 84 days. Older facts are carried from night to night: the first and the last event of an entity, and
when a member was first seen. They are minima and maxima, so reading a row twice does no harm.

A state belongs to one source and one moment. It is used only while the checksums of its rows still match
(`features.sources.fingerprint`). When an old row was edited, removed or inserted, the log says so and the state is
rebuilt from the whole history. Files that nobody wrote to since are not read for this check.
"""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import narwhals as nw
import pyarrow.parquet as pq

from features.kit import atomic_files
from features.panel.engines import Engine
from features.sources.fingerprint import added, contents_of
from features.sources.source import Source

Frame = nw.LazyFrame[Any]
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Carried:
    """The state of one entity kind in a folder, valid for rows visible before `at_us`; None when there is none yet."""

    folder: Path
    at_us: int | None

    @classmethod
    def open(cls, folder: Path, source: Source, as_of_us: int, quiet: bool = False) -> Carried:
        """The state for a run at `as_of_us`: empty when it is missing, of another source, newer, or no longer true, which is
        logged unless `quiet`."""
        try:
            held = json.loads((folder / "state.json").read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return cls(folder, None)
        if held["source"] != _about(source) or held["at_us"] > as_of_us:
            log.log(
                logging.DEBUG if quiet else logging.INFO,
                "carried.anew source=%s reason=another_source_or_moment",
                source.name,
            )
            return cls(folder, None)
        restated = [table for table, parts in held["parts"].items() if not _same(source, table, parts, held["at_us"])]
        if restated:
            log.log(
                logging.DEBUG if quiet else logging.WARNING,
                "carried.anew source=%s reason=old_rows_changed tables=%s",
                source.name,
                ",".join(sorted(restated)),
            )
            return cls(folder, None)
        return cls(folder, held["at_us"])

    def read(self, engine: Engine, name: str) -> Frame | None:
        """A carried frame, None on the first night."""
        path = self.folder / f"{name}.parquet"
        return engine.parquet(path) if self.at_us is not None and path.is_file() else None

    def replace(
        self, engine: Engine, source: Source, frames: dict[str, Frame], as_of_us: int, tables: list[str]
    ) -> None:
        """Replaces the state by new frames, atomically."""
        with atomic_files.writing_folder(self.folder) as partial:
            for name, frame in frames.items():
                pq.write_table(engine.arrow(frame), partial / f"{name}.parquet")
            state = {
                "source": _about(source),
                "at_us": as_of_us,
                "parts": {table: _parts(source, table, as_of_us) for table in tables},
            }
            (partial / "state.json").write_text(json.dumps(state))


def _about(source: Source) -> dict[str, Any]:
    """Identity of a source: its name, columns and SELECTs, and the entities suppressed in it."""
    columns = {table: list(source.columns[table]) for table in source.tables}
    selects = "\n".join(source.statement(table) or "" for table in source.tables)
    digest = hashlib.sha256(selects.encode()).hexdigest()
    return {
        "name": source.name,
        "columns": columns,
        "selects": digest,
        "gone": source.suppression.digest,
        "hashed_by": duckdb.__version__,
    }


def _parts(source: Source, table: str, at_us: int) -> dict[str, Any]:
    """Per part of a table: its identity, and the checksums of its rows visible before a moment."""
    contents = contents_of(source)
    return {
        name: {"when": contents.mark(table, name), "sums": list(contents.before(table, name, at_us))}
        for name in contents.parts(table)
    }


def _same(source: Source, table: str, held: dict[str, Any], at_us: int) -> bool:
    """Whether the rows visible before a moment are those of the stored state; rows may have moved between files."""
    contents = contents_of(source)
    if not source.has(table):
        return False
    now = contents.parts(table)
    written = [n for n in now if n not in held or not contents.is_as_before(table, n, held[n]["when"])]
    left = set(held) - (set(now) - set(written))
    before = added([tuple(held[name]["sums"]) for name in left])
    return added([contents.before(table, name, at_us) for name in written]) == before
