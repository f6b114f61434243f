"""Backfill: scores every record that a source already has when a CRM is connected, once.

The decision records themselves show what is done; they are committed with the signals and the write-backs. After a
kill the next run goes on where this one was, and a run after the last does nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from features.kit.clock import AHEAD_US, Clock, to_us
from features.kit.errors import UserMistake
from features.sources.schema import TABLES
from features.sources.source import Source
from serving.champion import Champions
from serving.connections.config import ConnectionConfig
from serving.outbox.repository import BACKFILL
from serving.store.connect import Store, insert_new
from serving.store.tables import decisions, dirty
from serving.worker.crm_deletions import ENTITY_OF
from serving.worker.score_dirty import ENTITIES_A_ROUND, Round, newest_known, score_round
from serving.worker.source_cache import Sources

Entity = tuple[str, str]


@dataclass(frozen=True)
class Filled:
    """Result of a run: records that it scored or queued, and records that an earlier run had scored."""

    scored: int = 0
    before: int = 0


def backfill(
    store: Store,
    sources: Sources,
    config: ConnectionConfig,
    champions: Champions,
    clock: Clock,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> Filled:
    """Scores what no earlier run scored. Raises `StoreAway`; the next run then goes on. Raises `UserMistake` when no
    live model scores the connection's objects.

    Raises `UserMistake` when no live model scores what the connection's objects are.
    """
    source = sources.get(config)
    left, before = _left(store, source, config, champions, to_us(clock()))
    run_id, all_of_them = run_of(config.name), len(left) + before
    for start in range(0, len(left), ENTITIES_A_ROUND):
        progress(before + start, all_of_them)
        part = left[start : start + ENTITIES_A_ROUND]
        with store.read() as connection:
            known = newest_known(connection, config.source)
        # This completes no event, and dirty entities stay dirty.
        found = Round(dict.fromkeys(part, -1), 0, known, BACKFILL, run_id)
        score_round(store, source, config.source, [config], found, champions, clock, "backfill", run_id)
    progress(all_of_them, all_of_them)
    return Filled(len(left), before)


def queue_backlog(
    store: Store, sources: Sources, config: ConnectionConfig, champions: Champions, clock: Clock
) -> Filled:
    """Queues what no earlier run scored for the running worker, behind everything that changed; repeating it changes
    nothing. Raises as `backfill` does.
    """
    left, before = _left(store, sources.get(config), config, champions, to_us(clock()))
    now_us, run_id = to_us(clock()), run_of(config.name)
    rows = [
        {
            "source": config.source,
            "entity": entity,
            "entity_id": entity_id,
            "generation": 1,
            "due_at": now_us,
            "priority": BACKFILL,
            "run_id": run_id,
        }
        for entity, entity_id in left
    ]
    for start in range(0, len(rows), ENTITIES_A_ROUND):
        with store.write() as connection:
            # What is dirty already is scored anyway.
            insert_new(connection, dirty, rows[start : start + ENTITIES_A_ROUND], ("source", "entity", "entity_id"))
    return Filled(len(left), before)


def run_of(name: str) -> str:
    return f"backfill:{name}"


def waiting_of(connection: Connection, run_id: str) -> int:
    """Number of records of a queued backfill that the worker has not scored yet."""
    where = (dirty.c.run_id == run_id, dirty.c.error.is_(None))
    return connection.execute(select(func.count()).where(*where)).scalar_one()


def _left(
    store: Store, source: Source, config: ConnectionConfig, champions: Champions, now_us: int
) -> tuple[list[Entity], int]:
    """Records that no run has scored yet, and the number of those scored. A score for a moment after the clock
    (`now_us`) does not count.
    """
    records = records_of(source, config)
    wanted = [(entity, i) for entity, i in records if champions.of_entity(entity)]
    if not wanted:
        entities = " and ".join(sorted({entity for entity, _ in records})) or "accounts or leads"
        raise UserMistake(
            f"nothing to score for connection {config.name!r}: its source has none of its {entities}, or no model of them is live; "
            "run python -m training promote MODEL"
        )
    run_id = run_of(config.name)
    with store.read() as connection:
        done = {
            (e, i)
            for e, i in connection.execute(
                select(decisions.c.entity, decisions.c.entity_id).where(
                    decisions.c.run_id == run_id, decisions.c.as_of <= now_us + AHEAD_US
                )
            )
        }
    left = [record for record in wanted if record not in done]
    return left, len(wanted) - len(left)


def records_of(source: Source, config: ConnectionConfig) -> list[Entity]:
    """Accounts and leads of the source that the CRM knows by its own keys, in order."""
    found: set[Entity] = set()
    for mapped in config.objects.values():
        entity = ENTITY_OF.get(mapped.table)
        if entity is None or not source.has(mapped.table):
            continue
        keys = source.connection.execute(f"SELECT DISTINCT {TABLES[mapped.table].key} FROM {mapped.table}").fetchall()
        found |= {(entity, key) for (key,) in keys if mapped.id_of(key) is not None}
    return sorted(found)
