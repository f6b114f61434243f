"""Sums over all rows of a model's list: what is at stake by band, month of renewal and segment, and what was done about it.

Reading 1,200,000 rows takes seconds, so pages get these sums from `serving.lists.summaries`, which counts beside the requests.
Every number is of rows that a list shows, and so without who was erased, objected or was deleted in the CRM.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Select, case, func, select

from features.kit.clock import DAY_US, from_us
from models.definition import Model
from serving.lists.filters import ListQuery
from serving.lists.query import filters_of
from serving.notes.repository import ACTION, OUTCOME
from serving.privacy.cache import Directives
from serving.store.tables import latest_scores, notes, profiles

t = latest_scores.c
MOVED = 10
"""Points by which a score moved much since the nightly run before."""
WORK_DAYS = 90
"""For how many days back told actions and outcomes are counted."""
MOST_VALUES = 10
"""Values of a segment that are told one by one, those with most at stake; the rest is one."""
_decode = msgspec.json.Decoder(dict[str, str]).decode


@dataclass
class Sums:
    """Of some rows with a score."""

    count: int = 0
    expected: float = 0.0
    """Sum of the probabilities: how many are expected to have the outcome."""
    value: float = 0.0
    """Currency units; rows without a value are left out."""
    at_stake: float = 0.0
    """Sum of probability times value, currency units."""

    def add(self, other: Sums) -> None:
        self.count += other.count
        self.expected += other.expected
        self.value += other.value
        self.at_stake += other.at_stake


@dataclass
class Segment:
    """One segment column: sums by value, those with most at stake first, and of all other values together."""

    values: dict[str, Sums]
    others: Sums
    more: int
    """Values in `others`."""
    unknown: Sums
    """Of those whose value is not known."""


@dataclass
class Work:
    """What was told of entities of one kind in the last `WORK_DAYS`."""

    actions: dict[str, int] = field(default_factory=dict)
    """By kind, the most frequent first."""
    outcomes: dict[str, int] = field(default_factory=dict)
    """By word."""
    acted: int = 0
    """Entities with an action."""
    after: dict[str, int] = field(default_factory=dict)
    """Of those, how many had an outcome at or after their first action, by word."""


@dataclass
class Summary:
    """One model's list in sums."""

    model: str
    bands: dict[str, Sums]
    """The model's own bands in their order, then others."""
    without: dict[str, int]
    """Rows without a score by the code of why, the most frequent first."""
    themes: dict[str, dict[str, int]]
    """By theme of the first reason, and by band, how many."""
    months: dict[str | None, Sums]
    """By month of the renewal, YYYY-MM in UTC, in their order; None, at the end: it is not known."""
    segments: dict[str, Segment]
    risen: int
    """Scores that rose by `MOVED` points or more."""
    fallen: int
    acted: dict[str, int]
    """By band, entities upon which somebody acted, as the source or a note says."""
    overrides: dict[str, int]
    """By the band that people gave, judgements that hold."""
    work: Work

    @property
    def total(self) -> Sums:
        """Of all rows with a score."""
        total = Sums()
        for each in self.bands.values():
            total.add(each)
        return total

    @property
    def rows(self) -> int:
        return self.total.count + sum(self.without.values())


def summary(connection: Connection, model: Model, directives: Directives, now_us: int) -> Summary:
    """The sums of one model's list, read in one transaction."""
    found = Summary(model.name, {name: Sums() for name, _ in model.bands}, {}, {}, {}, {}, 0, 0, {}, {}, Work())
    _bands(connection, found)
    if model.entity == "account":
        found.months = _months(connection, model.name)
        found.segments = _segments(connection, model)
    found.acted = _acted(connection, model, now_us)
    found.overrides = _overrides(connection, model, directives, now_us)
    found.work = _work(connection, model.entity, directives, now_us - WORK_DAYS * DAY_US, now_us)
    return found


_SUMS = (func.count(), func.sum(t.probability), func.sum(t.value), func.sum(t.at_stake))


def _rows(*columns: Any) -> Select[Any]:
    return select(*columns).select_from(latest_scores)


def _sums(row: Any) -> Sums:
    """The last four columns of a row."""
    count, *others = row[-4:]
    return Sums(count, *(0.0 if each is None else float(each) for each in others))


def _bands(connection: Connection, found: Summary) -> None:
    def counted(condition: ColumnElement[bool]) -> ColumnElement[int]:
        return func.sum(case((condition, 1), else_=0))

    keys = (t.band, t.first_theme, t.no_score)
    moved = (counted(t.change >= MOVED), counted(t.change <= -MOVED))
    without: dict[str, int] = {}
    for row in connection.execute(_rows(*keys, *moved, *_SUMS).where(t.model == found.model).group_by(*keys)):
        band, theme, no_score, risen, fallen = row[:5]
        sums = _sums(row)
        if band is None:
            code = no_score or "unknown"
            without[code] = without.get(code, 0) + sums.count
            continue
        found.bands.setdefault(band, Sums()).add(sums)
        found.risen += risen
        found.fallen += fallen
        if theme is not None:
            of_theme = found.themes.setdefault(theme, {})
            of_theme[band] = of_theme.get(band, 0) + sums.count
    found.without = _by_frequency(without)


def _months(connection: Connection, model: str) -> dict[str | None, Sums]:
    day = t.renewal_at // DAY_US
    scored = (t.model == model, t.band.is_not(None))
    found: dict[str | None, Sums] = {}
    for row in connection.execute(_rows(day, *_SUMS).where(*scored).group_by(day)):
        month = None if row[0] is None else f"{from_us(row[0] * DAY_US):%Y-%m}"
        found.setdefault(month, Sums()).add(_sums(row))
    return {month: found[month] for month in sorted(found, key=lambda month: (month is None, month or ""))}


def _segments(connection: Connection, model: Model) -> dict[str, Segment]:
    """By every segment column that profiles have. Profiles with the same segments have the same text: they are one group."""
    of_it = (profiles.c.entity == model.entity, profiles.c.entity_id == t.entity_id)
    asked = (
        _rows(profiles.c.segments, *_SUMS)
        .select_from(latest_scores.outerjoin(profiles, of_it[0] & of_it[1]))
        .where(t.model == model.name, t.band.is_not(None))
        .group_by(profiles.c.segments)
    )
    total = Sums()
    by_column: dict[str, dict[str, Sums]] = {}
    for row in connection.execute(asked):
        sums = _sums(row)
        total.add(sums)
        for column, value in ({} if row[0] is None else _decode(row[0])).items():
            by_column.setdefault(column, {}).setdefault(value, Sums()).add(sums)
    wanted = [*(name for name in model.segments if name in by_column), *sorted(set(by_column) - set(model.segments))]
    return {column: _segment(by_column[column], total) for column in wanted}


def _segment(values: Mapping[str, Sums], total: Sums) -> Segment:
    ordered = sorted(values.items(), key=lambda pair: (-pair[1].at_stake, -pair[1].count, pair[0]))
    others, known = Sums(), Sums()
    for _, each in ordered[MOST_VALUES:]:
        others.add(each)
    for _, each in ordered:
        known.add(each)
    unknown = Sums(
        total.count - known.count,
        max(0.0, total.expected - known.expected),
        max(0.0, total.value - known.value),
        max(0.0, total.at_stake - known.at_stake),
    )
    return Segment(dict(ordered[:MOST_VALUES]), others, max(0, len(ordered) - MOST_VALUES), unknown)


def _acted(connection: Connection, model: Model, now_us: int) -> dict[str, int]:
    """Those that the list's filter `acted` finds."""
    (acted,) = filters_of(ListQuery(model.name, model.entity, acted=True), now_us)
    ids = acted.ids.subquery()
    asked = (
        select(t.band, func.count())
        .where(t.model == model.name, t.band.is_not(None), t.entity_id.in_(select(ids.c.entity_id)))
        .group_by(t.band)
    )
    return {band: count for band, count in connection.execute(asked)}


def _overrides(connection: Connection, model: Model, directives: Directives, now_us: int) -> dict[str, int]:
    """Of entities that are listed with a score or without, as the list's filter `overridden` finds them."""
    holding = {
        entity_id: each.band
        for (name, entity_id), each in directives.overrides.items()
        if name == model.name and each.holds(now_us)
    }
    counted: dict[str, int] = {}
    ids = sorted(holding)
    for start in range(0, len(ids), 400):
        part = ids[start : start + 400]
        asked = select(t.entity_id).where(t.model == model.name, t.entity_id.in_(part))
        for entity_id in connection.execute(asked).scalars():
            counted[holding[entity_id]] = counted.get(holding[entity_id], 0) + 1
    order = [name for name, _ in model.bands]
    return {band: counted[band] for band in [*order, *sorted(set(counted) - set(order))] if band in counted}


def _work(connection: Connection, entity: str, directives: Directives, since_us: int, now_us: int) -> Work:
    columns = (notes.c.entity_id, notes.c.kind, notes.c.word, notes.c.event_at)
    told = (notes.c.entity == entity, notes.c.known_at >= since_us, notes.c.known_at <= now_us)
    asked = select(*columns).where(*told).order_by(notes.c.entity_id, notes.c.event_at)
    work = Work()
    actions: dict[str, int] = {}
    outcomes: dict[str, int] = {}
    for entity_id, of_it in _grouped(connection.execute(asked)):
        if directives.may_not_score(entity, entity_id):
            continue
        first = min((at for kind, _, at in of_it if kind == ACTION), default=None)
        work.acted += first is not None
        for kind, word, _ in of_it:
            counted = actions if kind == ACTION else outcomes
            counted[word] = counted.get(word, 0) + 1
        if first is not None:
            for word in {word for kind, word, at in of_it if kind == OUTCOME and at >= first}:
                work.after[word] = work.after.get(word, 0) + 1
    work.actions, work.outcomes, work.after = map(_by_frequency, (actions, outcomes, work.after))
    return work


def _grouped(rows: Iterable[Any]) -> Iterable[tuple[str, list[tuple[str, str, int]]]]:
    held: str | None = None
    of_it: list[tuple[str, str, int]] = []
    for entity_id, kind, word, at in rows:
        if entity_id != held:
            if held is not None:
                yield held, of_it
            held, of_it = entity_id, []
        of_it.append((kind, word, at))
    if held is not None:
        yield held, of_it


def _by_frequency(counted: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(counted.items(), key=lambda pair: (-pair[1], pair[0])))


__all__ = ["MOVED", "WORK_DAYS", "Segment", "Summary", "Sums", "Work", "summary"]
