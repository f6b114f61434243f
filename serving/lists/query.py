"""SQL expressions of a list: its conditions, its order, and the ways to find its rows. It executes nothing.

A page is found in one of two ways. *Walking* reads the index of the sorted column until the page is full: quick when
many rows match. *Collecting* takes the ids of the rarest filter from its own index and sorts what is left: quick when few
match. `serving.lists.repository` chooses. Neither reads all rows of a model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

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
    union_all,
)

from features.kit.clock import DAY_US, parse_as_of, to_us
from serving.lists.filters import ListQuery
from serving.notes.repository import ACTION
from serving.store.search_terms import segment_term, word_term
from serving.store.tables import latest_scores, notes, overrides, profile_terms
from serving.store.text import kept

MOST_WORDS = 3
"""The longest words of a text are looked up, each by itself."""
LAST = "\U0010ffff"
"""The last code point: what begins with a text lies between it and it with this behind."""
t = latest_scores.c


@dataclass(frozen=True)
class Sort:
    """A sortable column, and the index that has its order."""

    column: Column[Any]
    index: str
    has: frozenset[str] = frozenset()
    """Filters on columns that the index has too: what they let pass is found without reading the others' rows."""


_SCORED = frozenset({"bands", "theme"})
SORTED_BY: dict[str, Sort] = {
    "entity_id": Sort(t.entity_id, ""),
    "name": Sort(t.name_key, "latest_by_name"),
    "owner": Sort(t.owner, "latest_by_owner"),
    "score": Sort(t.probability, "latest_by_band", _SCORED),
    "probability": Sort(t.probability, "latest_by_band", _SCORED),
    "band": Sort(t.probability, "latest_by_band", _SCORED),
    "change": Sort(t.change, "latest_by_change", _SCORED),
    "value": Sort(t.value, "latest_by_value"),
    "value_at_risk": Sort(t.at_stake, "latest_by_at_stake", _SCORED),
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
    """The ids that meet it, from an index, some of them twice: a part of them is read as far as it is needed, and without its
    doubles all would be sorted first. A superset for a text of several words, and of who was not acted upon."""
    narrows: bool = True
    """False where the ids are all there are."""
    of_id: bool = False
    """Whether the condition asks for the id alone: it is answered from an index."""


@dataclass(frozen=True)
class Piece:
    """Rows that come one after the other in the order of a list: those with a value in the sorted column, then those
    without."""

    number: int
    condition: Callable[[Any], ColumnElement[bool]]
    """Takes columns, as that of a filter."""
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
        of_id=True,
    )


def _of_text(query: ListQuery) -> list[Filter]:
    """Each word begins a word of the name or the domain, or the id begins with the text as it is written. Every word is a
    filter: those who have two common words are few."""
    text, words = kept(query.text or "").strip(), query.text_words()

    def by_id(c: Any) -> ColumnElement[bool]:
        return and_(c.entity_id >= text, c.entity_id < text + LAST)

    of_id = select(t.entity_id).where(t.model == query.model, by_id(t))
    if not words:  # signs alone may still begin an id
        return [Filter("text", by_id, of_id)]

    def has(words: Sequence[str]) -> Callable[[Any], ColumnElement[bool]]:
        return lambda c: or_(and_(*(c.search_text.contains(f" {word}", autoescape=True) for word in words)), by_id(c))

    longest = sorted(dict.fromkeys(words), key=len, reverse=True)
    found = []
    for word in longest[:MOST_WORDS]:
        term = word_term(word)
        of_word = select(profile_terms.c.entity_id).where(
            profile_terms.c.entity == query.entity, profile_terms.c.term >= term, profile_terms.c.term < term + LAST
        )
        ids = union_all(of_word, of_id).subquery()
        found.append(Filter("text", has([word]), select(ids.c.entity_id)))
    if longest[MOST_WORDS:]:
        found[0] = replace(found[0], condition=has([longest[0], *longest[MOST_WORDS:]]))
    return found


_OF_SORT: Mapping[str, Sequence[str]] = {
    "owner": ("owner",),
    "value": ("value_min",),
    "renewal_at": ("renewal_within_days", "renewal_from", "renewal_before"),
    "no_score": ("no_score",),
}
"""The filters on the sorted column itself."""


def pieces_of(query: ListQuery, bands: Sequence[str], now_us: int) -> list[Piece]:
    """The pieces of a list in their order. `bands`: all that rows of the model have."""
    name = SORTED_BY[query.sort].column.name
    of_bands = SORTED_BY[query.sort].index == "latest_by_band"

    def there(c: Any) -> ColumnElement[bool]:
        return cast("ColumnElement[bool]", c[name].is_not(None))

    def lacking(c: Any) -> ColumnElement[bool]:
        none: ColumnElement[bool] = c[name].is_(None)
        return and_(c.band.is_(None), none) if of_bands else none

    if query.sort == "entity_id":
        return [Piece(0, lambda _: true(), (true(),), False)]
    streams: tuple[ColumnElement[bool], ...] = (there(t),)
    conditions = _conditions(query, now_us)
    own = [conditions[each](t) for each in _OF_SORT.get(query.sort, ()) if each in conditions]
    complete = bool(own)
    """Whether a filter lets no row pass that has no value in the sorted column."""
    if own:
        streams = (and_(*own),)
    elif query.sort == "change" and query.changed_by is not None:
        # Between the two lie all that hardly changed: they are stepped over.
        streams, complete = (t.change >= query.changed_by, t.change <= -query.changed_by), True
    elif of_bands:
        streams = tuple(and_(t.band == band, there(t)) for band in (query.bands or bands))
        complete = bool(query.bands) or query.theme is not None or query.changed_by is not None
    pieces = [Piece(0, there, streams, True), Piece(1, lacking, (lacking(t),), False)]
    if query.no_score is not None and query.sort in _OF_SCORE:
        return pieces[1:]  # no row has both
    if query.renewal_known is False and query.sort == "renewal_at":
        return pieces[1:]
    return pieces[:1] if complete else pieces


Keyset = Callable[[Any], ColumnElement[bool]]
"""The condition of rows after a row; takes columns."""


def keyset(query: ListQuery, piece: Piece, key: Any, entity_id: str) -> Keyset:
    """What comes after a row with this value in the sorted column, and this id."""

    def after(c: Any) -> ColumnElement[bool]:
        if piece.by_key:
            here, there = tuple_(c[SORTED_BY[query.sort].column.name], c.entity_id), tuple_(key, entity_id)
            return here < there if query.descending else here > there
        return cast("ColumnElement[bool]", c.entity_id < entity_id if query.descending else c.entity_id > entity_id)

    return after


def ordered(query: ListQuery, piece: Piece, columns: Any = t) -> list[ColumnElement[Any]]:
    """ORDER BY of a piece; ties are in the order of the id, the same way round."""
    keys = [columns[SORTED_BY[query.sort].column.name]] if piece.by_key else []
    keys.append(columns["entity_id"])
    return [key.desc() if query.descending else key.asc() for key in keys]


def walk(
    query: ListQuery,
    piece: Piece,
    stream: ColumnElement[bool],
    filters: Sequence[Filter],
    after: Keyset | None,
    rows: int,
) -> Select[Any]:
    """The next `rows` rows of a stream in order that meet the filters."""
    found = select(latest_scores).where(t.model == query.model, stream, *(each.condition(t) for each in filters))
    if after is not None:
        found = found.where(after(t))
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
    found_by: Filter,
    after: Keyset | None,
    rows: int,
    *,
    meets: bool,
) -> Select[Any]:
    """The first rows of a piece that meet the filters, among the ids of `found_by`: of the rarest filter. Those that are
    answered from an index are asked first; where there are none and `meets`, it is met with the next rarest. `filters`: the
    rarest first."""
    others = [each for each in filters if each is not found_by and each.narrows]
    probed = [each for each in others if each.of_id]
    ids = found_by.ids.subquery("ids")
    wanted = select(ids.c.entity_id).where(*(each.condition(ids.c) for each in probed))
    if others and not probed and meets:
        wanted = select(intersect(wanted, others[0].ids).subquery("both").c.entity_id)
    there = select(latest_scores).where(t.model == query.model, t.entity_id.in_(wanted))
    # OFFSET keeps this a part of its own. Else SQLite reads all rows of the model in the order of the list, and looks for each
    # among the ids: 400 ms for 10,000 ids of 1,000,000 rows, in the place of 55.
    part = there.offset(0).subquery("there")
    found = select(part).where(*(each.condition(part.c) for each in filters), piece.condition(part.c))
    if after is not None:
        found = found.where(after(part.c))
    return found.order_by(*ordered(query, piece, part.c)).limit(rows)
