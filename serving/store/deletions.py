"""Who is no longer in the CRM: looked up by whoever scores or stores."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlalchemy import Connection, select

from serving.store.tables import removals

PRESENT, DELETED = "present", "deleted"
LATE_US = 30 * 86_400_000_000
"""Vendors try for some days to deliver an event."""


def removed_among(connection: Connection, entity: str, ids: Iterable[str]) -> set[str]:
    """The ids that a CRM deleted or merged away and did not bring back."""
    gone = (removals.c.entity == entity, removals.c.state != PRESENT)
    if connection.execute(select(removals.c.entity_id).where(*gone).limit(1)).first() is None:
        return set()
    wanted, found = sorted(set(ids)), set()
    for start in range(0, len(wanted), 400):
        where = removals.c.entity_id.in_(wanted[start : start + 400])
        found |= {row[0] for row in connection.execute(select(removals.c.entity_id).where(*gone, where))}
    return found


def merged_into(connection: Connection, entity: str, since: Mapping[str, int]) -> set[str]:
    """The ids into which a CRM merged others after a moment of their own, or up to `LATE_US` before it: it may have told us late."""
    merges = (removals.c.entity == entity, removals.c.into.is_not(None))
    rows = connection.execute(select(removals.c.into, removals.c.occurred_at).where(*merges))
    return {into for into, occurred_us in rows if into in since and occurred_us >= since[into] - LATE_US}
