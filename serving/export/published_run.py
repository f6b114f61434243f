"""A published run as the star's tables, in parts of bounded size."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from features.kit.clock import now, parse_as_of, to_us
from features.kit.errors import UserMistake
from features.sources.source import Source
from models.catalog import get_model
from models.population import EVERYBODY, Population
from serving.export import rows, star_schema
from serving.manifest import is_whole, read_manifest, seen
from serving.scorer_cache import KeptScorers, ScorerGone

ROWS = 50_000
"""Rows in memory at a time."""
Parts = Iterator[pa.Table]


class PublishedRun:
    """The run that `OUT/manifest.json` names. Raises `UserMistake` when none is there, it is damaged, or it is for a moment
    after the clock."""

    def __init__(self, out: Path, scorers: KeptScorers, source: Source | None = None) -> None:
        self._out, self._scorers = out, scorers
        self._manifest: dict[str, Any] = seen(read_manifest(out), out)
        self._now = now()
        self.run_id: str = self._manifest["run_id"]
        self.as_of: datetime = parse_as_of(self._manifest["as_of"])
        self.source_name: str = self._manifest["source"]
        if not is_whole(out, self.run_id):
            raise UserMistake(
                f"the run {self.run_id} in {str(out)!r} is damaged: repeat the batch command, it makes it again"
            )
        self._names = None if source is None else account_names(source, self.as_of)

    def takes_the_place_of(self, run_id: str, as_of: datetime, source: str) -> bool:
        """Whether this run replaces a run of a star: another one for the same moment, or one for a moment that has
        not come.
        """
        return run_id != self.run_id and source == self.source_name and (as_of == self.as_of or as_of > self._now)

    def tables(self) -> Iterator[tuple[star_schema.StarTable, Parts]]:
        """Tables of the run, dimensions first and `run_dim` last. `outcome_fact` is filled later, when outcomes are
        known.
        """
        yield star_schema.MODEL_DIM, iter([self._models()])
        for entity, dimension in (("account", star_schema.ACCOUNT_DIM), ("lead", star_schema.LEAD_DIM)):
            if entity in self._manifest["signals"]:
                yield dimension, self._dimension(entity)
        yield star_schema.SCORE_FACT, (part for model in self._models_of() for part in self._facts(model))
        for table, made in (
            (star_schema.REASON_FACT, rows.reason_fact),
            (star_schema.REASON_MEMBER_FACT, rows.reason_member_fact),
        ):
            yield table, self._reasons(made)
        yield (
            star_schema.ARR_AT_RISK,
            (self.at_risk(model) for model in self._models_of() if get_model(model).outcome.stake.is_loss),
        )
        yield star_schema.RUN_DIM, iter([self._run()])

    def at_risk(self, model: str) -> pa.Table:
        """Rows of `arr_at_risk`, of a model whose outcome loses recurring revenue."""
        added = rows.AtRisk()
        accounts = _Aligned(self._dimension("account", self._population(model)))
        for facts in self._facts(model):
            part = accounts.take(len(facts))
            added.add(part, facts, part["inside"])
        return added.rows(self.run_id, self.as_of, model)

    def _models_of(self) -> list[str]:
        return list(self._manifest["models"])

    def _entity(self, model: str) -> str:
        entity: str = self._manifest["models"][model]["entity"]
        return entity

    def _run(self) -> pa.Table:
        about = self._manifest
        found = {
            "run_id": self.run_id,
            "as_of": self.as_of,
            "source": about["source"],
            "source_fingerprint": about["source_fingerprint"],
            "previous_run_id": about["previous"],
        }
        return rows.put(star_schema.RUN_DIM, 1, found)

    def _models(self) -> pa.Table:
        found = [rows.put(star_schema.MODEL_DIM, 1, self._model(name)) for name in self._models_of()]
        return pa.concat_tables(found)

    def _model(self, name: str) -> dict[str, Any]:
        about, definition = self._manifest["models"][name], get_model(name)
        described: dict[str, Any] = {
            "model_key": model_key(name, about["scorer"]),
            "model": name,
            "version": about["version"],
            "scorer": about["scorer"],
            "title": definition.title,
            "entity": about["entity"],
            "outcome": definition.verb,
            "horizon_days": about["horizon_days"],
        }
        try:
            spec = self._scorers.get(name, about["scorer"]).spec
        except ScorerGone:
            return described
        return {
            **described,
            "base_rate": spec.base_rate,
            "trained_from": spec.trained_from,
            "trained_to": spec.trained_to,
        }

    def _population(self, model: str) -> Population:
        """The model's population; everybody when its scorer is gone."""
        try:
            return self._scorers.get(model, self._manifest["models"][model]["scorer"]).spec.narrowed
        except ScorerGone:
            return EVERYBODY

    def _dimension(self, entity: str, population: Population | None = None) -> Parts:
        """Rows of a dimension. With a population, the column `inside` says who belongs to it."""
        file = pq.ParquetFile(self._out / self._manifest["signals"][entity]["file"])
        for batch in file.iter_batches(ROWS):
            part = pa.Table.from_batches([batch])
            found = rows.DIMENSIONS[entity](part, self.run_id, self._names)
            if population is not None:
                found = found.append_column("inside", pa.array(population.holds_for(part, len(part))))
            yield found

    def _facts(self, model: str) -> Parts:
        key = model_key(model, self._manifest["models"][model]["scorer"])
        for part in self._scores(model, without=("reasons", "themes", "change_texts")):
            yield rows.with_entity(rows.score_fact(part, key), self._entity(model))

    def _reasons(self, made: Callable[[pa.Table], pa.Table]) -> Parts:
        for model in self._models_of():
            for part in self._scores(model, only=("run_id", "as_of", "model", "entity_id", "reasons")):
                yield made(part)

    def _scores(self, model: str, only: tuple[str, ...] = (), without: tuple[str, ...] = ()) -> Parts:
        for about in self._manifest["models"][model]["files"]:
            file = pq.ParquetFile(self._out / about["file"])
            wanted = [n for n in file.schema_arrow.names if (not only or n in only) and n not in without]
            for batch in file.iter_batches(ROWS, columns=wanted):
                yield pa.Table.from_batches([batch])


def model_key(model: str, scorer: str) -> str:
    return f"{model}@{scorer[:16]}"


def account_names(source: Source, as_of: datetime) -> pa.Table | None:
    """entity_id and name of the accounts as known at a moment; None when the source has no names."""
    if not source.has("accounts", "name"):
        return None
    us = to_us(as_of)
    found: Mapping[str, str] = dict(
        source.query(f"SELECT account_id, name FROM accounts WHERE from_us < {us} AND until_us >= {us}")
    )
    return pa.table({"entity_id": pa.array(found.keys(), pa.string()), "name": pa.array(found.values(), pa.string())})


class _Aligned:
    """Reassembles a stream of tables of any size into tables of the requested sizes."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._left: Any = None

    def take(self, rows: int) -> pa.Table:
        """The next rows; fewer at the end."""
        whole = self._left
        while whole is None or len(whole) < rows:
            part = next(self._parts, None)
            if part is None:
                break
            whole = part if whole is None else pa.concat_tables([whole, part])
        if whole is None:
            raise ValueError("there are no rows")
        self._left = whole.slice(rows)
        return whole.slice(0, rows)
