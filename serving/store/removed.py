"""Who is no longer in the CRM: looked up by whoever scores or stores."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, select

from serving.store.tables import removals

PRESENT, DELETED = "present", "deleted"


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
