"""Second half of a round: computes the signals of dirty entities in bulk, scores them, and commits everything
together.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Connection, delete, func, select

from features.kit.clock import Clock, from_us, system_us, to_us
from features.outcomes.outcome import Outcome
from features.panel.build import build_panel
from features.sources.schema import ENTITIES
from features.sources.source import Source
from serving.champion import Champions
from serving.connections.config import ConnectionConfig
from serving.decisions import repository as history
from serving.decisions.earlier_rows import Old
from serving.errors import StoreAway
from serving.inbox import repository as events
from serving.inbox.sealed import Seal
from serving.lists import latest
from serving.log import place_of
from serving.notes import export as notes
from serving.outbox import repository as outbox
from serving.outbox.repository import WEBHOOK, NewScore
from serving.privacy import repository as privacy
from serving.profiles import repository as profiles
from serving.profiles.repository import Profile
from serving.profiles.rows import profiles_of
from serving.scoring import repository as stored
from serving.scoring.columns import outcomes_for, score_columns, stored_rows
from serving.scoring.repository import Values
from serving.scoring.rows import signal_rows
from serving.store.connect import Store
from serving.store.deletions import deleted_among, merged_into
from serving.store.tables import changes as changes_table
from serving.store.tables import dirty, inbox
from serving.store.tables import notes as notes_table
from serving.worker import row_changes, set_aside
from serving.worker.row_changes import Links
from serving.worker.source_cache import Sources, overlaid

log = logging.getLogger("serving.worker")
ENTITIES_A_ROUND = 2000
REASONS = 5


@dataclass(frozen=True)
class RoundResult:
    """What one round did."""

    entities: int = 0
    scores: int = 0
    waiting_for_model: int = 0


@dataclass(frozen=True)
class Round:
    """Entities of one source at one moment: the dirty ones, or a part of a backlog."""

    generations: Mapping[tuple[str, str], int]
    events_up_to: int
    newest_known: int
    priority: int = WEBHOOK
    run_id: str | None = None
    """Run id of the backlog; None for entities that changed."""


def score_dirty(
    store: Store,
    sources: Sources,
    connections: Mapping[str, ConnectionConfig],
    champions: Champions,
    clock: Clock,
    *,
    oldest_first: bool = False,
) -> RoundResult:
    """Scores what is due, one transaction per source: changed entities first; a backlog when nothing else is due or
    it is the turn of the oldest. Raises `StoreAway`; the entities then stay dirty.
    """
    total = RoundResult()
    by_source = {config.source: config for config in connections.values()}
    wanted = {entity for entity in ENTITIES if champions.of_entity(entity)}
    for source_name, config in by_source.items():
        found, lacking = _due(store, source_name, to_us(clock()), wanted, oldest_first)
        total = RoundResult(total.entities, total.scores, total.waiting_for_model + lacking)
        if found.generations:
            # What marked these is in the store; the process that told it may not have published it yet.
            notes.publish(store, champions.home)
            of_source = [c for c in connections.values() if c.source == source_name]
            cause = "webhook" if found.priority == WEBHOOK else "backfill"
            scores = score_round(
                store, sources.get(config), source_name, of_source, found, champions, clock, cause, found.run_id
            )
            total = RoundResult(total.entities + len(found.generations), total.scores + scores, total.waiting_for_model)
    return total


def next_due(store: Store) -> int | None:
    """When the next dirty entity is due, microseconds; None when there is none."""
    with store.read() as connection:
        return connection.execute(select(func.min(dirty.c.due_at)).where(dirty.c.error.is_(None))).scalar()


def _due(store: Store, source_name: str, now_us: int, wanted: set[str], oldest_first: bool) -> tuple[Round, int]:
    due = (dirty.c.source == source_name, dirty.c.due_at <= now_us, dirty.c.error.is_(None))
    order = (dirty.c.due_at, dirty.c.entity, dirty.c.entity_id)
    with store.read() as connection:
        # A round holds one priority: an entity that somebody waits for is not scored together with thousands of others.
        kind = connection.execute(
            select(dirty.c.priority, dirty.c.run_id)
            .where(*due, dirty.c.entity.in_(wanted))
            .order_by(*([] if oldest_first else [dirty.c.priority]), *order)
            .limit(1)
        ).first()
        priority, run_id = kind or (WEBHOOK, None)
        same = [dirty.c.priority == priority]
        if priority != WEBHOOK:
            same.append(dirty.c.run_id.is_not_distinct_from(run_id))
        rows = connection.execute(
            select(dirty.c.entity, dirty.c.entity_id, dirty.c.generation)
            .where(*due, *same, dirty.c.entity.in_(wanted))
            .order_by(*order)
            .limit(ENTITIES_A_ROUND)
        ).all()
        lacking = connection.execute(select(func.count()).where(*due, dirty.c.entity.not_in(wanted))).scalar_one()
        up_to = connection.execute(select(func.max(inbox.c.id)).where(inbox.c.state == events.APPLIED)).scalar()
        known = newest_known(connection, source_name)
    return Round({(e, i): g for e, i, g in rows}, up_to or 0, known, priority, run_id), lacking


def newest_known(connection: Connection, source_name: str) -> int:
    """When the last change arrived or the last note was told, microseconds; 0 when none was."""
    changed = select(func.max(changes_table.c.known_time)).where(changes_table.c.source == source_name)
    told = select(func.max(notes_table.c.known_at))
    return max(connection.execute(query).scalar() or 0 for query in (changed, told))


def score_round(
    store: Store,
    source: Source,
    source_name: str,
    connections: Sequence[ConnectionConfig],
    found: Round,
    champions: Champions,
    clock: Clock,
    cause: str = "webhook",
    run_id: str | None = None,
) -> int:
    """Scores some entities of a source and commits signals, decisions and write-backs together; returns the number of
    decisions.

    An entity that cannot be scored is set aside with the reason, and the others are scored: the round is halved until
    it is alone. An error that an empty round raises too is not the fault of an entity: it is raised, and they stay
    dirty.
    """
    arguments = (store, source, source_name, connections)
    more = (champions, clock, cause, run_id)
    try:
        return _score_some(*arguments, found, *more)
    except StoreAway:
        raise
    except Exception:
        _score_some(*arguments, Round({}, 0, found.newest_known), *more)
    scores, left = 0, [tuple(found.generations)]
    while left:
        part = left.pop(0)
        of_part = Round(
            {e: found.generations[e] for e in part},
            found.events_up_to,
            found.newest_known,
            found.priority,
            found.run_id,
        )
        try:
            scores += _score_some(*arguments, of_part, *more)
        except StoreAway:
            raise
        except Exception as error:
            if len(part) == 1:
                set_aside.put(store, source_name, *part[0], found.generations[part[0]], error, to_us(clock()))
                log.error(
                    "records.set_aside source=%s count=1 %s next=python -m serving dead-letters list",
                    source_name,
                    place_of(error),
                )
            else:
                left[:0] = [part[: len(part) // 2], part[len(part) // 2 :]]
    return scores


def _score_some(
    store: Store,
    source: Source,
    source_name: str,
    connections: Sequence[ConnectionConfig],
    found: Round,
    champions: Champions,
    clock: Clock,
    cause: str,
    run_id: str | None,
) -> int:
    ids = {entity: sorted(i for e, i in found.generations if e == entity) for entity in ENTITIES}
    with store.read() as connection:
        opted_out_ids = {entity: privacy.not_to_score(connection, entity, wanted) for entity, wanted in ids.items()}
        accounts = Links(source, connection, source_name).accounts_of(ids["lead"])
        # Deleted and merged entities get no score, whatever else arrives about them.
        for entity, wanted in ids.items():
            gone = deleted_among(connection, entity, wanted)
            ids[entity] = [each for each in wanted if each not in gone]
        told = row_changes.load(
            connection, source, source_name, sorted({*ids["account"], *accounts}), ids["lead"], Seal.of(champions.home)
        )
        # Rows are visible strictly before as_of, and the newest change must be visible.
        as_of = max(clock(), from_us(found.newest_known) + timedelta(microseconds=1))
        since = {entity: _since(connection, champions, entity, wanted, as_of) for entity, wanted in ids.items()}
        merged = {entity: merged_into(connection, entity, own) for entity, own in since.items()}
    kept: list[dict[str, Any]] = []
    codes: list[dict[str, Any]] = []
    told_of: list[Profile] = []
    decided: list[dict[str, Any]] = []
    to_write: list[NewScore] = []
    with overlaid(source, told.by_table) as above:
        for entity, wanted in ids.items():
            if (wanted or not found.generations) and above.has(ENTITIES[entity]):
                new_signals, new_codes, new_profiles, new_decisions, new_scores = _score_entity(
                    above,
                    entity,
                    wanted,
                    as_of,
                    champions,
                    opted_out_ids[entity],
                    cause,
                    run_id,
                    since[entity],
                    merged[entity],
                )
                kept += new_signals
                codes += new_codes
                told_of += new_profiles
                decided += new_decisions
                to_write += new_scores
    with store.write() as connection:
        stored.put(connection, kept, to_us(as_of), codes)
        profiles.put(connection, told_of)
        history.put(connection, decided)
        latest.put(connection, decided, to_us(as_of))
        outbox.enqueue(connection, connections, to_write, system_us(), found.priority, to_us(as_of))
        for (entity, entity_id), generation in sorted(found.generations.items()):  # as all lock them (`mark_dirty`)
            # Only when no change came meanwhile; otherwise it is scored in the next round.
            connection.execute(
                delete(dirty).where(
                    dirty.c.source == source_name,
                    dirty.c.entity == entity,
                    dirty.c.entity_id == entity_id,
                    dirty.c.generation == generation,
                )
            )
        for entity in ENTITIES:
            wanted = [i for e, i in found.generations if e == entity]
            events.mark_scored(connection, entity, wanted, found.events_up_to, to_us(as_of))
        unread = events.fail(connection, told.set_aside)
    if unread:
        why = next(iter(told.set_aside.values()))
        log.warning("changes.set_aside count=%d first=%s next=python -m serving dead-letters list", unread, why)
    if not found.generations:
        return 0
    log.info("score.created cause=%s entities=%d scores=%d", cause, len(found.generations), len(decided))
    return len(decided)


def _since(
    connection: Connection, champions: Champions, entity: str, ids: list[str], as_of: datetime
) -> dict[str, int]:
    """The `as_of` of the newest score of each before this one."""
    found: dict[str, int] = {}
    for champion in champions.of_entity(entity):
        for name, us in history.newest_between(connection, champion.name, entity, ids, 0, to_us(as_of)).items():
            found[name] = max(us, found.get(name, 0))
    return found


def _score_entity(
    source: Source,
    entity: str,
    ids: list[str],
    as_of: datetime,
    champions: Champions,
    opted_out_ids: set[str],
    cause: str,
    run_id: str | None,
    since: Mapping[str, int],
    merged: set[str],
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[Profile], list[dict[str, Any]], list[NewScore]]:
    """Returns signals, eligibilities, profiles, decisions, and scores that may be written back.

    `since`: the `as_of` of the earlier scores that these are compared with. Entities in `merged` took in others, so
    their old rows changed.
    """
    live = champions.of_entity(entity)
    panel, aged = _panels(source, entity, ids, as_of, since, outcomes_for(live) if live else ())
    values = signal_rows(panel)
    # Only an empty round (`score_round`) has a kind of entity without a live model.
    kept, codes = stored_rows(panel, values, as_of, live, "worker") if live else ([], [])
    now = dict(zip(panel["entity_id"].to_pylist(), values, strict=True))
    told = profiles_of(source, entity, as_of, list(now), values, champions.definitions())  # type: ignore[arg-type]  # a key of ENTITIES
    restated = _restated(source, entity, {i: us for i, us in since.items() if i in merged})
    decided, to_write = [], []
    for champion in live:
        names = champion.scorer.names
        old = {
            i: {
                since[i]: Old(
                    _differing(then, now[i], names), {n: v for n, v in restated.get(i, {}).items() if n in names}
                )
            }
            for i, then in aged.items()
            if i in now and (i not in merged or i in restated)
        }
        for result in score_columns(champion, panel, REASONS, opted_out_ids).rows(champion, values):
            decided.append(
                result.decision(
                    champion,
                    cause=cause,
                    run_id=run_id,
                    recorded_at_us=to_us(as_of),
                    old_rows=old.get(result.entity_id),
                )
            )
            to_write.append(
                NewScore(
                    champion.name,
                    result.entity_id,
                    to_us(as_of),
                    champion.version,
                    result.score,
                    result.band,
                    result.probability,
                    [reason.text for reason in result.reasons],
                    result.no_score,
                )
            )
    return kept, codes, told, decided, to_write


def _panels(
    source: Source, entity: str, ids: list[str], as_of: datetime, since: Mapping[str, int], outcomes: Sequence[Outcome]
) -> tuple[pa.Table, dict[str, Values]]:
    """Returns the panel, and the signals that the rows known before an earlier score give at the same moment. Both
    come from one build: a panel of a few entities costs what its columns cost.
    """
    moments = {i: [as_of, *([from_us(since[i])] if i in since else [])] for i in ids}
    both = build_panel(source, entity, [as_of], known_before=moments, outcomes=outcomes)  # type: ignore[arg-type]  # a key of ENTITIES
    now = pc.equal(both["known_before"], pa.scalar(as_of, pa.timestamp("us", "UTC")))
    then = both.filter(pc.invert(now)).drop_columns("known_before")
    aged = dict(zip(then["entity_id"].to_pylist(), signal_rows(then), strict=True))
    return both.filter(now).drop_columns("known_before"), aged


def _restated(source: Source, entity: str, since: Mapping[str, int]) -> dict[str, Values]:
    """Signals that the present rows give at the moment of an earlier score."""
    found: dict[str, Values] = {}
    for us in sorted(set(since.values())):
        ids = sorted(i for i, own in since.items() if own == us)
        panel = build_panel(source, entity, [from_us(us)], ids=ids)  # type: ignore[arg-type]  # as above
        found |= dict(zip(panel["entity_id"].to_pylist(), signal_rows(panel), strict=True))
    return found


def _differing(then: Values, now: Values, names: Sequence[str]) -> Values:
    return {name: then[name] for name in names if name in then and then[name] != now[name]}
