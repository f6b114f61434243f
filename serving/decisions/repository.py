"""Decision records: what was scored, when, by which version, with what inputs and reasons."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Dialect, delete, insert, or_, select
from sqlalchemy.sql.compiler import SQLCompiler

from features.kit.clock import AHEAD_US, SKEW_US
from models.scorer.reason_texts import Reason
from models.scorer.scorer import Scorer
from serving.decisions.earlier_rows import Old
from serving.privacy.repository import GENERATION, without_erased
from serving.store import version_counters
from serving.store.connect import Store
from serving.store.tables import decisions, signals

WHAT_IF = "what_if"
"""Cause of a record whose request overrode stored signals. It is kept for replay, and left out of an entity's history
unless asked for."""
BATCH = "batch"
"""Cause of a record of a nightly run."""
_PART = 500
"""Bound values in one statement; older SQLite takes at most 999."""
_encode = msgspec.json.Encoder().encode


def decision(
    *,
    model: str,
    entity: str,
    entity_id: str | None,
    as_of_us: int,
    recorded_at_us: int,
    cause: str,
    run_id: str | None,
    version: int | None,
    scorer: str,
    probability: float | None,
    score: int | None,
    band: str | None,
    no_score: str | None,
    value: float | None,
    reasons: Sequence[Reason],
    inputs: Sequence[Any],
    old_rows: Mapping[int, Old] | None = None,
) -> dict[str, Any]:
    """A row for `put`. `inputs` is what was scored, packed by `Scorer.pack`, so that the same scorer reproduces the
    number; empty when nothing was scored. `old_rows` is keyed by the `as_of` of earlier scores."""
    kept = _encode(inputs)
    return {
        "model": model,
        "entity": entity,
        "entity_id": entity_id,
        "as_of": as_of_us,
        "recorded_at": recorded_at_us,
        "cause": cause,
        "run_id": run_id,
        "version": version,
        "scorer": scorer,
        "probability": probability,
        "score": score,
        "band": band,
        "no_score": no_score,
        "value": value,
        "reasons": _encode([msgspec.structs.astuple(reason) for reason in reasons]),
        "inputs": kept,
        "inputs_sha256": hashlib.sha256(kept).hexdigest(),
        "old_rows": _encode([[us, old.aged, old.restated] for us, old in old_rows.items()]) if old_rows else None,
    }


def old_rows_of(row: Mapping[str, Any], since_us: int) -> Old | None:
    """The record's entry for the earlier moment `since_us`; None when it has none."""
    for us, aged, restated in msgspec.json.decode(row["old_rows"] or b"[]"):
        if us == since_us:
            return Old(aged, restated)
    return None


def with_old_rows(store: Store, row: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Records with `old_rows` of the same entity, model, moment and scorer, the newest first. (A request that was
    answered from the store has a record of its own without them.) Raises `StoreAway`."""
    same = ("entity", "entity_id", "model", "as_of", "scorer")
    query = (
        select(decisions)
        .where(*[decisions.c[name] == row[name] for name in same], decisions.c.old_rows.is_not(None))
        .order_by(decisions.c.id.desc())
    )
    with store.read() as connection:
        return [dict(found) for found in connection.execute(query).mappings()]


def newest_between(
    connection: Connection, model: str, entity: str, ids: Sequence[str], after_us: int, before_us: int
) -> dict[str, int]:
    """`as_of` of the newest score of each id between two moments, exclusive. Ids without such a score, or without
    stored signals, are missing."""
    found: dict[str, int] = {}
    newest = (
        select(decisions.c.as_of)
        .where(
            decisions.c.entity == signals.c.entity,
            decisions.c.entity_id == signals.c.entity_id,
            decisions.c.as_of > after_us,
            decisions.c.as_of < before_us,
            decisions.c.model == model,
            decisions.c.probability.is_not(None),
            decisions.c.cause != WHAT_IF,
        )
        .order_by(decisions.c.as_of.desc(), decisions.c.id.desc())
        .limit(1)
        .correlate(signals)
        .scalar_subquery()
    )
    for start in range(0, len(ids), _PART):
        own = signals.c.entity_id.in_(ids[start : start + _PART])
        rows = connection.execute(select(signals.c.entity_id, newest).where(signals.c.entity == entity, own))
        found |= {name: us for name, us in rows if us is not None}
    return found


def inputs_of(row: Mapping[str, Any], scorer: Scorer) -> dict[str, Any]:
    """The signals that were scored, by name. `scorer` must be the record's own.

    Older records have an object instead of the packed list. Raises `ValueError` for inputs that are not the scorer's.
    """
    kept = msgspec.json.decode(row["inputs"])
    if isinstance(kept, dict):
        return kept
    if not isinstance(kept, list):
        raise ValueError("the inputs are neither a list nor an object")
    return scorer.unpack(kept) if kept else {}


def reasons_of(row: Mapping[str, Any]) -> list[Reason]:
    """The reasons that were given. In older records they are objects, some without a direction."""
    if bytes(row["reasons"][:2]) == b"[{":
        told = msgspec.json.decode(row["reasons"])
        return [Reason(**{**one, "direction": "up" if one["effect"] > 0 else "down"}) for one in told]
    return [Reason(*one) for one in msgspec.json.decode(row["reasons"])]


def put(connection: Connection, rows: Sequence[Mapping[str, Any]], *, checked_at: int | None = None) -> bool:
    """Add records in the caller's transaction, without those of erased entities. Returns whether all were added.

    `checked_at` is the generation of the `Directives` that the caller has checked: erased entities are looked up again
    only if it has changed.
    """
    wanted = len(rows)
    if checked_at is None or checked_at != version_counters.of(connection, GENERATION):
        rows = without_erased(connection, rows)
    if rows:
        # Executed by the driver: SQLAlchemy's processing of each value took as long as SQLite's insert.
        statement = _inserting(connection.dialect)
        if not statement.positional:
            connection.exec_driver_sql(str(statement), [{**_EMPTY, **row} for row in rows])
            return len(rows) == wanted
        head, _, values = str(statement).partition(" VALUES ")
        start = 0
        while start < len(rows):
            # Many rows a statement: SQLite releases the interpreter's lock in each, and must wait for it again.
            count = next(size for size in _ROWS_A_STEP if size <= len(rows) - start)
            bound = [row.get(name) for row in rows[start : start + count] for name in statement.positiontup or ()]
            connection.exec_driver_sql(f"{head} VALUES {', '.join([values] * count)}", tuple(bound))
            start += count
    return len(rows) == wanted


_ROWS_A_STEP = (256, 64, 16, 4, 1)
_EMPTY = dict.fromkeys(column.name for column in decisions.c if column.name != "id")


@functools.lru_cache(maxsize=8)
def _inserting(dialect: Dialect) -> SQLCompiler:
    compiled = insert(decisions).compile(dialect=dialect, column_keys=list(_EMPTY))
    assert isinstance(compiled, SQLCompiler)
    return compiled


def forget_run(connection: Connection, run_id: str, model: str, ids: Sequence[str]) -> None:
    """Delete a batch run's records of some entities, before the same run writes them again."""
    for start in range(0, len(ids), _PART):
        own = (decisions.c.run_id == run_id, decisions.c.model == model)
        connection.execute(delete(decisions).where(*own, decisions.c.entity_id.in_(ids[start : start + _PART])))


def of_its_time() -> ColumnElement[bool]:
    """The condition that leaves out records of a nightly run for a moment after its own clock, which nobody could know.

    Such a record is kept, and never part of an entity's history, even when its moment has come.
    """
    return or_(decisions.c.cause != BATCH, decisions.c.as_of <= decisions.c.recorded_at + SKEW_US)


def newest(
    store: Store, entity: str, entity_id: str, model: str | None, limit: int, now_us: int, what_if: bool = False
) -> list[dict[str, Any]]:
    """Records of one entity, the newest `as_of` first. Those for a moment after the clock are left out, and those of
    what-ifs unless `what_if`. Raises `StoreAway`."""
    query = (
        select(decisions)
        .where(decisions.c.entity == entity, decisions.c.entity_id == entity_id)
        .where(decisions.c.as_of <= now_us + AHEAD_US, of_its_time())
        .order_by(decisions.c.as_of.desc(), decisions.c.id.desc())
        .limit(limit)
    )
    if model is not None:
        query = query.where(decisions.c.model == model)
    if not what_if:
        query = query.where(decisions.c.cause != WHAT_IF)
    with store.read() as connection:
        return [dict(row) for row in connection.execute(query).mappings()]


def one(store: Store, record_id: int) -> dict[str, Any] | None:
    """A record by its id; None when there is none. Raises `StoreAway`."""
    if not 0 < record_id < 2**63:
        return None
    with store.read() as connection:
        row = connection.execute(select(decisions).where(decisions.c.id == record_id)).mappings().first()
    return None if row is None else dict(row)


def newest_scored(
    store: Store,
    model: str,
    entity: str,
    entity_id: str,
    up_to: int | None,
    now_us: int,
    not_id: int | None = None,
    *,
    what_if: bool = False,
) -> dict[str, Any] | None:
    """The newest record with a score whose `as_of` is at most `up_to` and not after the clock; None when there is none.
    What-ifs count with `what_if`; `not_id` is left out. Raises `StoreAway`."""
    query = (
        select(decisions)
        .where(
            decisions.c.entity == entity,
            decisions.c.entity_id == entity_id,
            decisions.c.model == model,
            decisions.c.probability.is_not(None),
            decisions.c.as_of <= now_us + AHEAD_US,
            of_its_time(),
        )
        .order_by(decisions.c.as_of.desc(), decisions.c.id.desc())
        .limit(1)
    )
    if not what_if:
        query = query.where(decisions.c.cause != WHAT_IF)
    if up_to is not None:
        query = query.where(decisions.c.as_of <= up_to)
    if not_id is not None:
        query = query.where(decisions.c.id != not_id)
    with store.read() as connection:
        row = connection.execute(query).mappings().first()
    return None if row is None else dict(row)
