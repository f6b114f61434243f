"""The newest signals of each entity: written by the batch and the worker, read by the API."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, and_, bindparam, delete, select

from features.kit.clock import AHEAD_US, SKEW_US, now, to_us
from serving.decisions.repository import WHAT_IF, of_its_time
from serving.privacy.repository import without_erased
from serving.scoring.trend import EARLIEST_US, LATEST_US
from serving.store import search_terms
from serving.store.connect import Store, upsert
from serving.store.deletions import parts
from serving.store.tables import decisions, eligibilities, profiles, signals

Values = dict[str, float | int | bool | str | None]
_decode = msgspec.json.Decoder(Values).decode
# In the same statement, by the index `decisions_of_entity`: a second query would cost as much as the score.
_earlier = (
    select(decisions.c.score)
    .where(
        decisions.c.entity == signals.c.entity,
        decisions.c.entity_id == signals.c.entity_id,
        decisions.c.as_of.between(signals.c.as_of - EARLIEST_US, signals.c.as_of - LATEST_US),
        decisions.c.model == bindparam("model"),
        decisions.c.score.is_not(None),
        decisions.c.cause != WHAT_IF,
        of_its_time(),
    )
    .order_by(decisions.c.as_of.desc(), decisions.c.id.desc())
    .limit(1)
    .correlate(signals)
    .scalar_subquery()
)
# Eligibility of another moment does not belong to these signals: the model was not live when they were computed.
_own = and_(
    eligibilities.c.entity == signals.c.entity,
    eligibilities.c.entity_id == signals.c.entity_id,
    eligibilities.c.model == bindparam("model"),
    eligibilities.c.as_of == signals.c.as_of,
)
_select = (
    select(
        signals.c.entity_id,
        signals.c.as_of,
        signals.c.eligibility,
        signals.c.value,
        signals.c.signals,
        _earlier,
        eligibilities.c.code,
    )
    .select_from(signals.outerjoin(eligibilities, _own))
    .where(
        signals.c.entity == bindparam("entity"),
        signals.c.entity_id.in_(bindparam("ids", expanding=True)),
        signals.c.as_of <= bindparam("latest"),
    )
)


@dataclass(frozen=True)
class StoredSignals:
    """Stored signals of one entity as of one moment."""

    as_of_us: int
    eligibility: str
    """Eligibility by the entity's usual outcome."""
    value: float | None
    values: Values
    earlier_score: int | None = None
    """The model's score 28 to 84 days before, percentile 1-100; None when there was none."""
    own: str | None = None
    """Eligibility by the model that was asked for; None when it was not live then, or an older version stored the
    row.
    """


def fetch(store: Store, entity: str, ids: Iterable[str], model: str, now_us: int) -> dict[str, StoredSignals]:
    """Returns stored signals by id, with the model's earlier score. Ids without signals, or with signals only for a
    moment after the clock, are left out. Raises `StoreAway`.
    """
    wanted = sorted(set(ids))
    asked = {"entity": entity, "ids": wanted, "model": model, "latest": now_us + AHEAD_US}
    with store.read() as connection:
        rows = connection.execute(_select, asked)
        return {r[0]: StoredSignals(r[1], r[2], r[3], _decode(r[4]), r[5], r[6]) for r in rows}


def row(
    entity: str,
    entity_id: str,
    as_of: datetime,
    eligibility: str,
    value: float | None,
    values: Mapping[str, Any],
    origin: str,
) -> dict[str, Any]:
    """A row for `put`; `values` holds numbers without NaN, texts and None."""
    return {
        "entity": entity,
        "entity_id": entity_id,
        "as_of": to_us(as_of),
        "eligibility": eligibility,
        "value": value,
        "signals": msgspec.json.encode(values),
        "origin": origin,
    }


def eligibility_row(model: str, entity: str, entity_id: str, as_of: datetime, code: str) -> dict[str, Any]:
    """A row of who gets a score, for `put`."""
    return {"model": model, "entity": entity, "entity_id": entity_id, "as_of": to_us(as_of), "code": code}


def put(
    connection: Connection,
    rows: Sequence[Mapping[str, Any]],
    now_us: int | None = None,
    of_models: Sequence[Mapping[str, Any]] = (),
) -> None:
    """Stores signals and eligibilities in the caller's transaction. Newer rows stay, and erased entities are skipped.

    Signals for a moment after the clock (`now_us`, default: the clock) were stored by mistake; they do not count as
    newer and are replaced.
    """
    now_us = to_us(now()) if now_us is None else now_us
    for entity in sorted({row["entity"] for row in rows}):
        forget_later(connection, entity, now_us, [row["entity_id"] for row in rows if row["entity"] == entity])
    upsert(connection, signals, without_erased(connection, rows), unique=("entity", "entity_id"), newest="as_of")
    own = without_erased(connection, of_models)
    upsert(connection, eligibilities, own, unique=("entity", "entity_id", "model"), newest="as_of")


def has_later(connection: Connection, entity: str, now_us: int) -> bool:
    """Whether signals of an entity kind are stored for a moment after the clock."""
    later = select(signals.c.entity_id).where(signals.c.entity == entity, signals.c.as_of > now_us + SKEW_US).limit(1)
    return connection.execute(later).first() is not None


def forget_later(connection: Connection, entity: str, now_us: int, ids: Sequence[str] | None = None) -> None:
    """Deletes signals and profiles for a moment after the clock, of an entity kind or of some ids."""
    for table in (signals, eligibilities, profiles):
        later = (table.c.entity == entity, table.c.as_of > now_us + SKEW_US)
        for part in [None] if ids is None else parts(ids):
            these = (*later, table.c.entity_id.in_(part)) if part is not None else later
            if table is profiles:
                # What finds them goes before them: without its profile nobody knows a term's entity.
                found = connection.execute(select(profiles.c.entity_id).where(*these)).scalars().all()
                for some in parts(found):
                    search_terms.forget(connection, entity, some)
            connection.execute(delete(table).where(*these))
