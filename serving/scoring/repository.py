"""The newest signals of each entity: written by the batch and the worker, read by the API."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, bindparam, select

from serving.clock import to_us
from serving.history.repository import WHAT_IF
from serving.privacy.repository import without_erased
from serving.scoring.trend import EARLIEST_US, LATEST_US
from serving.store.connect import Store, upsert
from serving.store.tables import decisions, signals

Values = dict[str, float | int | bool | str | None]
_decode = msgspec.json.Decoder(Values).decode
# In the same statement, by the index `decisions_of_entity`: a question of its own would cost as much as the score.
_earlier = (
    select(decisions.c.score)
    .where(
        decisions.c.entity == signals.c.entity,
        decisions.c.entity_id == signals.c.entity_id,
        decisions.c.as_of.between(signals.c.as_of - EARLIEST_US, signals.c.as_of - LATEST_US),
        decisions.c.model == bindparam("model"),
        decisions.c.score.is_not(None),
        decisions.c.cause != WHAT_IF,
    )
    .order_by(decisions.c.as_of.desc(), decisions.c.id.desc())
    .limit(1)
    .correlate(signals)
    .scalar_subquery()
)
_select = select(
    signals.c.entity_id, signals.c.as_of, signals.c.eligibility, signals.c.value, signals.c.signals, _earlier
).where(signals.c.entity == bindparam("entity"), signals.c.entity_id.in_(bindparam("ids", expanding=True)))  # fmt: skip


@dataclass(frozen=True)
class StoredSignals:
    """One entity as of one moment."""

    as_of_us: int
    eligibility: str
    value: float | None
    values: Values
    earlier_score: int | None = None
    """The model's score of 28 to 84 days before, percentile 1-100; None when there was none."""


def fetch(store: Store, entity: str, ids: Iterable[str], model: str) -> dict[str, StoredSignals]:
    """Stored signals by id, with the model's earlier score; ids that are not there are left out. Raises `StoreAway`."""
    wanted = sorted(set(ids))
    with store.read() as connection:
        rows = connection.execute(_select, {"entity": entity, "ids": wanted, "model": model})
        return {r[0]: StoredSignals(r[1], r[2], r[3], _decode(r[4]), r[5]) for r in rows}


def row(
    entity: str, entity_id: str, as_of: datetime, eligibility: str, value: float | None, values: Mapping[str, Any], origin: str
) -> dict[str, Any]:  # fmt: skip
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


def put(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Store rows in the caller's transaction; newer signals that are there stay, and what was erased stays away."""
    upsert(connection, signals, without_erased(connection, rows), unique=("entity", "entity_id"), newest="as_of")
