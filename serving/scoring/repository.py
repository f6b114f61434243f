"""The newest signals of each entity: written by the batch and the worker, read by the API."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, bindparam, select

from serving.clock import to_us
from serving.store.connect import Store, upsert
from serving.store.tables import signals

Values = dict[str, float | int | bool | str | None]
_decode = msgspec.json.Decoder(Values).decode
_select = select(
    signals.c.entity_id, signals.c.as_of, signals.c.eligibility, signals.c.value, signals.c.signals
).where(signals.c.entity == bindparam("entity"), signals.c.entity_id.in_(bindparam("ids", expanding=True)))  # fmt: skip


@dataclass(frozen=True)
class StoredSignals:
    """One entity as of one moment."""

    as_of_us: int
    eligibility: str
    value: float | None
    values: Values


def fetch(store: Store, entity: str, ids: Iterable[str]) -> dict[str, StoredSignals]:
    """Stored signals by id; ids that are not there are left out. Raises `StoreAway`."""
    wanted = sorted(set(ids))
    with store.read() as connection:
        rows = connection.execute(_select, {"entity": entity, "ids": wanted})
        return {r[0]: StoredSignals(r[1], r[2], r[3], _decode(r[4])) for r in rows}


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
    """Store rows in the caller's transaction; newer signals that are there stay."""
    upsert(connection, signals, rows, unique=("entity", "entity_id"), newest="as_of")
