"""The table of notes: each note once, by its id; a later one of the same id corrects it.

Every change counts up the counter of the month of `known_at`, in the same transaction: by it `serving.notes.export` sees
which files are old, whatever process was killed when. On Postgres that row is also the lock that puts writers, and an
erasure, one after the other.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, Row, and_, delete, select, update

from features.kit.clock import from_us
from serving.store.connect import upsert
from serving.store.deletions import ids_among, parts
from serving.store.tables import decisions, notes, profiles, signals, tombstones
from serving.store.version_counters import bump

GENERATION = "notes:"
"""How the names of the counters begin; the month follows: `notes:2026-11`."""
OUTCOME, ACTION = "outcome", "action"
State = Literal["new", "known", "corrected", "erased"]
"""new: it was stored. known: it was there as it is. corrected: it took the place of what was told before under its id.
erased: its entity was erased, so it was not stored."""


@dataclass(frozen=True)
class Note:
    """One note. Times are microseconds since 1970 UTC."""

    id: str
    kind: str
    entity: str
    entity_id: str
    word: str
    """won, lost or churned; or the kind of action."""
    event_at: int
    known_at: int
    source: str
    note: str | None

    def tells_as(self, other: Note) -> bool:
        """Whether both tell the same, whatever they say in free text."""
        return (self.word, self.event_at) == (other.word, other.event_at)


@dataclass(frozen=True)
class Told:
    """What became of a note."""

    state: State
    note: Note
    """As it stands in the store; of an erased entity as it was given."""
    before: Note | None = None
    """What it took the place of."""


_columns = [notes.c[name] for name in Note.__dataclass_fields__]


def id_of(kind: str, entity: str, entity_id: str, key: str | None, word: str, event_at: int, source: str) -> str:
    """The id of a note: by the teller's key, or else by what it tells and who told it. Free text is not part of it."""
    what = ["key", key] if key is not None else ["told", word, event_at, source]
    return hashlib.sha256(json.dumps([kind, entity, entity_id, *what]).encode()).hexdigest()[:32]


def month_of(known_at: int) -> str:
    """
    >>> month_of(1_795_000_000_000_000)
    '2026-11'
    """
    return f"{from_us(known_at):%Y-%m}"


def put(connection: Connection, told: Sequence[Note]) -> dict[str, Told]:
    """Store notes in the caller's transaction; returns what became of each, by id. Of several with one id the last counts.

    A correction is known from its own `known_at` on; one of the free text alone leaves that as it was."""
    by_id = {note.id: note for note in told}
    held = of_ids(connection, by_id)
    if all(id in held and _same(note, held[id]) for id, note in by_id.items()):
        return {id: Told("known", held[id]) for id in by_id}
    _count(connection, [*by_id.values(), *held.values()])
    held = of_ids(connection, by_id)  # as others left it before the counter was ours
    gone = _erased(connection, by_id.values())
    done: dict[str, Told] = {}
    for id, note in by_id.items():
        before = held.get(id)
        if (note.entity, note.entity_id) in gone:
            done[id] = Told("erased", note)
        elif before is None:
            done[id] = Told("new", note)
        elif _same(note, before):
            done[id] = Told("known", before)
        else:
            known_at = before.known_at if note.tells_as(before) else note.known_at
            done[id] = Told("corrected", replace(note, known_at=known_at), before)
    changed = [vars(each.note) for each in done.values() if each.state in ("new", "corrected")]
    upsert(connection, notes, changed, unique=("id",))
    return done


def of_ids(connection: Connection, ids: Iterable[str]) -> dict[str, Note]:
    """The notes with these ids that are in the store."""
    found: dict[str, Note] = {}
    for part in parts(sorted(ids)):
        rows = connection.execute(select(*_columns).where(notes.c.id.in_(part)))
        found |= {row.id: Note(**row._mapping) for row in rows}
    return found


def of_entity(connection: Connection, entity: str, entity_id: str, limit: int = 1000) -> list[Note]:
    """What was told of one entity, the newest event first."""
    order = (notes.c.event_at.desc(), notes.c.id)
    query = select(*_columns).where(_of(entity, entity_id)).order_by(*order).limit(limit)
    return [Note(**row._mapping) for row in connection.execute(query)]


def withdraw(connection: Connection, kind: str, entity: str, entity_id: str, id: str) -> Note | None:
    """Delete a note, as though it had never been told; None when there is none of this entity with that id."""
    held = of_ids(connection, [id]).get(id)
    if held is None or (held.kind, held.entity, held.entity_id) != (kind, entity, entity_id):
        return None
    _count(connection, [held])
    return held if connection.execute(delete(notes).where(notes.c.id == id)).rowcount else None


def erase(connection: Connection, entity: str, entity_id: str, now_us: int) -> int:
    """Delete the notes of an entity, in the transaction of its erasure; returns how many.

    A note that is written at the same time is either deleted here or finds the mark of the erasure: both wait for the
    counter of this month."""
    bump(connection, GENERATION + month_of(now_us))
    _count(connection, of_entity(connection, entity, entity_id, limit=1_000_000))
    return connection.execute(delete(notes).where(_of(entity, entity_id))).rowcount


def forget_text_before(connection: Connection, moment_us: int) -> int:
    """Retention: take the free text out of notes that were told before a moment; returns of how many. What they tell stays:
    it is what models learn from."""
    old = and_(notes.c.known_at < moment_us, notes.c.note.is_not(None))
    return connection.execute(update(notes).where(old).values(note=None)).rowcount


def known_among(connection: Connection, entity: str, ids: Iterable[str]) -> set[str]:
    """Those of the ids that the store knows: with signals, a profile or a decision record, and not erased."""
    wanted = sorted(set(ids))
    found: set[str] = set()
    for part in parts(wanted):
        for table in (signals, profiles, decisions):
            of_them = and_(table.c.entity == entity, table.c.entity_id.in_(part))
            found.update(connection.execute(select(table.c.entity_id).where(of_them).distinct()).scalars())
    return found - {name for _, name in _erased_ids(connection, entity, found)}


LINE = ("id", "kind", "entity", "entity_id", "word", "event_at", "known_at")
"""Columns of `in_month`: all but source and free text."""


def in_month(connection: Connection, first_us: int, next_us: int) -> Iterator[Sequence[Row[Any]]]:
    """The notes that were told in [first, next), in the order of their ids, a thousand at a time; each row has the columns
    of `LINE`. Plain rows: with a `Note` for each publishing took two to three times as long."""
    query = select(*[notes.c[name] for name in LINE]).where(notes.c.known_at >= first_us, notes.c.known_at < next_us)
    yield from connection.execute(query.order_by(notes.c.id), execution_options={"yield_per": 1000}).partitions()


def generations(counters: Mapping[str, int]) -> dict[str, int]:
    """The counter of each month in which notes were told."""
    return {name.removeprefix(GENERATION): n for name, n in counters.items() if name.startswith(GENERATION)}


def _same(note: Note, held: Note) -> bool:
    return note.tells_as(held) and (note.source, note.note) == (held.source, held.note)


def _of(entity: str, entity_id: str) -> ColumnElement[bool]:
    return and_(notes.c.entity == entity, notes.c.entity_id == entity_id)


def _count(connection: Connection, changed: Iterable[Note]) -> None:
    """Count up the months of these notes, in one order, so that two writers never wait for each other."""
    for month in sorted({month_of(note.known_at) for note in changed}):
        bump(connection, GENERATION + month)


def _erased(connection: Connection, told: Iterable[Note]) -> set[tuple[str, str]]:
    by_entity: dict[str, set[str]] = {}
    for note in told:
        by_entity.setdefault(note.entity, set()).add(note.entity_id)
    return {each for entity, ids in by_entity.items() for each in _erased_ids(connection, entity, ids)}


def _erased_ids(connection: Connection, entity: str, ids: Iterable[str]) -> set[tuple[str, str]]:
    holds = (tombstones.c.kind == entity, tombstones.c.taken_back_at.is_(None))
    return {(entity, name) for name in ids_among(connection, tombstones, entity, ids, *holds)}
