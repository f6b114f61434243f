"""Sets and withdraws overrides: a person's judgement beside a score."""

from __future__ import annotations

from datetime import datetime

from features.kit.clock import as_utc, to_us
from serving.champion import Champions
from serving.errors import Conflict, Invalid, no_such
from serving.overrides import repository
from serving.overrides.repository import Override
from serving.overrides.schemas import OverrideRequest
from serving.store.connect import Store


def put(
    store: Store, champions: Champions, entity: str, entity_id: str, given: OverrideRequest, now_us: int
) -> Override:
    """Store an override. Raises `NotFound` for a model that does not score such entities, `Conflict` for an `until` in
    the past, `Invalid` for an unknown band or an invalid time."""
    definition = champions.definition(given.model)
    if definition.entity != entity:
        raise no_such("model", [each.name for each in champions.definitions() if each.entity == entity])
    bands = [name for name, _ in definition.bands]
    if given.band not in bands:
        raise _wrong("band", f"one of {', '.join(bands)}", "write one of them")
    until = None if given.until is None else _moment(given.until)
    if until is not None and until <= now_us:
        raise Conflict("over_already", "until is over: leave it out, or write a time to come")
    override = Override(definition.name, entity, entity_id, given.band, given.reason, given.author, now_us, until)
    with store.write() as connection:
        repository.put(connection, override)
    return override


def withdraw(store: Store, model: str, entity: str, entity_id: str, now_us: int) -> bool:
    with store.write() as connection:
        return repository.withdraw(connection, model, entity, entity_id, now_us)


def _moment(text: str) -> int:
    try:
        return to_us(as_utc(datetime.fromisoformat(text)))
    except (ValueError, OverflowError):
        raise _wrong("until", "a UTC date or time, ISO 8601", "write 2026-12-31 or 2026-12-31T18:00:00Z") from None


def _wrong(where: str, rule: str, next_step: str) -> Invalid:
    fault = {"where": where, "found": "something else", "rule": rule, "next_step": next_step}
    return Invalid("bad_override", f"{where}: {rule}. Next: {next_step}.", {"faults": [fault]})
