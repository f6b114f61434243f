"""The table of overrides. Rows are withdrawn and never overwritten, so that their history is kept."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, insert, or_, select, update

from serving.audit_log import repository as audit_log
from serving.audit_log.entry import Entry, Who, command
from serving.store.tables import overrides
from serving.store.version_counters import bump

GENERATION = "overrides"


@dataclass(frozen=True)
class Override:
    """One override. Times are microseconds since 1970 UTC; `until` None: until it is withdrawn."""

    model: str
    entity: str
    entity_id: str
    band: str
    reason: str
    author: str
    set_at: int
    until: int | None

    def holds(self, now_us: int) -> bool:
        return self.until is None or now_us < self.until


_columns = [overrides.c[name] for name in Override.__dataclass_fields__]


def put(connection: Connection, override: Override, by: Who | None = None, given_author: str | None = None) -> None:
    """Store an override and withdraw the one that it replaces, in the caller's transaction.

    `by` puts it; `given_author` is the name that the request gave, where that is not who signed in. Both are in the
    audit log.
    """
    before = _end(connection, override.model, override.entity, override.entity_id, override.set_at)
    connection.execute(insert(overrides), [override.__dict__])
    bump(connection, GENERATION)
    after = _told(override) | ({} if given_author is None else {"given_author": given_author})
    entry = Entry(
        by or command("overrides"), "override", override.entity, override.entity_id, _told(before) or None, after
    )
    audit_log.append(connection, entry, override.set_at)


def withdraw(
    connection: Connection, model: str, entity: str, entity_id: str, now_us: int, by: Who | None = None
) -> bool:
    """Withdraw the override that holds. False when there is none."""
    before = _end(connection, model, entity, entity_id, now_us)
    if before is None:
        return False
    bump(connection, GENERATION)
    who = by or command("overrides")
    audit_log.append(connection, Entry(who, "override_withdrawn", entity, entity_id, _told(before)), now_us)
    return True


def _end(connection: Connection, model: str, entity: str, entity_id: str, now_us: int) -> Override | None:
    """Ends the override that was not withdrawn, and returns it."""
    where = (overrides.c.model == model, overrides.c.entity == entity, overrides.c.entity_id == entity_id)
    ending = update(overrides).where(*where, overrides.c.withdrawn_at.is_(None)).values(withdrawn_at=now_us)
    found = connection.execute(ending.returning(*_columns)).first()
    return None if found is None else Override(**found._mapping)


def _told(override: Override | None) -> dict[str, object]:
    """What the audit log says of an override; empty where there is none."""
    names = ("model", "band", "reason", "author", "until")
    return {} if override is None else {name: getattr(override, name) for name in names}


def holding(connection: Connection, now_us: int) -> Iterable[Override]:
    """Every override that is neither withdrawn nor over."""
    open_ones = (overrides.c.withdrawn_at.is_(None), or_(overrides.c.until.is_(None), overrides.c.until > now_us))
    for row in connection.execute(select(*_columns).where(*open_ones)):
        yield Override(**row._mapping)
