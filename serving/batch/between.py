"""Compares a run with scores that the worker gave since the previous run, for the decision records."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import pyarrow as pa

from features.kit.clock import from_us, to_us
from features.panel.build import build_panel
from features.signals.signal import Entity
from features.sources.source import Source
from serving.batch.old_rows import differences
from serving.batch.previous_run import Before, Moved
from serving.champion import Champion
from serving.decisions import repository as history
from serving.decisions.earlier_rows import Old
from serving.scoring.columns import ScoredColumns
from serving.store.connect import Store


class Between:
    """What old rows give, for the decision records of a model's chunks. Nothing is recorded when the rows of the
    previous run were restated: they may differ from those that the worker read.
    """

    def __init__(self, source: Source, champion: Champion, as_of: datetime, before: Before, store: Store) -> None:
        self._source, self._champion, self._as_of = source, champion, as_of
        self._before, self._store = before, store

    def of(self, scored: ScoredColumns, moved: Moved | None) -> dict[int, dict[int, Old]]:
        """Maps row of the chunk -> `as_of` of an earlier score -> what the rows known before it give. Raises
        `StoreAway`.
        """
        found: dict[int, dict[int, Old]] = {}
        previous = self._before.as_of_us or 0
        if moved is not None:
            for i, old in zip(moved.at.tolist(), moved.old, strict=True):
                found[i] = {previous: old}
        if self._before.is_restated:
            return found
        panel, us = scored.panel.take(pa.array(scored.at)), to_us(self._as_of)
        places = {name: i for name, i in zip(panel["entity_id"].to_pylist(), scored.at.tolist(), strict=True)}
        with self._store.read() as connection:
            since = history.newest_between(
                connection, self._champion.name, self._champion.entity, list(places), previous, us
            )
        for name, old in self._differences(panel, since).items():
            found.setdefault(places[name], {})[since[name]] = old
        return found

    def _differences(self, panel: pa.Table, since: Mapping[str, int]) -> dict[str, Old]:
        if not since:
            return {}
        entity: Entity = "account" if self._champion.entity == "account" else "lead"
        names = [n for n in self._champion.scorer.names if n in panel.column_names]
        moments = {name: [from_us(us)] for name, us in since.items()}
        aged = build_panel(self._source, entity, [self._as_of], only=names, known_before=moments)
        ids = aged["entity_id"].to_pylist()
        place = {name: i for i, name in enumerate(panel["entity_id"].to_pylist())}
        now = panel.take(pa.array([place[name] for name in ids], pa.int64()))
        found = differences(aged, now, names, len(ids))
        return {name: Old(found.get(i, {})) for i, name in enumerate(ids)}
