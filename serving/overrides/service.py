"""Sets and withdraws overrides: a person's judgement beside a score."""

from __future__ import annotations

from datetime import datetime

from features.kit.clock import as_utc, to_us
from serving.audit_log.entry import SIGNED_IN, Who, command
from serving.champion import Champions
from serving.errors import Conflict, Invalid, no_such
from serving.overrides import repository
from serving.overrides.repository import Override
from serving.overrides.schemas import OverrideRequest
from serving.store.connect import Store

NOT_TAKEN = "author: who signed in is the author, and the name that was sent was not taken: leave it out"


def put(
    store: Store,
    champions: Champions,
    entity: str,
    entity_id: str,
    given: OverrideRequest,
    now_us: int,
    by: Who | None = None,
) -> tuple[Override, list[str]]:
    """Store an override, and return it with what was sent and not taken. Its author is `by`, who signed in. A name that
    was sent counts only where nobody signs in; else it is kept in the audit log alone.

    Raises `NotFound` for a model that does not score such entities, `Conflict` for an `until` in
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
    who = by or command("overrides")
    claims = given.author not in (None, who.name)
    taken = claims and who.kind not in SIGNED_IN
    author = given.author if taken and given.author is not None else who.name
    override = Override(definition.name, entity, entity_id, given.band, given.reason, author, now_us, until)
    left = claims and not taken
    with store.write() as connection:
        repository.put(connection, override, who, given.author if left else None)
    return override, [NOT_TAKEN] if left else []


def withdraw(store: Store, model: str, entity: str, entity_id: str, now_us: int, by: Who | None = None) -> bool:
    """Withdraw the override that holds. False when there is none."""
    with store.write() as connection:
        return repository.withdraw(connection, model, entity, entity_id, now_us, by)


def _moment(text: str) -> int:
    try:
        return to_us(as_utc(datetime.fromisoformat(text)))
    except (ValueError, OverflowError):
        raise _wrong("until", "a UTC date or time, ISO 8601", "write 2026-12-31 or 2026-12-31T18:00:00Z") from None


def _wrong(where: str, rule: str, next_step: str) -> Invalid:
    fault = {"where": where, "found": "something else", "rule": rule, "next_step": next_step}
    return Invalid("bad_override", f"{where}: {rule}. Next: {next_step}.", {"faults": [fault]})
