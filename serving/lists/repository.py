"""Reads pages of lists: chooses how, executes it, and says where the page ended."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, func, select

from models.catalog import get_model
from serving.lists.cursor import Position
from serving.lists.filters import ListQuery
from serving.lists.query import (
    LAST,
    SORTED_BY,
    Filter,
    Keyset,
    Piece,
    collect,
    filters_of,
    keyset,
    matching,
    pieces_of,
    walk,
)
from serving.notes.repository import ACTION
from serving.store.deletions import parts
from serving.store.search_terms import BETWEEN, segment_term
from serving.store.tables import latest_scores, notes, profile_terms, profiles

t = latest_scores.c
FEW = 5_000
"""A filter with at most as many rows is collected at once."""
MANY = 20_000
"""Rows that are counted of a filter at most."""
MOST = 50_000
"""The same, where every filter has that many and the rarest are wanted: 0.07 us for each."""
GLANCE, WALK = 2_000, 10_000
"""Rows that are walked at first, and where that promises a full page; each takes about as long as 40 that are counted."""
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Page:
    """Rows of `latest_scores` in the order of the list, and where the next page begins; None: there is none."""

    rows: list[Row]
    next: Position | None


def page(connection: Connection, query: ListQuery, after: Position | None, limit: int, now_us: int) -> Page:
    """The next `limit` rows of a list after a position. `now_us`: the clock, for a first page."""
    now_us = now_us if after is None else after.now_us
    filters = filters_of(query, now_us)
    counted = _counted(connection, filters, MANY)
    found: list[tuple[Piece, Row]] = []
    for piece in pieces_of(query, bands_of(connection, query.model), now_us):
        if after is not None and piece.number < after.piece:
            continue
        begin = after if after is not None and piece.number == after.piece else None
        rows = _rows(connection, query, piece, counted, begin, limit + 1 - len(found))
        found += [(piece, row) for row in rows]
        if len(found) > limit:
            break
    more, found = len(found) > limit, found[:limit]
    position = None
    if more:
        piece, last = found[-1]
        key = last[SORTED_BY[query.sort].column.name] if piece.by_key else None
        position = Position(query.canonical(), now_us, piece.number, key, last["entity_id"])
    return Page([row for _, row in found], position)


def bands_of(connection: Connection, model: str) -> list[str]:
    """All bands of a model's rows: those of its definition, and others that an earlier version gave."""
    found = [band for band, _ in get_model(model).bands]
    before = ""
    while True:  # one look into the index for each
        query = select(func.min(t.band)).where(t.model == model, t.band > before)
        band = connection.execute(query).scalar()
        if band is None:
            return found
        if band not in found:
            found.append(band)
        before = band


def segment_columns(connection: Connection, entity: str) -> list[str]:
    """The segment columns that profiles of an entity kind have."""
    found: list[str] = []
    after = start = segment_term("", "").removesuffix(BETWEEN)
    while True:
        query = select(func.min(profile_terms.c.term)).where(
            profile_terms.c.entity == entity, profile_terms.c.term > after, profile_terms.c.term < start + LAST
        )
        term = connection.execute(query).scalar()
        if term is None:
            return found
        column = term.removeprefix(start).partition(BETWEEN)[0]
        found.append(column)
        after = segment_term(column, "") + LAST


def segment_values(connection: Connection, entity: str, column: str, most: int) -> list[str] | None:
    """The values of a segment column by code point; None when there are more than `most`."""
    start = segment_term(column, "")
    terms = _distinct(connection, profile_terms.c.term, start, most, entity=entity)
    return None if terms is None else [term.removeprefix(start) for term in terms]


def owners(connection: Connection, model: str, most: int) -> list[str] | None:
    """The owners of a model's rows by code point; None when there are more than `most`."""
    return _distinct(connection, t.owner, "", most, model=model)


def _distinct(connection: Connection, column: Any, start: str, most: int, **equal: str) -> list[str] | None:
    """The values of an indexed column that begin with `start`: one look into the index for each."""
    same = [column.table.c[name] == value for name, value in equal.items()]
    found: list[str] = []
    while True:
        after = column > (found[-1] if found else start)
        value = connection.execute(select(func.min(column)).where(*same, after, column < start + LAST)).scalar()
        if value is None:
            return found
        if len(found) == most:
            return None
        found.append(value)


def _counted(connection: Connection, filters: Sequence[Filter], most: int) -> list[tuple[int, Filter]]:
    """The filters, those with the fewest rows first, each with how many, up to `most`."""
    counted = [(_count(connection, each.ids, most), each) for each in filters]
    return sorted(counted, key=lambda pair: pair[0])


def _count(connection: Connection, ids: Select[Any], most: int) -> int:
    some = ids.limit(most).subquery()
    return connection.execute(select(func.count()).select_from(some)).scalar_one()


def _rows(
    connection: Connection,
    query: ListQuery,
    piece: Piece,
    filters: Sequence[tuple[int, Filter]],
    begin: Position | None,
    rows: int,
) -> list[Row]:
    after = None if begin is None else keyset(query, piece, begin.key, begin.entity_id)
    every = [each for _, each in filters]
    if filters and filters[0][0] <= FEW:
        few = collect(query, piece, every, every[0], after, rows, meets=False)
        return _read(connection, few) if filters[0][0] else []
    found: list[list[Row]] = []
    for stream in piece.streams:
        part = _walked(connection, query, piece, stream, filters, after, rows)
        if part is None:
            rarest = _rarest_first(connection, filters)
            return _read(connection, collect(query, piece, rarest, rarest[0], after, rows, meets=True))
        found.append(part)
    return list(_merged(query, piece, found))[:rows]


def _rarest_first(connection: Connection, filters: Sequence[tuple[int, Filter]]) -> list[Filter]:
    """The filters, rarest first, also where each has more than were counted."""
    known = [(count, each) for count, each in filters if count < MANY]
    others = _counted(connection, [each for count, each in filters if count >= MANY and each.narrows], MOST)
    rest = [each for _, each in filters if not each.narrows]
    return [*(each for _, each in (*known, *others)), *rest]


def _walked(
    connection: Connection,
    query: ListQuery,
    piece: Piece,
    stream: ColumnElement[bool],
    filters: Sequence[tuple[int, Filter]],
    after: Keyset | None,
    rows: int,
) -> list[Row] | None:
    """The first rows of a stream that meet the filters; None where collecting them is quicker."""
    has = SORTED_BY[query.sort].has
    within = [each for _, each in filters if each.name in has]
    rest = [each for _, each in filters if each.name not in has]
    if not rest:
        return _read(connection, walk(query, piece, stream, within, after, rows))
    steps = GLANCE
    while True:
        walked = walk(query, piece, stream, within, after, steps)
        keeps_order = connection.dialect.name == "sqlite"
        part = _read(connection, matching(query, piece, walked, rest, rows, keeps_order=keeps_order))
        if len(part) >= rows or _count(connection, walked.with_only_columns(t.entity_id), steps) < steps:
            return part
        promises = len(part) * WALK >= rows * GLANCE
        if (steps > GLANCE or not promises) and not _is_common(connection, filters):
            return None
        steps *= WALK // GLANCE


def _is_common(connection: Connection, filters: Sequence[tuple[int, Filter]]) -> bool:
    """Whether a single filter leaves too many to collect them: then walking goes on."""
    narrowing = [(count, each) for count, each in filters if each.narrows]
    if not narrowing:
        return True
    count, only = narrowing[0]
    return len(narrowing) == 1 and count >= MANY and _count(connection, only.ids, MOST) >= MOST


def _read(connection: Connection, statement: Select[Any]) -> list[Row]:
    return [dict(row) for row in connection.execute(statement).mappings()]


def _merged(query: ListQuery, piece: Piece, found: Sequence[list[Row]]) -> Iterable[Row]:
    column = SORTED_BY[query.sort].column.name

    def order(row: Row) -> tuple[Any, ...]:
        return (row[column], row["entity_id"]) if piece.by_key else (row["entity_id"],)

    return heapq.merge(*found, key=order, reverse=query.descending)


def changes_of(connection: Connection, models: Sequence[str], entity_id: str) -> dict[str, int | None]:
    """The change of an entity's newest score, by model."""
    asked = select(t.model, t.change).where(t.model.in_(models), t.entity_id == entity_id)
    return {model: change for model, change in connection.execute(asked)}


def acted_at(connection: Connection, entity: str, ids: Sequence[str]) -> dict[str, int]:
    """When each was last acted upon, microseconds, as told (`serving.notes`); ids without an action are left out."""
    found: dict[str, int] = {}
    for part in parts(ids):
        asked = (
            select(notes.c.entity_id, func.max(notes.c.event_at))
            .where(notes.c.entity == entity, notes.c.entity_id.in_(part), notes.c.kind == ACTION)
            .group_by(notes.c.entity_id)
        )
        found |= {entity_id: us for entity_id, us in connection.execute(asked)}
    return found


def children_of(connection: Connection, entity: str, account: str, most: int) -> list[tuple[str, str | None]]:
    """Id and name of the accounts or the leads that belong to an account, by id.

    The kind is compared as an expression, which no index has. SQLite would otherwise read all profiles of the kind, because they lie in
    the order of their ids: 150 ms among 1,000,000.
    """
    asked = (
        select(profiles.c.entity_id, profiles.c.name)
        .where(profiles.c.parent_id == account, profiles.c.entity.concat("") == entity)
        .order_by(profiles.c.entity_id)
        .limit(most)
    )
    return [(entity_id, name) for entity_id, name in connection.execute(asked)]


def standing_of(connection: Connection, models: Sequence[str], ids: Sequence[str]) -> dict[str, Row]:
    """`model`, `score` and `band` of each id by the first of the models that has a score of it; others are left out."""
    found: dict[str, Row] = {}
    for part in parts(ids):
        asked = select(t.entity_id, t.model, t.score, t.band).where(
            t.model.in_(models), t.entity_id.in_(part), t.score.is_not(None)
        )
        for row in sorted(_read(connection, asked), key=lambda row: models.index(row["model"])):
            found.setdefault(row["entity_id"], row)
    return found
