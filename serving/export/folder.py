"""The star as a folder: `TABLE/MOMENT-RUN.parquet`, one file per table and run, each whole or not there.

DuckDB, pandas, Spark, Power BI and a warehouse's COPY read a table's folder as one table. Files never change: the same run gives
the same bytes. `run_dim` is written last. `csv/` mirrors it for those who read nothing else.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from features.kit import atomic_files
from features.kit.errors import UserMistake
from features.kit.file_lock import file_lock
from features.kit.writable import require_writable
from serving.csv_injection import harmless_table
from serving.errors import BatchBusy
from serving.export import rows, star_schema
from serving.export.destination import Added, Waiting
from serving.export.published_run import ROWS, PublishedRun

BOM = b"\xef\xbb\xbf"
"""Byte order mark; without it Excel reads UTF-8 as another encoding."""


class Folder:
    """Use under `opened`."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @staticmethod
    def require(path: Path) -> None:
        """Raises `UserMistake` when the path is a file, or cannot be written."""
        if path.exists() and not path.is_dir():
            raise UserMistake(f"{str(path)!r} is a file: give a folder or the URL of a database")
        require_writable(path, "give --to a folder that can be written; nothing was added")

    @classmethod
    @contextlib.contextmanager
    def opened(cls, path: Path) -> Iterator[Folder]:
        """Raises as `require`, and `BatchBusy` when another export is going on there."""
        cls.require(path)
        busy = BatchBusy(f"another export is going on into {str(path)!r}: wait for it")
        with file_lock(path / ".lock", 0, busy):
            yield cls(path)

    def add(self, run: PublishedRun) -> Added:
        """Writes the files of a run, then deletes those of another run for the same moment."""
        stem = _stem(run.as_of, run.run_id)
        if self._file(star_schema.RUN_DIM, stem).is_file():
            return Added({}, self._take_away(run))
        counts = {}
        for table, parts in run.tables():
            if table is star_schema.MODEL_DIM:
                counts[table.name] = sum(self._model(model) for part in parts for model in _singly(part))
            else:
                counts[table.name] = self._write(table, stem, parts)
        return Added(counts, self._take_away(run))

    def waiting(self) -> Sequence[Waiting]:
        models = {model["model_key"]: model for model in self._read(star_schema.MODEL_DIM)}
        found = []
        for run in sorted(self._read(star_schema.RUN_DIM), key=lambda run: run["as_of"]):
            stem = _stem(run["as_of"], run["run_id"])
            facts = pq.read_table(self._file(star_schema.SCORE_FACT, stem), columns=["model_key"])
            for key in sorted(pc.unique(facts["model_key"]).to_pylist()):
                about = models[key]
                if not self._file(star_schema.OUTCOME_FACT, f"{stem}-{about['model']}").is_file():
                    found.append(
                        Waiting(
                            run["run_id"],
                            run["as_of"],
                            run["source"],
                            about["model"],
                            about["entity"],
                            about["horizon_days"],
                        )
                    )
        return found

    def scored(self, waiting: Waiting) -> list[str]:
        file = self._file(star_schema.SCORE_FACT, _stem(waiting.as_of, waiting.run_id))
        return rows.scored_ids(pq.read_table(file, columns=["model", "entity_id", "probability"]), waiting.model)

    def put_outcomes(self, waiting: Waiting, outcomes: pa.Table) -> None:
        stem = f"{_stem(waiting.as_of, waiting.run_id)}-{waiting.model}"
        self._write(star_schema.OUTCOME_FACT, stem, [outcomes])

    @property
    def has_csv(self) -> bool:
        return (self._path / "csv").is_dir()

    def mirror_csv(self) -> None:
        """Updates `csv/`: one file per file of the star and no others. Times are UTC."""
        wanted = set()
        for table in star_schema.TABLES:
            for file in self._files(table):
                csv = self._path / "csv" / table.name / f"{file.stem}.csv"
                wanted.add(csv)
                if not csv.is_file():
                    _write_csv(pq.ParquetFile(file), table, csv)
        for csv in (self._path / "csv").glob("*/[!.]*.csv"):
            if csv not in wanted:
                csv.unlink()

    def _model(self, model: pa.Table) -> int:
        """Writes the row of a scorer, unless it is there."""
        stem = model["model_key"][0].as_py()
        return (
            0
            if self._file(star_schema.MODEL_DIM, stem).is_file()
            else self._write(star_schema.MODEL_DIM, stem, [model])
        )

    def _write(self, table: star_schema.StarTable, stem: str, parts: Iterable[pa.Table]) -> int:
        count = 0
        with (
            atomic_files.writing(self._file(table, stem), locked=True) as partial,
            pq.ParquetWriter(partial, table.schema, compression="zstd", version="2.6") as writer,
        ):
            for part in parts:
                count += len(part)
                writer.write_table(part, row_group_size=ROWS)
        return count

    def _take_away(self, run: PublishedRun) -> int:
        """Deletes files of other runs of the same source for the same moment, or for a moment that has not come;
        returns how many.
        """
        gone = 0
        for other in self._read(star_schema.RUN_DIM):
            if run.takes_the_place_of(other["run_id"], other["as_of"], other["source"]):
                stem = _stem(other["as_of"], other["run_id"])
                for table in (star_schema.RUN_DIM, *star_schema.TABLES):
                    for file in (self._path / table.name).glob(f"{stem}*.parquet"):
                        file.unlink()
                gone += 1
        return gone

    def _file(self, table: star_schema.StarTable, stem: str) -> Path:
        return self._path / table.name / f"{stem}.parquet"

    def _files(self, table: star_schema.StarTable) -> list[Path]:
        return sorted((self._path / table.name).glob("[!.]*.parquet"))

    def _read(self, table: star_schema.StarTable) -> list[dict[str, Any]]:
        """All rows of a small table."""
        return [row for file in self._files(table) for row in pq.read_table(file).to_pylist()]


def _stem(as_of: datetime, run_id: str) -> str:
    """File name that sorts by time; moments within a second differ by the run."""
    return f"{as_of:%Y%m%dT%H%M%SZ}-{run_id}"


def _singly(table: pa.Table) -> Iterator[pa.Table]:
    return (table.slice(row, 1) for row in range(len(table)))


def _write_csv(file: pq.ParquetFile, table: star_schema.StarTable, path: Path) -> None:
    moments = [c.name for c in table.columns if pa.types.is_timestamp(c.type)]
    fields = [pa.field(c.name, pa.string() if c.name in moments else c.type) for c in table.columns]
    with atomic_files.writing(path, locked=True) as partial, partial.open("wb") as out:
        out.write(BOM)
        with pyarrow.csv.CSVWriter(out, pa.schema(fields)) as writer:
            for batch in file.iter_batches(ROWS):
                part = harmless_table(pa.Table.from_batches([batch]))
                columns = [
                    pc.strftime(_seconds(part[n]), "%Y-%m-%d %H:%M:%S") if n in moments else part[n]
                    for n in part.column_names
                ]
                writer.write_table(pa.table(columns, schema=pa.schema(fields)))


def _seconds(moments: Any) -> Any:
    """Times in whole seconds: Excel reads no text with microseconds or a Z as a time."""
    return pc.cast(pc.floor_temporal(moments, unit="second"), pa.timestamp("s", "UTC"))
