"""The queue of write-backs: one row per record and model. A new score replaces one that still waits.

A score is queued in the transaction of its decision record, so that neither exists without the other. It is queued only
when it is news: another band (with hysteresis), or a move of at least the connection's `minimum_change`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, func, or_, select, update

from features.kit.clock import SKEW_US, from_us, iso, to_us
from models.catalog import get_model
from serving.connections.config import ConnectionConfig
from serving.store.connect import upsert
from serving.store.tables import writebacks
from serving.vendors.outbound import Write, write_key

WAITING, SENT, DEAD = "waiting", "sent", "dead"
WEBHOOK, BATCH, BACKFILL = 0, 1, 2
"""Priorities: a person waits for the first, nobody for the last."""
_PART = 400
Bands = Sequence[tuple[str, int]]


@dataclass(frozen=True)
class NewScore:
    """One model's newest score of one entity. Score (1 to 100), band and probability are None where there is no score."""

    model: str
    entity_id: str
    as_of_us: int
    version: int | None
    score: int | None
    band: str | None
    probability: float | None
    reasons: Sequence[str] = ()
    """Sentences, the weightiest first."""
    no_score: str | None = None


def enqueue(
    connection: Connection,
    connections: Iterable[ConnectionConfig],
    scores: Sequence[NewScore],
    now_us: int,
    priority: int = WEBHOOK,
    clock_us: int | None = None,
) -> int:
    """Queue the scores that are news, for every connection that writes them, in the caller's transaction. Returns how
    many.

    `scores` has no (model, entity_id) twice. `now_us` is the system's time. `clock_us` is the clock of the scores
    (None: not checked): if the last queued score is for a later moment, it was a mistake, and any score is news. An entity whose id
    does not fit the connection's key template is not in that CRM and is skipped. No score is no news for a record that
    never had one.
    """
    queued = 0
    for config in connections:
        if config.writeback.queues:
            for model in config.writeback.models:
                of_model = [s for s in scores if s.model == model]
                queued += _enqueue(connection, config, model, of_model, now_us, priority, clock_us)
    return queued


def _enqueue(
    connection: Connection,
    config: ConnectionConfig,
    model: str,
    scores: Sequence[NewScore],
    now_us: int,
    priority: int,
    clock_us: int | None,
) -> int:
    target, definition = config.writeback.models[model], get_model(model)
    mapped = config.objects[target.object_type]
    there = _queued(connection, config.name, model, [s.entity_id for s in scores])
    rows = []
    for new in scores:
        object_id = mapped.id_of(new.entity_id)
        if object_id is None:
            continue
        before = there.get(new.entity_id)
        later = before is not None and clock_us is not None and _scored_at(before["content"]) > clock_us + SKEW_US
        shown = before["band"] if before is not None and not later else None
        band = held_band(definition.bands, shown, new, config.writeback.hysteresis)
        if not later and not is_news(before, new.score, band, config.writeback.minimum_change):
            continue
        # A replaced row passes its priority on, if it is better.
        waits = before is not None and before["state"] == WAITING
        content = {
            "score": new.score,
            "band": band,
            "probability": new.probability,
            "no_score": new.no_score,
            "scored_at": iso(from_us(new.as_of_us)),
            "version": new.version,
            "reasons": list(new.reasons),
            "horizon_days": definition.horizon_days,
        }
        rows.append(
            {
                "connection": config.name,
                "model": model,
                "entity_id": new.entity_id,
                "entity": definition.entity,
                "object_type": target.object_type,
                "object_id": object_id,
                "score": new.score,
                "band": band,
                "content": msgspec.json.encode(content),
                "generation": 1,
                "state": WAITING,
                "attempts": 0,
                "queued_at": now_us,
                "due_at": now_us,
                "sent_at": None,
                "error": None,
                "priority": min(priority, before["priority"]) if before and waits else priority,
            }
        )
    upsert(
        connection,
        writebacks,
        rows,
        unique=("connection", "model", "entity_id"),
        add=("generation",),
        keep=("sent_at",),
    )
    return len(rows)


def held_band(bands: Bands, before: str | None, new: NewScore, hysteresis: int) -> str | None:
    """The band to show. A band is entered at its threshold, and left downwards only `hysteresis` points below it.

    >>> at = lambda score, band: NewScore("lead-fit", "a", 0, 1, score, band, 0.5)
    >>> bands = (("high", 90), ("medium", 70), ("low", 1))
    >>> held_band(bands, "high", at(88, "medium"), 3), held_band(bands, "high", at(86, "medium"), 3)
    ('high', 'medium')
    >>> held_band(bands, "medium", at(90, "high"), 3), held_band(bands, None, at(88, "medium"), 3)
    ('high', 'medium')
    """
    lowest = dict(bands)
    if new.score is None or new.band is None or before not in lowest or new.band not in lowest:
        return new.band
    falls = lowest[new.band] < lowest[before]
    return before if falls and new.score >= lowest[before] - hysteresis else new.band


def is_news(before: Mapping[str, Any] | None, score: int | None, band: str | None, minimum_change: int) -> bool:
    """Whether a score is worth a write. `before` is the row that was queued last; None when there is none."""
    if before is None:
        return score is not None
    if before["score"] is None or score is None:
        return bool(before["score"] != score)
    return bool(before["band"] != band or abs(score - before["score"]) >= minimum_change)


Due = tuple[Write, int, int]
"""A write, its generation, and its attempts so far."""


def due(
    connection: Connection,
    config: ConnectionConfig,
    now_us: int,
    limit: int,
    *,
    oldest_first: bool = False,
    worst: int = BACKFILL,
) -> list[Due]:
    """Due writes of priority `worst` or better, ordered by priority and age, or with `oldest_first` by age alone."""
    where = (
        writebacks.c.connection == config.name,
        writebacks.c.state == WAITING,
        writebacks.c.priority <= worst,
        writebacks.c.due_at <= now_us,
    )
    order = (writebacks.c.due_at, writebacks.c.model, writebacks.c.entity_id)
    first = () if oldest_first else (writebacks.c.priority,)
    query = select(writebacks).where(*where).order_by(*first, *order).limit(limit)
    return [_due(config, dict(row)) for row in connection.execute(query).mappings()]


def still_due(connection: Connection, config: ConnectionConfig, found: Sequence[Due]) -> list[Due]:
    """Those of the writes that still wait in the same generation."""
    there: set[tuple[str, str, int]] = set()
    columns = (writebacks.c.model, writebacks.c.entity_id, writebacks.c.generation)
    for part in _parts([write.entity_id for write, _, _ in found]):
        where = (
            writebacks.c.connection == config.name,
            writebacks.c.state == WAITING,
            writebacks.c.entity_id.in_(part),
        )
        there |= {tuple(row) for row in connection.execute(select(*columns).where(*where))}
    return [one for one in found if (one[0].model, one[0].entity_id, one[1]) in there]


def _due(config: ConnectionConfig, row: Mapping[str, Any]) -> Due:
    try:
        return write_of(config, row), row["generation"], row["attempts"]
    except (ValueError, KeyError, TypeError, AttributeError):  # its content is damaged: `Deliverer` gives it up
        key = write_key(row["connection"], row["model"], row["entity_id"], row["generation"])
        record = (row["object_type"], row["object_id"], row["entity"], row["entity_id"])
        return Write(key, row["model"], *record, {}, {}, readable=False), row["generation"], row["attempts"]


def write_of(config: ConnectionConfig, row: Mapping[str, Any]) -> Write:
    """A row as a `Write`. Its properties are those in the connection's present configuration."""
    content = msgspec.json.decode(row["content"])
    target = config.writeback.models.get(row["model"])
    properties = {to: _text(content[part]) for part, to in target.properties.items()} if target else {}
    key = write_key(row["connection"], row["model"], row["entity_id"], row["generation"])
    return Write(
        key, row["model"], row["object_type"], row["object_id"], row["entity"], row["entity_id"], properties, content
    )


def _text(value: Any) -> str:
    if value is None:
        return ""
    return "\n".join(value) if isinstance(value, list) else str(value)


def settle(connection: Connection, config: ConnectionConfig, write: Write, generation: int, **values: Any) -> None:
    """Store the result of one attempt. A row that a newer score has replaced meanwhile is left alone."""
    where = (
        writebacks.c.connection == config.name,
        writebacks.c.model == write.model,
        writebacks.c.entity_id == write.entity_id,
        writebacks.c.generation == generation,
    )
    connection.execute(update(writebacks).where(*where).values(**values))


def next_due(connection: Connection, name: str) -> int | None:
    """When the next write of a connection is due, in microseconds; None when none waits."""
    where = (writebacks.c.connection == name, writebacks.c.state == WAITING)
    return connection.execute(select(func.min(writebacks.c.due_at)).where(*where)).scalar()


def counts(connection: Connection) -> dict[tuple[str, str], int]:
    """Write-backs by connection and state."""
    by = (writebacks.c.connection, writebacks.c.state)
    return {(name, state): count for name, state, count in connection.execute(select(*by, func.count()).group_by(*by))}


def dead(connection: Connection, name: str | None = None) -> list[dict[str, Any]]:
    """Writes that were given up, of all connections or of one."""
    query = select(writebacks).where(writebacks.c.state == DEAD)
    if name is not None:
        query = query.where(writebacks.c.connection == name)
    order = (writebacks.c.connection, writebacks.c.model, writebacks.c.entity_id)
    return [dict(row) for row in connection.execute(query.order_by(*order)).mappings()]


def replay(connection: Connection, name: str, now_us: int, entity_ids: Sequence[str] = ()) -> int:
    """Put writes of a connection that were given up back into the queue, all or those of some entities. Returns how
    many."""
    where = [writebacks.c.connection == name, writebacks.c.state == DEAD]
    if entity_ids:
        where.append(or_(*(writebacks.c.entity_id.in_(part) for part in _parts(entity_ids))))
    values = {"state": WAITING, "attempts": 0, "due_at": now_us, "error": None}
    return connection.execute(update(writebacks).where(*where).values(**values)).rowcount


class _ScoredAt(msgspec.Struct):
    scored_at: datetime


_moment = msgspec.json.Decoder(_ScoredAt).decode


def _scored_at(content: bytes) -> int:
    return to_us(_moment(content).scored_at)


def _queued(connection: Connection, name: str, model: str, ids: Sequence[str]) -> dict[str, Mapping[str, Any]]:
    found: dict[str, Mapping[str, Any]] = {}
    for part in _parts(ids):
        where = (writebacks.c.connection == name, writebacks.c.model == model, writebacks.c.entity_id.in_(part))
        names = ("entity_id", "score", "band", "state", "priority", "content")
        columns = [writebacks.c[each] for each in names]
        found |= {row["entity_id"]: dict(row) for row in connection.execute(select(*columns).where(*where)).mappings()}
    return found


def _parts(ids: Sequence[str]) -> Iterable[Sequence[str]]:
    for start in range(0, len(ids), _PART):
        yield ids[start : start + _PART]
