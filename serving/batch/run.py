"""The nightly job: every entity once, by each model that is live; published whole or not at all."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from features.errors import UserMistake
from features.panel import build_panel
from features.source import Source
from features.tables import ENTITIES
from serving.batch.publish import Publication
from serving.champion import Champion, Champions
from serving.clock import Clock, iso, to_us
from serving.history import repository as history
from serving.privacy import repository as privacy
from serving.scoring import repository as stored
from serving.scoring.panel import ScoredRow, score_panel, signal_rows
from serving.store.connect import Store

log = logging.getLogger("serving.batch")
CHUNK_ROWS = 10_000
"""Rows that are scored, written and stored at a time; with five reasons each they take about 60 MB."""
REASONS = 5
Progress = Callable[[str, int, int], None]
"""Called with the model, rows done and rows in all."""


@dataclass(frozen=True)
class Done:
    """What one run wrote."""

    run_id: str
    manifest: Path
    rows: dict[str, int]
    scored: dict[str, int]
    without_champion: tuple[str, ...]


def run(
    source: Source, as_of: datetime, out: Path, champions: Champions, store: Store, clock: Clock, *,
    reasons: int = REASONS, record: bool = True, progress: Progress = lambda _model, _done, _all: None,
) -> Done:  # fmt: skip
    """Score every entity that the source knows as of a moment, with each model that has a champion.

    Writes OUT/<run id>/<model>/scores.parquet and, last, OUT/manifest.json; fills the store, so that a request by
    `entity_id` finds its signals. The same source, moment and champions are the same run, with the same bytes.

    Raises `UserMistake` when no model is live for what the source has.
    """
    live, lacking = _live(source, champions)
    if not live:
        raise UserMistake(
            f"no model is live for what source {source.name!r} has: run python -m training fit {lacking[0]} --source ..., "
            f"then python -m training promote {lacking[0]}"
        )
    run_id = run_identity(source.fingerprint, as_of, live)
    panels: dict[str, tuple[pa.Table, list[Any]]] = {}
    quiet: dict[str, set[str]] = {}
    rows: dict[str, int] = {}
    scored: dict[str, int] = {}
    with Publication(out, run_id) as publication:
        for champion in live:
            if champion.entity not in panels:
                panel = build_panel(source, champion.entity, [as_of])  # type: ignore[arg-type]  # a key of ENTITIES
                panels[champion.entity] = (panel, signal_rows(panel))
                with store.read() as connection:
                    ids = panel["entity_id"].to_pylist()
                    quiet[champion.entity] = privacy.not_to_score(connection, champion.entity, ids)
                _store_signals(store, champion.entity, as_of, run_id, *panels[champion.entity])
            panel, values = panels[champion.entity]
            with publication.table(champion.name) as write:
                rows[champion.name], scored[champion.name] = panel.num_rows, 0
                if record:
                    with store.write() as connection:
                        history.forget_run(connection, run_id, champion.name)
                for start in range(0, panel.num_rows, CHUNK_ROWS):
                    part = score_panel(
                        champion, panel.slice(start, CHUNK_ROWS), reasons, values[start : start + CHUNK_ROWS],
                        quiet[champion.entity],
                    )  # fmt: skip
                    write(_table(champion, part))
                    if record:
                        _record(store, champion, part, run_id, to_us(clock()))
                    scored[champion.name] += sum(row.no_score is None for row in part)
                    progress(champion.name, start + len(part), panel.num_rows)
        manifest = publication.publish(_manifest(source, as_of, run_id, live, rows, scored))
    log.info("batch.published run=%s models=%d rows=%d", run_id, len(live), sum(rows.values()))
    return Done(run_id, manifest, rows, scored, tuple(lacking))


def run_identity(fingerprint: str, as_of: datetime, live: Sequence[Champion]) -> str:
    """The name of a run: equal for equal content, moment and scorers."""
    parts = [fingerprint, iso(as_of), *(f"{c.name} {c.sha256}" for c in live)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _live(source: Source, champions: Champions) -> tuple[list[Champion], list[str]]:
    live: list[Champion] = []
    lacking: list[str] = []
    for definition in champions.definitions():
        if source.has(ENTITIES[definition.entity]):
            champion = champions.present(definition.name)
            if champion is None:
                lacking.append(definition.name)
            else:
                live.append(champion)
    return live, lacking


def _store_signals(store: Store, entity: str, as_of: datetime, run_id: str, panel: pa.Table, values: list[Any]) -> None:
    fixed = panel.select(["entity_id", "eligibility", "value"]).to_pydict()
    found = zip(fixed["entity_id"], fixed["eligibility"], fixed["value"], values, strict=True)
    for part in _chunks([stored.row(entity, i, as_of, status, worth, v, run_id) for i, status, worth, v in found]):
        with store.write() as connection:
            stored.put(connection, part)


def _record(store: Store, champion: Champion, rows: Sequence[ScoredRow], run_id: str, now_us: int) -> None:
    records = [row.decision(champion, cause="batch", run_id=run_id, recorded_at_us=now_us) for row in rows]
    with store.write() as connection:
        history.put(connection, records)


def _chunks(rows: list[dict[str, Any]]) -> Iterable[list[dict[str, Any]]]:
    for start in range(0, len(rows), CHUNK_ROWS):
        yield rows[start : start + CHUNK_ROWS]


REASON = pa.struct(
    [
        ("signal", pa.string()),
        ("theme", pa.string()),
        ("value", pa.float64()),
        ("category", pa.string()),
        ("effect", pa.float64()),
        ("text", pa.string()),
    ]
)
"""`value` holds numbers, `category` texts; both null when the signal was missing."""
SCHEMA = pa.schema(
    [
        pa.field("entity_id", pa.string(), nullable=False),
        pa.field("as_of", pa.timestamp("us", "UTC"), nullable=False),
        pa.field("model", pa.string(), nullable=False),
        pa.field("version", pa.int64()),
        pa.field("scorer", pa.string(), nullable=False),
        ("probability", pa.float64()),
        ("score", pa.int64()),
        ("band", pa.string()),
        ("value", pa.float64()),
        ("value_at_risk", pa.float64()),
        ("no_score", pa.string()),
        ("reasons", pa.list_(REASON)),
        ("themes", pa.list_(pa.struct([("theme", pa.string()), ("effect", pa.float64())]))),
    ]
)


def _table(champion: Champion, rows: Sequence[ScoredRow]) -> pa.Table:
    return pa.Table.from_pylist([_published(champion, row) for row in rows], schema=SCHEMA)


def _published(champion: Champion, row: ScoredRow) -> dict[str, Any]:
    """A row as it is published: no wall clock in it."""
    return {
        "entity_id": row.entity_id,
        "as_of": row.as_of,
        "model": champion.name,
        "version": champion.version,
        "scorer": champion.sha256,
        "probability": row.probability,
        "score": row.score,
        "band": row.band,
        "value": row.value,
        "value_at_risk": row.at_stake,
        "no_score": row.no_score,
        "reasons": [
            {
                "signal": reason.signal,
                "theme": reason.theme,
                "value": None if reason.value is None or isinstance(reason.value, str) else float(reason.value),
                "category": reason.value if isinstance(reason.value, str) else None,
                "effect": reason.effect,
                "text": reason.text,
            }
            for reason in row.reasons
        ],
        "themes": None if row.themes is None else [{"theme": t, "effect": e} for t, e in sorted(row.themes.items())],
    }


def _manifest(
    source: Source, as_of: datetime, run_id: str, live: Sequence[Champion], rows: dict[str, int], scored: dict[str, int]
) -> dict[str, Any]:
    return {
        "format": 1,
        "run_id": run_id,
        "as_of": iso(as_of),
        "source": source.name,
        "source_fingerprint": source.fingerprint,
        "models": {
            c.name: {
                "entity": c.entity,
                "version": c.version,
                "scorer": c.sha256,
                "horizon_days": c.horizon_days,
                "rows": rows[c.name],
                "scored": scored[c.name],
            }
            for c in live
        },
    }
