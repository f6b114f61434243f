"""What changed since the run before, and why: signals, the clock, the version, its thresholds."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.cli import parse_as_of
from models.scorer import Scorer
from serving.batch.scored import Scored
from serving.champion import Champion
from serving.change.many import Splits, split_many
from serving.clock import to_us
from serving.replay.scorers import KeptScorers, ScorerGone

TEXTS = 3
HELD = 2
"""Row groups of the run before that stay in memory: both runs are in the order of the ids, so the next chunk wants the last one."""


@dataclass(frozen=True)
class Moved:
    """The run before, for the n rows of a chunk."""

    before: pa.Table
    """(n) `probability`, `score`, `band`; null where there was no score."""
    at: np.ndarray
    """Rows whose causes can be told."""
    causes: Splits | None
    """Of those rows; None when there are none."""


class ById:
    """Rows of Parquet files by `entity_id`: a row group is read when it may hold what is asked for."""

    def __init__(self, paths: Sequence[Path], columns: Sequence[str] | None = None) -> None:
        self._pieces: list[tuple[Path, int, Any]] = []
        self._held: OrderedDict[tuple[Path, int], pa.Table] = OrderedDict()
        for path in paths:
            about = pq.read_metadata(path)
            self._schema = pq.read_schema(path)
            place = self._schema.names.index("entity_id")
            groups = range(about.num_row_groups)
            self._pieces += [(path, group, about.row_group(group).column(place).statistics) for group in groups]
        self._columns = [n for n in self._schema.names if columns is None or n in columns]

    def find(self, ids: pa.ChunkedArray) -> tuple[pa.Table, pa.Array]:
        """(rows, place of each id in them; null for an id that is not there)."""
        ends = pc.min_max(ids).as_py()
        tables = [pa.schema([self._schema.field(n) for n in self._columns]).empty_table()]
        for path, group, held in self._pieces:
            known = held is not None and held.has_min_max and ends["min"] is not None
            if not (known and (held.min > ends["max"] or held.max < ends["min"])):
                tables.append(self._read(path, group))
        table = pa.concat_tables([t.replace_schema_metadata(None) for t in tables]).combine_chunks()
        return table, pc.index_in(ids, value_set=table["entity_id"])

    def _read(self, path: Path, group: int) -> pa.Table:
        found = self._held.pop((path, group), None)
        if found is None:
            with pq.ParquetFile(path) as opened:
                found = opened.read_row_group(group, columns=self._columns)
        self._held[path, group] = found
        while len(self._held) > HELD:
            self._held.popitem(last=False)
        return found


class Before:
    """The run before, as far as one model goes. Empty when there is none."""

    def __init__(self, out: Path, manifest: Mapping[str, Any] | None, champion: Champion, scorers: KeptScorers) -> None:
        self._scores: ById | None = None
        self._old: Scorer | None = None
        self._champion = champion
        about = manifest and manifest["models"].get(champion.name)
        if not manifest or not about:
            return
        self._scores = ById(
            [out / file["file"] for file in about["files"]], ["entity_id", "probability", "score", "band"]
        )
        self._as_of_us = to_us(parse_as_of(manifest["as_of"]))
        try:
            self._old = scorers.get(champion.name, about["scorer"])
        except ScorerGone:
            return  # the scores can be compared, their causes cannot be told
        self._signals = ById(
            [out / manifest["signals"][champion.entity]["file"]], ["entity_id", *self._old.names]
        )  # fmt: skip

    def compare(self, scored: Scored) -> Moved | None:
        """What a chunk's rows were in the run before; None when there was none."""
        if self._scores is None:
            return None
        ids = scored.panel["entity_id"]
        rows, place = self._scores.find(ids)
        before = rows.select(["probability", "score", "band"]).take(place)
        if self._old is None or not len(scored.at):
            return Moved(before, np.empty(0, np.int64), None)
        known = pc.is_valid(before["probability"]).to_numpy()[scored.at]
        signals, place = self._signals.find(ids.take(pa.array(scored.at)))
        chosen = np.flatnonzero(known & pc.is_valid(place).to_numpy(zero_copy_only=False))
        if not len(chosen):
            return Moved(before, np.empty(0, np.int64), None)
        found = signals.take(place.take(pa.array(chosen)))
        return Moved(before, scored.at[chosen], self._causes(self._old, found, scored, chosen))

    def _causes(self, old: Scorer, before: pa.Table, scored: Scored, chosen: np.ndarray) -> Splits:
        """`chosen` are places among the scored rows, `before` their signals in the run before."""
        new = self._champion.scorer
        now = scored.panel.take(pa.array(scored.at[chosen]))
        given = {name: before[name] if name in before.column_names else _nothing(old, name, before.num_rows) for name in old.names}  # fmt: skip
        # A signal that the new version does not read is taken as it was.
        after = {name: now[name] if name in new.names else given[name] for name in old.names}
        elapsed = to_us(scored.panel["as_of"][0].as_py()) - self._as_of_us
        return split_many(
            old, new, old.encode(given), old.encode(after), scored.log_odds[chosen], elapsed, TEXTS
        )  # fmt: skip


def _nothing(scorer: Scorer, name: str, rows: int) -> pa.Array:
    return pa.nulls(rows, pa.float64() if scorer.signal(name).vocabulary is None else pa.string())
