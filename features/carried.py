"""What a nightly run keeps of the history, so that the next one reads only the last window and what is new.

Windows reach back 84 days. What reaches further, the first and the last event of an entity and the moment a member was
first seen, is carried from night to night: minima and maxima, to which reading a row twice does no harm. A carried state
belongs to one source and one moment; it is used when the rows that it stands for are still as many, and made anew from the
whole history otherwise.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import narwhals as nw
import pyarrow.parquet as pq

from features.engines import Engine
from features.scan import Bounds
from features.source import Source, quote

Frame = nw.LazyFrame[Any]


@dataclass(frozen=True)
class Carried:
    """The state of one entity kind in a folder, valid for rows visible before `at_us`; None when there is none yet."""

    folder: Path
    at_us: int | None

    @classmethod
    def open(cls, folder: Path, source: Source, as_of_us: int) -> Carried:
        """The state for a run at `as_of_us`: empty when it is missing, of another source, newer, or no longer true."""
        try:
            held = json.loads((folder / "state.json").read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return cls(folder, None)
        fresh = held["source"] == source.name and held["at_us"] <= as_of_us and held["tables"] == _columns(source)
        # Who was erased or merged since stands in it too.
        fresh = fresh and held.get("left_out", "") == source.left_out.digest
        if not fresh or any(_rows_before(source, table, held["at_us"]) != n for table, n in held["rows"].items()):
            return cls(folder, None)
        return cls(folder, held["at_us"])

    def read(self, engine: Engine, name: str) -> Frame | None:
        """A carried frame, None on the first night."""
        path = self.folder / f"{name}.parquet"
        return engine.parquet(path) if self.at_us is not None and path.is_file() else None

    def replace(
        self, engine: Engine, source: Source, frames: dict[str, Frame], as_of_us: int, tables: list[str]
    ) -> None:
        """Put new frames in the place of the old, whole: written beside, then renamed."""
        partial = self.folder.with_name(f".{self.folder.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        for name, frame in frames.items():
            pq.write_table(engine.arrow(frame), partial / f"{name}.parquet")
        state = {
            "source": source.name,
            "at_us": as_of_us,
            "tables": _columns(source),
            "left_out": source.left_out.digest,
            "rows": {table: _rows_before(source, table, as_of_us) for table in tables},
        }
        (partial / "state.json").write_text(json.dumps(state))
        old = self.folder.with_name(f".{self.folder.name}.old")
        shutil.rmtree(old, ignore_errors=True)
        if self.folder.is_dir():
            self.folder.rename(old)
        partial.rename(self.folder)
        shutil.rmtree(old, ignore_errors=True)


def _columns(source: Source) -> dict[str, list[str]]:
    return {table: list(source.columns[table]) for table in source.tables}


def _rows_before(source: Source, table: str, at_us: int) -> int:
    """Rows visible before a moment, from Parquet's own counts and the rows since: the history is not read."""
    total = source.query(f"SELECT count(*) FROM {quote('raw_' + table)}")[0][0]
    since = source.recent(table, Bounds(at_us, at_us))
    newer = source.query(f"SELECT count(*) FROM ({since}) WHERE visible_us >= {at_us}")[0][0]
    return int(total) - int(newer)
