"""The backlog at first connection: every record that the source has already, scored in bulk, once.

What is done is told by the decision records themselves, which are committed with the signals and the write-backs: killed at
any moment, the next run goes on where this one was, and a run after the last does nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import select

from features.errors import UserMistake
from features.source import Source
from features.tables import TABLES
from serving.champion import Champions
from serving.clock import Clock
from serving.connections import ConnectionConfig
from serving.store.connect import Store
from serving.store.tables import decisions
from serving.worker.removals import ENTITY_OF
from serving.worker.score import ENTITIES_A_ROUND, Round, newest_known, score_round
from serving.worker.sources import Sources

Entity = tuple[str, str]


@dataclass(frozen=True)
class Filled:
    """What a run did: records it scored, and records that were scored by a run before it."""

    scored: int = 0
    before: int = 0


def backfill(
    store: Store, sources: Sources, config: ConnectionConfig, champions: Champions, clock: Clock,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> Filled:  # fmt: skip
    """Score what was not scored by an earlier run. Raises `StoreAway`; then the next run goes on.

    Raises `UserMistake` when no live model scores what the connection's objects are.
    """
    source = sources.get(config)
    records = records_of(source, config)
    wanted = [(entity, i) for entity, i in records if champions.of_entity(entity)]
    if not wanted:
        entities = " and ".join(sorted({entity for entity, _ in records})) or "accounts or leads"
        raise UserMistake(
            f"nothing to score for connection {config.name!r}: its source has none of its {entities}, or no model of them is live; "
            "run python -m training promote MODEL"
        )
    run_id = f"backfill:{config.name}"
    with store.read() as connection:
        done = {(e, i) for e, i in connection.execute(
            select(decisions.c.entity, decisions.c.entity_id).where(decisions.c.run_id == run_id)
        )}  # fmt: skip
    left = [record for record in wanted if record not in done]
    before = len(wanted) - len(left)
    for start in range(0, len(left), ENTITIES_A_ROUND):
        progress(before + start, len(wanted))
        part = left[start : start + ENTITIES_A_ROUND]
        with store.read() as connection:
            known = newest_known(connection, config.source)
        # No letter is worked off by this, and what is dirty stays so.
        score_round(
            store, source, config.source, [config], Round(dict.fromkeys(part, -1), 0, known), champions, clock, "backfill", run_id
        )  # fmt: skip
    progress(len(wanted), len(wanted))
    return Filled(len(left), before)


def records_of(source: Source, config: ConnectionConfig) -> list[Entity]:
    """Accounts and leads of the source that the connection's CRM knows by its keys, in order."""
    found: set[Entity] = set()
    for mapped in config.objects.values():
        entity = ENTITY_OF.get(mapped.table)
        if entity is None or not source.has(mapped.table):
            continue
        keys = source.connection.execute(f"SELECT DISTINCT {TABLES[mapped.table].key} FROM {mapped.table}").fetchall()
        found |= {(entity, key) for (key,) in keys if mapped.id_of(key) is not None}
    return sorted(found)
