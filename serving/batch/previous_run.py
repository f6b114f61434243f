"""Compares a run with the previous one: how scores changed, and why (data, time, version, thresholds)."""

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

from features.kit.clock import parse_as_of, to_us
from models.scorer.scorer import Scorer
from serving.batch.old_rows import OldRows
from serving.champion import Champion
from serving.decisions.earlier_rows import Old
from serving.score_change.attribution_batch import Splits, split_many
from serving.scorer_cache import KeptScorers, ScorerGone
from serving.scoring.columns import ScoredColumns

TEXTS = 3
HELD = 2
"""Row groups of the previous run in memory: both runs are ordered by id, so the next chunk needs the last one."""


@dataclass(frozen=True)
class Moved:
    """The previous run for the n rows of a chunk."""

    before: pa.Table
    """(n) `probability`, `score`, `band`; null where there was no score."""
    at: np.ndarray
    """Index of the rows whose causes are known."""
    causes: Splits | None
    """Causes of those rows; None when there are none."""
    old: Sequence[Old] = ()
    """What old rows give for those rows, as it is stored."""


class ById:
    """Finds rows of Parquet files by `entity_id`; a row group is read only when it may hold an id."""

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
    """The previous run of one model. Empty when there is none."""

    def __init__(
        self,
        out: Path,
        manifest: Mapping[str, Any] | None,
        champion: Champion,
        scorers: KeptScorers,
        aged: Path | None = None,
        restated: Path | None = None,
    ) -> None:
        """`aged`: the aged panel of the entities for whom it differs from the new one. `restated`: the restated panel
        of all, when it differs from what the previous run had.
        """
        self._scores: ById | None = None
        self._old: Scorer | None = None
        self.as_of_us: int | None = None
        self.is_restated = restated is not None
        self._champion = champion
        about = manifest and manifest["models"].get(champion.name)
        if not manifest or not about:
            return
        self._scores = ById(
            [out / file["file"] for file in about["files"]], ["entity_id", "probability", "score", "band"]
        )
        self.as_of_us = to_us(parse_as_of(manifest["as_of"]))
        try:
            self._old = scorers.get(champion.name, about["scorer"])
        except ScorerGone:
            return  # scores can be compared, but not explained
        names = ["entity_id", "eligibility", *dict.fromkeys([*self._old.names, *champion.scorer.names])]
        self._signals = ById([out / manifest["signals"][champion.entity]["file"]], names)
        self._aged = ById([aged], names) if aged else None
        self._restated = ById([restated], names) if restated else None

    def compare(self, scored: ScoredColumns) -> Moved | None:
        """What the rows of a chunk were in the previous run; None when there was none."""
        if self._scores is None:
            return None
        ids = scored.panel["entity_id"]
        rows, place = self._scores.find(ids)
        before = rows.select(["probability", "score", "band"]).take(place)
        nothing = Moved(before, np.empty(0, np.int64), None)
        if self._old is None or not len(scored.at):
            return nothing
        told = pc.is_valid(before["probability"]).to_numpy()[scored.at]
        wanted = ids.take(pa.array(scored.at))
        was, there = _at(self._signals, wanted)
        told &= there
        read, aged = was, None
        if self._restated is not None:
            read, there = _at(self._restated, wanted)
            told &= there
        if self._aged is not None:
            aged, there = _at(self._aged, wanted)
            # An entity without signals here had a score, but the old rows no longer know it.
            told &= ~there | pc.is_valid(aged["eligibility"]).to_numpy()
        chosen = np.flatnonzero(told)
        if not len(chosen):
            return nothing
        places = pa.array(chosen)
        now = scored.panel.take(pa.array(scored.at[chosen]))
        was = was.take(places)
        old = OldRows(
            was,
            was if self._restated is None else read.take(places),
            now if aged is None else _over(now, aged.take(places), there[chosen]),
            now,
        )
        causes = self._causes(self._old, old, scored.log_odds[chosen])
        return Moved(before, scored.at[chosen], causes, old.differences(self._champion.scorer.names))

    def _causes(self, old: Scorer, rows: OldRows, z_new: np.ndarray) -> Splits:
        new = self._champion.scorer

        def column(table: pa.Table, name: str) -> Any:
            # A signal that the new version does not read keeps its old value at every moment.
            given = table if name in new.names else rows.before
            return given[name] if name in given.column_names else _nothing(old, name, given.num_rows)

        made: dict[int, np.ndarray] = {}
        way = rows.way(old.names, column)
        for columns in way:
            if id(columns) not in made:
                made[id(columns)] = old.encode(columns)
        return split_many(old, new, [made[id(columns)] for columns in way], z_new, TEXTS)


def _at(rows: ById, ids: pa.ChunkedArray) -> tuple[pa.Table, np.ndarray]:
    """Returns one row per id, null where there is none, and which ids have one."""
    found, place = rows.find(ids)
    return found.take(place), pc.is_valid(place).to_numpy(zero_copy_only=False)


def _over(now: pa.Table, aged: pa.Table, there: np.ndarray) -> pa.Table:
    """The new signals, replaced where the old rows give others."""
    mask = pa.array(there)
    columns = {}
    for name in now.column_names:
        here = name in aged.column_names and name != "entity_id"
        columns[name] = pc.if_else(mask, aged[name].cast(now.schema.field(name).type), now[name]) if here else now[name]
    return pa.table(columns)


def _nothing(scorer: Scorer, name: str, rows: int) -> pa.Array:
    return pa.nulls(rows, pa.float64() if scorer.signal(name).vocabulary is None else pa.string())
