"""The nightly run: scores every entity once with each live model; published as a whole, and restartable anywhere."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.kit.clock import Clock, iso, parse_as_of, system_us, to_us
from features.kit.errors import UserMistake
from features.panel.build import panel_parts
from features.panel.profiles import profile_parts
from features.panel.visibility import touched
from features.signals.signal import Entity
from features.sources.fingerprint import contents_of, fingerprint
from features.sources.source import Source
from models.catalog import get_model
from models.population import OUTSIDE
from serving.batch import schema as published_rows
from serving.batch.band_sums import COLUMNS, band_sums
from serving.batch.between import Between
from serving.batch.checkpoint import Plan, Work, forget_unfinished
from serving.batch.live_models import live_models, of_entity
from serving.batch.old_rows import AGED, RESTATED, of_touched, sums
from serving.batch.previous_run import Before
from serving.champion import Champion, Champions
from serving.connections.config import ConnectionConfig
from serving.decisions import repository as history
from serving.decisions.earlier_rows import Old
from serving.lists import latest
from serving.manifest import delete_runs_with, is_whole, only_one, parts_of, publish, published, read_manifest, run_of
from serving.outbox import repository as outbox
from serving.privacy import repository as privacy
from serving.profiles import repository as profiles
from serving.profiles.repository import Profile
from serving.profiles.rows import made, profiles_of, segment_names
from serving.runs.run_card import BandSums
from serving.scorer_cache import KeptScorers
from serving.scoring import repository as stored
from serving.scoring.columns import (
    ScoredColumns,
    outcomes_for,
    require_populations,
    score_columns,
    stored_rows,
    to_score,
)
from serving.scoring.rows import signal_rows
from serving.store import version_counters
from serving.store.connect import Store

log = logging.getLogger("serving.batch")
CHUNK_ROWS = 10_000
"""Rows per chunk, which are scored, written and stored together; with five reasons each they take about 60 MB."""
REASONS = 5
Progress = Callable[[str, int, int], None]
"""Called with the model, rows done and rows in all."""


@dataclass(frozen=True)
class FinishedRun:
    """What one run wrote."""

    run_id: str
    manifest: Path
    rows: dict[str, int]
    scored: dict[str, int]
    outside: dict[str, int]
    """Entities outside the population, of models that are for a part of the eligible ones."""
    without_champion: tuple[str, ...]
    queued: int
    """Write-backs that were queued for CRMs."""
    resumed_chunks: int
    """Chunks that an interrupted run had finished."""
    not_scored: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """For each model the entities without a score by the reason's code, the most frequent first."""
    versions: Mapping[str, int | None] = field(default_factory=dict)
    bands: Mapping[str, Mapping[str, BandSums]] = field(default_factory=dict)
    """For each model what is in its bands."""


@dataclass
class Options:
    """How a run is done."""

    reasons: int = REASONS
    record: bool = True
    """Keep a decision record of each score."""
    restart: bool = False
    """Delete an unfinished run and begin again."""
    engine: str = "duckdb"
    chunk_rows: int = CHUNK_ROWS
    connections: Mapping[str, ConnectionConfig] = field(default_factory=dict)
    progress: Progress = lambda _model, _done, _all: None


def run(
    source: Source,
    as_of: datetime,
    out: Path,
    champions: Champions,
    store: Store,
    clock: Clock,
    scorers: KeptScorers,
    options: Options | None = None,
) -> FinishedRun:
    """Score every entity that the source knows as of a moment, with each model that has a champion.

    Writes OUT/<run id>/<model>/part-*.parquet and OUT/<run id>/signals/, and OUT/manifest.json last. Fills the store,
    so that a request by `entity_id` finds its signals, and queues the write-backs of the connections. The same
    source, moment and champions give the same run with the same bytes: an interrupted run goes on, and a published
    one is done at once.

    Raises `UserMistake` when no model is live for the source or an unfinished run does not fit, `BatchBusy` when
    another run is going on, `BadInput` when the source lacks what the population of a live model reads, `OSError`
    when the disk fails; nothing is published then.
    """
    options = options or Options()
    out = out.resolve()
    live, lacking = live_models(source, champions)
    if not live:
        raise UserMistake(
            f"no model is live for what source {source.name!r} has: run python -m training fit {lacking[0]} --source ..., "
            f"then python -m training promote {lacking[0]}"
        )
    require_populations(source, live)
    with only_one(out):
        plan = _plan(source, as_of, out, live, store, options)
        resumed = 0
        if is_whole(out, plan.run_id):
            _refill(source, out, plan.run_id, as_of, live, champions, store, clock)
        else:
            work = Work.open(out, plan, options.restart)
            resumed = _score(work, source, as_of, live, champions, store, clock, scorers, options)
            work.finish({**_described(plan, live), "rows": sums(source, to_us(as_of))})
        manifest = publish(out, plan.run_id)
        forget_unfinished(out)
        with store.write() as connection:
            for entity in sorted({champion.entity for champion in live}):
                stored.forget_later(connection, entity, to_us(clock()))
        with store.read() as connection:
            delete_runs_with(out, privacy.Erased.load(connection).has)
        queued = _feed(out, live, store, options, to_us(clock()))
    about = read_manifest(out)
    rows = {name: model["rows"] for name, model in about["models"].items()}
    codes = {name: _codes(out, about, name) for name in rows}
    scored = {name: found[None] for name, found in codes.items()}
    outside = {c.name: codes[c.name][OUTSIDE] for c in live if c.population}
    log.info("batch.published run=%s models=%d rows=%d", plan.run_id, len(live), sum(rows.values()))
    without = {name: {code: n for code, n in found.most_common() if code is not None} for name, found in codes.items()}
    versions = {name: model["version"] for name, model in about["models"].items()}
    bands = {name: band_sums(parts_of(out, about, name, COLUMNS), get_model(name)) for name in rows}
    return FinishedRun(
        plan.run_id, manifest, rows, scored, outside, tuple(lacking), queued, resumed, without, versions, bands
    )


def _plan(source: Source, as_of: datetime, out: Path, live: Sequence[Champion], store: Store, options: Options) -> Plan:
    before = _run_before(out, as_of)
    # Checksums of files that did not change since the last night are reused.
    contents_of(source).keep_in(out / ".carried" / f"{source.name}.json")
    with store.read() as connection:
        objections = version_counters.read(connection).get(privacy.GENERATION, 0)
    plan = Plan(
        source.name,
        fingerprint(source),
        iso(as_of),
        {c.name: c.sha256 for c in live},
        options.reasons,
        objections,
        before["run_id"] if before else None,
    )
    if before is not None and plan.previous == plan.run_id:
        # A damaged published run is made again: compare it with the same run as before.
        return Plan(**{**plan.__dict__, "previous": before["previous"]})
    return plan


def _run_before(out: Path, as_of: datetime) -> dict[str, Any] | None:
    """The newest run that this one can be compared with: the published one or, when that is for a later moment, the
    one before it.
    """
    found = published(out)
    while found is not None and parse_as_of(found["as_of"]) > as_of:
        found = run_of(out, found["previous"]) if found["previous"] is not None else None
    return found


def _refill(
    source: Source,
    out: Path,
    run_id: str,
    as_of: datetime,
    live: Sequence[Champion],
    champions: Champions,
    store: Store,
    clock: Clock,
) -> None:
    """Stores the signals and profiles of an already published run again, when a run for a moment after the clock has replaced
    them.
    """
    about, now_us = run_of(out, run_id), to_us(clock())
    for entity in sorted({champion.entity for champion in live}):
        with store.read() as connection:
            later = stored.has_later(connection, entity, now_us)
        if about is None or not later:
            continue
        for batch in pq.ParquetFile(out / about["signals"][entity]["file"]).iter_batches(CHUNK_ROWS):
            part = pa.Table.from_batches([batch])
            values, own = signal_rows(part), of_entity(live, entity)
            rows, codes = stored_rows(part, values, as_of, own, run_id)
            ids, kind = part["entity_id"].to_pylist(), own[0].definition.entity
            told = profiles_of(source, kind, as_of, ids, values, champions.definitions())
            with store.write() as connection:
                stored.put(connection, rows, now_us, codes)
                profiles.put(connection, told)


def _score(
    work: Work,
    source: Source,
    as_of: datetime,
    live: Sequence[Champion],
    champions: Champions,
    store: Store,
    clock: Clock,
    scorers: KeptScorers,
    options: Options,
) -> int:
    """Writes every missing chunk; returns how many were there already."""
    there = 0
    filled: set[str] = set()
    before = _previous(work)
    for champion in live:
        with _signals(work, source, as_of, of_entity(live, champion.entity), before, options) as signals:
            aged, restated = (work.old_rows(f"{champion.entity}-{which}") for which in (AGED, RESTATED))
            compared = Before(work.out, before, champion, scorers, aged, restated)
            between = Between(source, champion, as_of, compared, store)
            rows = signals.metadata.num_rows
            sizes = {n: signals.metadata.row_group(n).num_rows for n in range(signals.num_row_groups if rows else 0)}
            missing = [number for number in sizes if not work.has_part(champion.name, number)]
            there += len(sizes) - len(missing)
            done = rows - sum(sizes[number] for number in missing)
            fills = champion.entity not in filled
            if fills and missing and not work.has_profiles(champion.entity):
                kind = champion.definition.entity
                work.keep_profiles(champion.entity, profile_parts(source, kind, as_of, sizes[0]))
            names = segment_names(champion.entity, champions.definitions())
            for number, scored in _scoring(champion, signals, missing, store, options):
                moved = compared.compare(scored)
                old = between.of(scored, moved) if options.record else {}
                fill = (
                    Fill(of_entity(live, champion.entity), work.profile(champion.entity, number), names)
                    if fills
                    else None
                )
                _keep(champion, scored, as_of, work.run_id, store, clock, options, fill, old)
                work.keep_part(champion.name, number, published_rows.table(champion, scored, work.run_id, moved))
                done += sizes[number]
                options.progress(champion.name, done, rows)
        if not rows:
            work.keep_part(champion.name, 0, published_rows.SCHEMA.empty_table())
        filled.add(champion.entity)
    return there


def _signals(
    work: Work,
    source: Source,
    as_of: datetime,
    live: Sequence[Champion],
    before: dict[str, Any] | None,
    options: Options,
) -> pq.ParquetFile:
    """The panel of an entity kind, for all its live models."""
    entity = live[0].entity
    found = work.signals(entity)
    if found is None:
        kind, asked = live[0].definition.entity, outcomes_for(live)
        carried = work.out / ".carried" / f"{source.name}-{entity}" if options.engine == "duckdb" else None

        def parts(
            at: datetime = as_of, known_before: datetime | None = None, ids: Sequence[str] | None = None
        ) -> Iterator[pa.Table]:
            return panel_parts(source, kind, at, options.chunk_rows, options.engine, carried, known_before, ids, asked)

        if before is not None and entity in before["signals"]:
            # Before the new panel: they need the carried state of the last night, which the new panel replaces.
            _old_rows(work, source, as_of, kind, before, parts)
        work.keep_signals(entity, parts())
        found = work.signals(entity)
    assert found is not None
    return found


def _old_rows(
    work: Work,
    source: Source,
    as_of: datetime,
    entity: Entity,
    before: dict[str, Any],
    parts: Callable[..., Iterator[pa.Table]],
) -> None:
    """Stores what the rows known before the previous run give, where it differs."""
    then = parse_as_of(before["as_of"])
    if before.get("rows") != sums(source, to_us(then)) and work.old_rows(f"{entity}-{RESTATED}") is None:
        work.keep_old_rows(f"{entity}-{RESTATED}", parts(then, then))
    names = touched(source, entity, to_us(then), to_us(as_of))
    if names and work.old_rows(f"{entity}-{AGED}") is None:
        work.keep_old_rows(f"{entity}-{AGED}", of_touched(names, lambda ids: parts(as_of, then, ids)))


def _previous(work: Work) -> dict[str, Any] | None:
    previous = work.plan.previous
    return run_of(work.out, previous) if previous is not None and is_whole(work.out, previous) else None


def _scoring(
    champion: Champion, signals: pq.ParquetFile, numbers: Sequence[int], store: Store, options: Options
) -> Iterator[tuple[int, ScoredColumns]]:
    """Yields scored chunks one after the other, scored here or on a cluster."""

    def opted_out_ids(part: pa.Table) -> Set[str]:
        with store.read() as connection:
            return privacy.not_to_score(connection, champion.entity, part["entity_id"].to_pylist())

    def choose(part: pa.Table) -> tuple[pa.ChunkedArray, np.ndarray]:
        return to_score(champion, part, opted_out_ids(part))

    if options.engine == "spark":
        from serving.batch.spark import score_chunks

        yield from score_chunks(champion.scorer, champion.pointer.path, signals, numbers, options.reasons, choose)
        return
    for number in numbers:
        part = signals.read_row_group(number)
        yield number, score_columns(champion, part, options.reasons, opted_out_ids(part))


@dataclass(frozen=True)
class Fill:
    """What is stored of a chunk besides its scores, once for all models of its entity."""

    models: Sequence[Champion]
    """Models for which eligibility is stored."""
    told: pa.Table
    """The chunk's profiles (`features.panel.profiles`)."""
    segments: Sequence[str]


def _keep(
    champion: Champion,
    scored: ScoredColumns,
    as_of: datetime,
    run_id: str,
    store: Store,
    clock: Clock,
    options: Options,
    fill: Fill | None,
    old: Mapping[int, Mapping[int, Old]],
) -> None:
    """Stores a chunk in one transaction; storing it again changes nothing.

    `fill`: what is stored besides scores; None when it is stored already."""
    part = scored.panel
    ids = part["entity_id"].to_pylist()
    values = signal_rows(part) if fill is not None or options.record else []
    told: list[Profile] = []
    if fill is not None:
        told = made(fill.told, champion.entity, as_of, ids, values, fill.segments)
    with store.write() as connection:
        if fill is not None:
            rows, codes = stored_rows(part, values, as_of, fill.models, run_id)
            stored.put(connection, rows, to_us(clock()), codes)
            profiles.put(connection, told)
        if options.record:
            history.forget_run(connection, run_id, champion.name, ids)
            now_us = to_us(clock())
            records = [
                r.decision(champion, cause=history.BATCH, run_id=run_id, recorded_at_us=now_us, old_rows=old.get(i))
                for i, r in enumerate(scored.rows(champion, values))
            ]
            history.put(connection, records)
            latest.put(connection, records, now_us)


def _feed(out: Path, live: Sequence[Champion], store: Store, options: Options, clock_us: int) -> int:
    """Queues scores that changed enough for the CRM connections. Repeating it is harmless: what was queued before
    does not count as a change.
    """
    wanting = [c for c in options.connections.values() if c.writeback.queues]
    if not wanting:
        return 0
    manifest, queued = read_manifest(out), 0
    columns = ["entity_id", "as_of", "version", "score", "band", "probability", "no_score", "reasons"]
    for champion in live:
        for part in parts_of(out, manifest, champion.name, columns):
            scores = [
                outbox.NewScore(
                    champion.name,
                    row["entity_id"],
                    to_us(row["as_of"]),
                    row["version"],
                    row["score"],
                    row["band"],
                    row["probability"],
                    [r["text"] for r in row["reasons"] or ()],
                    row["no_score"],
                )
                for row in part.to_pylist()
            ]
            with store.write() as connection:
                queued += outbox.enqueue(connection, wanting, scores, system_us(), outbox.BATCH, clock_us)
    return queued


def _codes(out: Path, manifest: dict[str, Any], model: str) -> Counter[str | None]:
    """Number of rows by reason for no score; None for those with a score."""
    found: Counter[str | None] = Counter()
    for part in parts_of(out, manifest, model, ["no_score"]):
        found.update({each["values"]: each["counts"] for each in pc.value_counts(part["no_score"]).to_pylist()})
    return found


def _described(plan: Plan, live: Sequence[Champion]) -> dict[str, Any]:
    return {
        "as_of": plan.as_of,
        "source": plan.source,
        "source_fingerprint": plan.source_fingerprint,
        "previous": plan.previous,
        "models": {
            c.name: {
                "entity": c.entity,
                "version": c.version,
                "scorer": c.sha256,
                "horizon_days": c.horizon_days,
                **({"population": str(c.population)} if c.population else {}),
            }
            for c in live
        },
    }
