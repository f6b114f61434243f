"""SQL expressions of a list: its conditions, its order, and the ways to find its rows. It executes nothing.

A page is found in one of two ways. *Walking* reads the index of the sorted column until the page is full: quick when
many rows match. *Collecting* takes the ids of the rarest filter from its own index and sorts what is left: quick when few
match. `serving.lists.repository` chooses. Neither reads all rows of a model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Select,
    and_,
    exists,
    intersect,
    or_,
    select,
    true,
    tuple_,
    union,
    union_all,
)

from features.kit.clock import DAY_US, parse_as_of, to_us
from serving.lists.filters import ListQuery
from serving.notes.repository import ACTION
from serving.store.search_terms import segment_term, word_term
from serving.store.tables import latest_scores, notes, overrides, profile_terms
from serving.store.text import kept

LAST = "\U0010ffff"
"""The last code point: what begins with a text lies between it and it with this behind."""
SHORT = 3
"""Letters of a word that is looked up beside a longer one: what fewer letters begin is no help."""
t = latest_scores.c


@dataclass(frozen=True)
class Sort:
    """A sortable column, and the index that has its order."""

    column: Column[Any]
    index: str


SORTED_BY: dict[str, Sort] = {
    "entity_id": Sort(t.entity_id, ""),
    "name": Sort(t.name_key, "latest_by_name"),
    "owner": Sort(t.owner, "latest_by_owner"),
    "score": Sort(t.probability, "latest_by_band"),
    "probability": Sort(t.probability, "latest_by_band"),
    "band": Sort(t.probability, "latest_by_band"),
    "change": Sort(t.change, "latest_by_change"),
    "value": Sort(t.value, "latest_by_value"),
    "value_at_risk": Sort(t.at_stake, "latest_by_at_stake"),
    "renewal_at": Sort(t.renewal_at, "latest_by_renewal"),
    "theme": Sort(t.first_theme, "latest_by_theme"),
    "no_score": Sort(t.no_score, "latest_by_no_score"),
}
_OF_SCORE = frozenset({"score", "probability", "band", "change", "value_at_risk", "theme"})
"""Sorted columns that are null wherever there is no score."""


@dataclass(frozen=True)
class Filter:
    """One filter: the condition on a row, and how to find all rows that meet it."""

    name: str
    condition: Callable[[Any], ColumnElement[bool]]
    """Takes the columns of `latest_scores`, or those of a part of it."""
    ids: Select[Any]
    """The ids that meet it, from an index; a superset of them for a text of several words, and of who was not acted upon."""
    narrows: bool = True
    """False where the ids are all there are."""


@dataclass(frozen=True)
class Piece:
    """Rows that come one after the other in the order of a list: those with a value in the sorted column, then those
    without."""

    number: int
    condition: ColumnElement[bool]
    streams: tuple[ColumnElement[bool], ...]
    """Parts of the piece that the index has in order; a page merges them."""
    by_key: bool
    """False where the sorted column is null: ordered by id alone."""


def filters_of(query: ListQuery, now_us: int) -> list[Filter]:
    """The filters of a list. `now_us`: the clock of its first page."""
    found = [_of_columns(query, name, condition) for name, condition in _conditions(query, now_us).items()]
    found += [_of_term(query, f"segment.{column}", segment_term(column, value)) for column, value in query.segments]
    found += [] if query.acted is None else [_of_actions(query)]
    found += [] if query.overridden is None else [_of_overrides(query, now_us)]
    return found if query.text is None else [*found, *_of_text(query)]


def _of_actions(query: ListQuery) -> Filter:
    """Whether anybody told of an action: the source, or a note (`serving.notes`)."""
    told = (notes.c.entity == query.entity, notes.c.kind == ACTION)

    def acted(c: Any) -> ColumnElement[bool]:
        return or_(c.acted_at.is_not(None), exists().where(*told, notes.c.entity_id == c.entity_id))

    if query.acted:
        of_source = select(t.entity_id).where(t.model == query.model, t.acted_at.is_not(None))
        # Each is read as far as it is needed; without its doubles all of it would be sorted first.
        both = union_all(of_source, select(notes.c.entity_id).where(*told)).subquery()
        return Filter("acted", acted, select(both.c.entity_id))
    return Filter("acted", lambda c: ~acted(c), select(t.entity_id).where(t.model == query.model), False)


def _of_overrides(query: ListQuery, now_us: int) -> Filter:
    """Whether a person's judgement stands beside the score at this moment."""
    until = or_(overrides.c.until.is_(None), overrides.c.until > now_us)
    holds = (overrides.c.model == query.model, overrides.c.withdrawn_at.is_(None), until)

    def overridden(c: Any) -> ColumnElement[bool]:
        # By the index of the table: the kind of entity is that of the model.
        of_it = (overrides.c.entity == query.entity, overrides.c.entity_id == c.entity_id)
        return exists().where(*of_it, *holds)

    if query.overridden:
        return Filter("overridden", overridden, select(overrides.c.entity_id).where(*holds))
    return Filter("overridden", lambda c: ~overridden(c), select(t.entity_id).where(t.model == query.model), False)


def _conditions(query: ListQuery, now_us: int) -> dict[str, Callable[[Any], ColumnElement[bool]]]:
    """The filters on single columns that are asked for, by the name of their field."""
    q = query
    until = now_us + (q.renewal_within_days or 0) * DAY_US
    known: dict[str, Callable[[Any], ColumnElement[bool]]] = {
        "bands": lambda c: c.band.in_(q.bands) if len(q.bands) > 1 else c.band == q.bands[0],
        "owner": lambda c: c.owner == q.owner,
        "theme": lambda c: c.first_theme == q.theme,
        "no_score": lambda c: c.no_score == q.no_score,
        "value_min": lambda c: c.value >= q.value_min,
        "changed_by": lambda c: or_(c.change >= q.changed_by, c.change <= -(q.changed_by or 0)),
        "renewal_within_days": lambda c: c.renewal_at.between(now_us, until),
        "renewal_from": lambda c: c.renewal_at >= _day_us(q.renewal_from),
        "renewal_before": lambda c: c.renewal_at < _day_us(q.renewal_before),
        "renewal_known": lambda c: c.renewal_at.is_not(None) if q.renewal_known else c.renewal_at.is_(None),
    }
    return {name: condition for name, condition in known.items() if getattr(query, name) not in (None, ())}


def _day_us(day: str | None) -> int:
    """The beginning of a day, microseconds."""
    return to_us(parse_as_of(day or ""))


def _of_columns(query: ListQuery, name: str, condition: Callable[[Any], ColumnElement[bool]]) -> Filter:
    return Filter(name, condition, select(t.entity_id).where(t.model == query.model, condition(t)))


def _of_term(query: ListQuery, name: str, term: str) -> Filter:
    same = (profile_terms.c.entity == query.entity, profile_terms.c.term == term)
    return Filter(
        name,
        lambda c: exists().where(*same, profile_terms.c.entity_id == c.entity_id),
        select(profile_terms.c.entity_id).where(*same),
    )


def _of_text(query: ListQuery) -> list[Filter]:
    """Each word begins a word of the name or the domain, or the id begins with the text as it is written.

    One filter has the whole condition. The ids of a word are looked up for the longest, and for a second one that is not short: of two
    common words few names have both.
    """
    text, words = kept(query.text or "").strip(), query.text_words()

    def by_id(c: Any) -> ColumnElement[bool]:
        return and_(c.entity_id >= text, c.entity_id < text + LAST)

    of_id = select(t.entity_id).where(t.model == query.model, by_id(t))
    if not words:  # signs alone may still begin an id
        return [Filter("text", by_id, of_id)]

    def condition(c: Any) -> ColumnElement[bool]:
        return or_(and_(*(c.search_text.contains(f" {word}", autoescape=True) for word in words)), by_id(c))

    def ids(word: str) -> Select[Any]:
        term = profile_terms.c.term
        begins = (term >= word_term(word), term < word_term(word) + LAST)
        of_word = select(profile_terms.c.entity_id).where(profile_terms.c.entity == query.entity, *begins)
        return select(union(of_word, of_id).subquery().c.entity_id)

    longest, *others = sorted(words, key=len, reverse=True)
    second = [word for word in others[:1] if len(word) >= SHORT]
    return [
        Filter("text", condition, ids(longest)),
        *(Filter("text, a second word", lambda _: true(), ids(word)) for word in second),
    ]


_OF_SORT: Mapping[str, Sequence[str]] = {
    "owner": ("owner",),
    "value": ("value_min",),
    "renewal_at": ("renewal_within_days", "renewal_from", "renewal_before"),
    "no_score": ("no_score",),
}
"""The filters on the sorted column itself."""


def pieces_of(query: ListQuery, bands: Sequence[str], now_us: int) -> list[Piece]:
    """The pieces of a list in their order. `bands`: all that rows of the model have."""
    column = SORTED_BY[query.sort].column
    there: ColumnElement[bool] = column.is_not(None)
    lacking: ColumnElement[bool] = column.is_(None)
    if query.sort == "entity_id":
        return [Piece(0, true(), (true(),), False)]
    streams: tuple[ColumnElement[bool], ...] = (there,)
    conditions = _conditions(query, now_us)
    own = [conditions[name](t) for name in _OF_SORT.get(query.sort, ()) if name in conditions]
    complete = bool(own)
    """Whether a filter lets no row pass that has no value in the sorted column."""
    if own:
        streams = (and_(*own),)
    elif query.sort == "change" and query.changed_by is not None:
        # Between the two lie all that hardly changed: they are stepped over.
        streams, complete = (t.change >= query.changed_by, t.change <= -query.changed_by), True
    elif SORTED_BY[query.sort].index == "latest_by_band":
        streams = tuple(and_(t.band == band, there) for band in (query.bands or bands))
        lacking = and_(t.band.is_(None), lacking)
        complete = bool(query.bands) or query.theme is not None or query.changed_by is not None
    pieces = [Piece(0, there, streams, True), Piece(1, lacking, (lacking,), False)]
    if query.no_score is not None and query.sort in _OF_SCORE:
        return pieces[1:]  # no row has both
    if query.renewal_known is False and query.sort == "renewal_at":
        return pieces[1:]
    return pieces[:1] if complete else pieces


def keyset(query: ListQuery, piece: Piece, key: Any, entity_id: str) -> ColumnElement[bool]:
    """The condition of rows after a row."""
    if piece.by_key:
        here, there = tuple_(SORTED_BY[query.sort].column, t.entity_id), tuple_(key, entity_id)
        return here < there if query.descending else here > there
    return t.entity_id < entity_id if query.descending else t.entity_id > entity_id


def ordered(query: ListQuery, piece: Piece, columns: Any = t) -> list[ColumnElement[Any]]:
    """ORDER BY of a piece; ties are in the order of the id, the same way round."""
    keys = [columns[SORTED_BY[query.sort].column.name]] if piece.by_key else []
    keys.append(columns["entity_id"])
    return [key.desc() if query.descending else key.asc() for key in keys]


def walk(
    query: ListQuery, piece: Piece, stream: ColumnElement[bool], after: ColumnElement[bool] | None, rows: int
) -> Select[Any]:
    """The next `rows` rows of a stream in order, without the list's filters."""
    found = select(latest_scores).where(t.model == query.model, stream)
    if after is not None:
        found = found.where(after)
    index = SORTED_BY[query.sort].index
    if index:
        found = found.with_hint(latest_scores, f"INDEXED BY {index}", "sqlite")
    return found.order_by(*ordered(query, piece)).limit(rows)


def matching(
    query: ListQuery, piece: Piece, walked: Select[Any], filters: Sequence[Filter], rows: int, *, keeps_order: bool
) -> Select[Any]:
    """Of walked rows, the first that meet the filters.

    `keeps_order`: SQLite reads a part in its order, and asked for the order once more it would read the whole part and
    sort it. Postgres may join in another order, and notices where nothing is left to sort.
    """
    part = walked.subquery("walked")
    found = select(part).where(*(each.condition(part.c) for each in filters))
    return (found if keeps_order else found.order_by(*ordered(query, piece, part.c))).limit(rows)


def collect(
    query: ListQuery,
    piece: Piece,
    filters: Sequence[Filter],
    found_by: Sequence[Filter],
    after: ColumnElement[bool] | None,
    rows: int,
) -> Select[Any]:
    """The first rows of a piece among the ids that are of every filter in `found_by`."""
    ids = (found_by[0].ids if len(found_by) == 1 else intersect(*(each.ids for each in found_by))).subquery("ids")
    found = select(latest_scores).where(
        t.model == query.model,
        t.entity_id.in_(select(ids.c.entity_id)),
        *(each.condition(t) for each in filters),
        piece.condition,
    )
    if after is not None:
        found = found.where(after)
    return found.order_by(*ordered(query, piece)).limit(rows)
