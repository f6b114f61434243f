"""Entities that a CRM deleted or merged away. Scoring and storing look them up by the hash of their id."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from sqlalchemy import ColumnElement, Connection, Table, and_, case, delete, null, select, update

from features.kit.clock import DAY_US
from features.sources.suppression import hash_of_id
from serving.store import search_terms
from serving.store.listed import forget_listed
from serving.store.tables import dirty, eligibilities, profiles, removals, signals, writebacks
from serving.store.text import kept

PRESENT, DELETED, MERGED = "present", "deleted", "merged"
LATE_US = 30 * DAY_US
"""Vendors try for some days to deliver an event."""


def stored_hash_of_id(kind: str, name: str) -> str:
    """The hash of an id as the store keeps it.

    >>> stored_hash_of_id("lead", "7") == hash_of_id("lead", "7")
    True
    """
    return hash_of_id(kind, kept(name))


def source_key(source: str) -> str:
    """The name of a source in `removals` and in the home's files: that of its folder, without the path."""
    return Path(source).resolve().name


def ids_among(
    connection: Connection, table: Table, kind: str, ids: Iterable[str], *where: ColumnElement[bool]
) -> set[str]:
    """Those of the ids whose hash is in a row of `table` that matches `where`."""
    if connection.execute(select(table.c.id_hash).where(*where).limit(1)).first() is None:
        return set()
    marks = {each: stored_hash_of_id(kind, each) for each in ids}
    found: set[str] = set()
    for part in parts(sorted(set(marks.values()))):
        found.update(connection.execute(select(table.c.id_hash).where(*where, table.c.id_hash.in_(part))).scalars())
    return {each for each, hashed in marks.items() if hashed in found}


def deleted_among(connection: Connection, entity: str, ids: Iterable[str]) -> set[str]:
    """The ids that a CRM deleted or merged away and did not bring back."""
    gone = (removals.c.entity == entity, removals.c.state != PRESENT)
    return ids_among(connection, removals, entity, ids, *gone)


def remaining(connection: Connection, entity: str, ids: Iterable[str]) -> dict[str, str | None]:
    """Those of the ids that a CRM deleted or merged away, with the entity that remains; None where nothing does."""
    found: dict[str, str | None] = {}
    for gone in deleted_among(connection, entity, ids):
        now, seen = gone, {gone}
        while True:
            asked = select(removals.c.into).where(
                removals.c.entity == entity,
                removals.c.id_hash == stored_hash_of_id(entity, now),
                removals.c.state != PRESENT,
            )
            row = connection.execute(asked.order_by(removals.c.occurred_at.desc()).limit(1)).first()
            if row is None or row.into is None or row.into in seen:
                break
            now = row.into
            seen.add(now)
        found[gone] = now if row is None else None
    return found


def merged_into(connection: Connection, entity: str, since: Mapping[str, int]) -> set[str]:
    """Those of the ids that another record was merged into since the moment given for each (microseconds), less
    `LATE_US`: the event may have arrived late."""
    merges = (removals.c.entity == entity, removals.c.into.is_not(None))
    rows = connection.execute(select(removals.c.into, removals.c.occurred_at).where(*merges))
    return {into for into, occurred_us in rows if into in since and occurred_us >= since[into] - LATE_US}


def forget_scores(connection: Connection, entity: str, ids: Sequence[str]) -> None:
    """Delete the signals, profiles, eligibilities, list rows, write-backs and pending work of entities that are gone, and
    what names them as the parent of another, unless something remains of them. Their decision records stay."""
    for part in parts(ids):
        search_terms.forget(connection, entity, part)
        forget_listed(connection, entity, part)
        for table in (signals, profiles, eligibilities, writebacks, dirty):
            connection.execute(delete(table).where(and_(table.c.entity == entity, table.c.entity_id.in_(part))))
    if entity == "account":
        for name, remains in remaining(connection, entity, ids).items():
            rename_parent(connection, name, remains)


def rename_parent(connection: Connection, account: str, remains: str | None) -> None:
    """Put the account that remains, or none, into the profiles that name one that is gone as the parent."""
    of_itself = (and_(profiles.c.entity == "account", profiles.c.entity_id == remains), null())
    renamed = update(profiles).where(profiles.c.parent_id == account)
    connection.execute(renamed.values(parent_id=case(of_itself, else_=remains)))


def parts(items: Sequence[str], size: int = 400) -> Iterator[Sequence[str]]:
    """Chunks that fit into the bound parameters of one statement."""
    for start in range(0, len(items), size):
        yield items[start : start + size]
