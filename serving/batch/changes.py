"""What changed since the run before, and why: signals, the clock, the version, its thresholds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from models.scorer import Scorer
from serving.batch.publish import scores_of
from serving.champion import Champion
from serving.change.split import split
from serving.clock import to_us
from serving.replay.scorers import KeptScorers, ScorerGone
from serving.scoring.panel import ScoredRow, signal_rows

TEXTS = 3


@dataclass(frozen=True)
class Moved:
    """One entity's score in the run before, and the causes of the change; `parts` is None when they cannot be told."""

    probability: float
    score: int
    band: str
    parts: dict[str, int] | None
    texts: list[str] | None


class Before:
    """The run before, as far as one model goes. Empty when there is none."""

    def __init__(self, out: Path, manifest: Mapping[str, Any] | None, champion: Champion, scorers: KeptScorers) -> None:
        self._scores: dict[str, tuple[float, int, str]] = {}
        self._old: Scorer | None = None
        self._champion = champion
        about = manifest and manifest["models"].get(champion.name)
        if not manifest or not about:
            return
        columns = ["entity_id", "probability", "score", "band", "as_of"]
        scores = scores_of(out, dict(manifest), champion.name, columns)
        scores = scores.filter(pc.is_valid(scores["probability"]))
        rows = scores.to_pydict()
        found = zip(rows["entity_id"], rows["probability"], rows["score"], rows["band"], strict=True)
        self._scores = {entity_id: (p, score, band) for entity_id, p, score, band in found}
        if not self._scores:
            return
        self._as_of_us = to_us(rows["as_of"][0])
        try:
            self._old = scorers.get(champion.name, about["scorer"])
        except ScorerGone:
            return  # the scores can be compared, their causes cannot be told
        self._signals = pq.ParquetFile(out / manifest["signals"][champion.entity]["file"])

    def compare(self, rows: Sequence[ScoredRow]) -> dict[str, Moved]:
        """The previous score of each row that had one, by entity."""
        here = [row for row in rows if row.entity_id in self._scores]
        if not here:
            return {}
        inputs = self._inputs([row.entity_id for row in here]) if self._old else {}
        found = {}
        for row in here:
            probability, score, band = self._scores[row.entity_id]
            parts, texts = None, None
            before = inputs.get(row.entity_id)
            if self._old is not None and before is not None and row.probability is not None:
                causes = split(
                    self._old, self._champion.scorer, before, row.inputs, to_us(row.as_of) - self._as_of_us
                )  # fmt: skip
                parts = causes.score
                texts = [share.text for share in causes.shares[:TEXTS]]
            found[row.entity_id] = Moved(probability, score, band, parts, texts)
        return found

    def _inputs(self, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        """The signals that the old version read, of these entities; row groups without any of them are not read."""
        assert self._old is not None
        wanted = pa.array(sorted(ids))
        found: dict[str, dict[str, Any]] = {}
        names = [name for name in ("entity_id", *self._old.names) if name in self._signals.schema_arrow.names]
        place = self._signals.schema_arrow.names.index("entity_id")
        for group in range(self._signals.num_row_groups):
            held = self._signals.metadata.row_group(group).column(place).statistics
            if (
                held is not None
                and held.has_min_max
                and (held.min > wanted[-1].as_py() or held.max < wanted[0].as_py())
            ):
                continue
            rows = self._signals.read_row_group(group, columns=names)
            rows = rows.filter(pc.is_in(rows["entity_id"], wanted))
            found |= dict(zip(rows["entity_id"].to_pylist(), signal_rows(rows), strict=True))
        return found
