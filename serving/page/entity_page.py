"""Reads what the page of an account or a lead shows of one model: its records, the stored signals, why the score moved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import msgspec

from features.kit.clock import from_us, iso, parse_as_of, to_us
from features.kit.errors import UserMistake
from features.sources.schema import ENTITIES
from models.definition import Model
from serving.audit_log.entry import Entry, Who
from serving.audit_log.service import leave_in_spool
from serving.connections.config import ConnectionConfig
from serving.decisions import repository as history
from serving.decisions.schemas import shown_record
from serving.eligibility import detail
from serving.errors import NotFound
from serving.page.entity_change import Moved, moved
from serving.page.entity_view import Explained, explained, recorded, steps
from serving.page.formats import Formats
from serving.replay import service as replays
from serving.score_change import service as score_change
from serving.scorer_cache import ScorerGone
from serving.scoring import repository as stored_signals
from serving.scoring.rows import at_stake
from serving.state import AppState

MOST_RECORDS = 200
"""Decision records that the history draws."""
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Wanted:
    """What the address asks for."""

    entity: str
    entity_id: str
    model: Model
    since: str
    """Moment of the score to compare with; empty: the one before."""
    replay: str
    """Id of a decision record to score again; empty: none."""
    by: Who


@dataclass(frozen=True)
class CrmLink:
    """The record in a CRM."""

    connection: str
    url: str


@dataclass(frozen=True)
class Said:
    """What came of scoring a record again."""

    text: str
    good: bool


def page_of(state: AppState, wanted: Wanted, formats: Formats) -> dict[str, Any]:
    """Values of the template. Raises `StoreAway`."""
    entity, entity_id, name = wanted.entity, wanted.entity_id, wanted.model.name
    now_us = to_us(state.clock())
    rows = history.newest(state.store, entity, entity_id, name, MOST_RECORDS, now_us)
    newest = rows[0] if rows else None
    stored = stored_signals.fetch(state.store, entity, [entity_id], name, now_us).get(entity_id)
    scored = [row for row in rows if row["score"] is not None]
    return {
        "record": None if newest is None else shown_record(newest),
        "why_no_score": _why_no_score(newest, wanted.model),
        "at_stake": None if newest is None else at_stake(newest["probability"], newest["value"]),
        "last_score": shown_record(scored[0]) if scored and newest is not scored[0] else None,
        "days_old": None if newest is None else (now_us - newest["as_of"]) // 86_400_000_000,
        "explained": _explained(state, newest, formats) if newest is not None and newest["score"] is not None else None,
        "moved": _moved(state, wanted, scored, now_us, formats) if len(scored) > 1 else Moved(),
        "steps": steps(rows, formats.date),
        "records": [shown_record(row) for row in rows[:20]],
        "record_count": len(rows),
        "stored": stored,
        "stored_as_of": None if stored is None else iso(from_us(stored.as_of_us)),
        "objected_at": _time(state.watched.directives.objecting_since(entity, entity_id)),
        "replayed": _replayed(state, wanted) if wanted.replay else None,
        "crm_links": crm_links(state.mapped, entity, entity_id),
    }


def _time(us: int | None) -> str | None:
    return None if us is None else iso(from_us(us))


def _why_no_score(row: Row | None, model: Model) -> str:
    return "" if row is None or row["no_score"] is None else detail(row["no_score"], model.outcome)


def _explained(state: AppState, row: Row, formats: Formats) -> Explained:
    try:
        scorer = state.scorers.get(row["model"], row["scorer"])
        found = explained(scorer, history.inputs_of(row, scorer), formats.money)
    except (ScorerGone, ValueError, msgspec.MsgspecError) as error:
        return recorded(history.reasons_of(row), f"{error}.".capitalize())
    return found or recorded(history.reasons_of(row), "The recorded inputs are not those of the recorded scorer.")


def _moved(state: AppState, wanted: Wanted, scored: Sequence[Row], now_us: int, formats: Formats) -> Moved:
    since, start = wanted.since, None
    try:
        start = to_us(parse_as_of(since)) if since else None
    except (UserMistake, OverflowError):
        return Moved(why_not="The moment to compare with is not a date: choose one below.", earlier=_earlier(scored))
    try:
        found = score_change.change(
            state.store, state.scorers, wanted.model.name, wanted.entity, wanted.entity_id, start, None, now_us
        )
    except NotFound as error:
        return Moved(why_not=f"{error}.".capitalize(), earlier=_earlier(scored))
    units = {each.name: each.unit for each in state.scorers.get(wanted.model.name, scored[0]["scorer"]).spec.signals}
    return moved(found, units, formats.money, _earlier(scored))


def _earlier(scored: Sequence[Row]) -> list[str]:
    """Moments of earlier scores, the newest first."""
    found = dict.fromkeys(iso(from_us(row["as_of"])) for row in scored[1:] if row["as_of"] < scored[0]["as_of"])
    return list(found)


def _replayed(state: AppState, wanted: Wanted) -> Said:
    """Scores a record of this entity again. The replay is a row of the audit log."""
    record_id = int(wanted.replay) if wanted.replay.isascii() and wanted.replay.isdigit() else 0
    row = history.one(state.store, record_id)
    if row is None or (row["entity"], row["entity_id"]) != (wanted.entity, wanted.entity_id):
        return Said(f"No decision of this {wanted.entity} has the number {wanted.replay[:20]}.", False)
    try:
        done = replays.replay(state.store, state.scorers, record_id)
    except (ScorerGone, UserMistake) as error:
        return Said(f"Decision {record_id} cannot be scored again: {error}.", False)
    after = {"decision": record_id, "same": done.same, "recorded_at": row["recorded_at"]}
    entry = Entry(wanted.by, "replay", wanted.entity, wanted.entity_id, None, after)
    why = leave_in_spool(state.settings.base.home, entry)
    left = "" if why is None else f" This replay is not in the audit log: {why}."
    if done.same:
        return Said(f"Decision {record_id} was scored again: the same to the last bit.{left}", True)
    return Said(
        f"Decision {record_id} was scored again and differs: record, inputs or scorer were changed.{left}", False
    )


def crm_links(connections: Mapping[str, ConnectionConfig], entity: str, entity_id: str) -> list[CrmLink]:
    """The records of an account or a lead in the CRMs whose connection says where they are shown."""
    found = []
    for name, config in sorted(connections.items()):
        for mapped in config.objects.values():
            object_id = mapped.id_of(entity_id) if mapped.table == ENTITIES[entity] else None
            if mapped.record_url and object_id is not None:
                found.append(CrmLink(name, mapped.record_url.replace("{id}", quote(object_id, safe=""))))
    return found
