"""The table of overrides. Rows are withdrawn and never overwritten, so that their history is kept."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, insert, or_, select, update

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


def put(connection: Connection, override: Override) -> None:
    """Store an override and withdraw the one that it replaces, in the caller's transaction."""
    withdraw(connection, override.model, override.entity, override.entity_id, override.set_at)
    connection.execute(insert(overrides), [override.__dict__])
    bump(connection, GENERATION)


def withdraw(connection: Connection, model: str, entity: str, entity_id: str, now_us: int) -> bool:
    """Withdraw the override that holds. False when there is none."""
    where = (overrides.c.model == model, overrides.c.entity == entity, overrides.c.entity_id == entity_id)
    done = connection.execute(
        update(overrides).where(*where, overrides.c.withdrawn_at.is_(None)).values(withdrawn_at=now_us)
    )
    if done.rowcount:
        bump(connection, GENERATION)
    return bool(done.rowcount)


def holding(connection: Connection, now_us: int) -> Iterable[Override]:
    """Every override that is neither withdrawn nor over."""
    open_ones = (overrides.c.withdrawn_at.is_(None), or_(overrides.c.until.is_(None), overrides.c.until > now_us))
    for row in connection.execute(select(*_columns).where(*open_ones)):
        yield Override(**row._mapping)
