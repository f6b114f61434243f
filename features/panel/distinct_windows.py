"""Windows over the members of an entity: its users, the features they use, the people we meet.

Different members do not add up over weeks. So each (entity, member) gets one integer for 52 weeks, a bit for every week in
which it was active (`Engine.roll_up`): a panel of 24 dates reads the events once, and a window is a division and a
remainder. Late rows set no bit; the few members that only a late row shows are counted one by one (`_late`).
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce

import narwhals as nw

from features.panel.engines import WORD_BITS, Engine, How
from features.panel.week_grid import (
    KEYS,
    Frame,
    Lattice,
    Memory,
    as_int,
    bits_of,
    in_window,
    per_as_of,
    sums,
    within,
)
from features.signals.aggregations import (
    DEPTH_WEEKS,
    WEEK_US,
    Distinct,
    LostLeader,
    MemberWeeks,
    Newcomers,
    Peak,
    Value,
    Wanted,
    base_column,
    chosen,
    where,
    window_column,
)

LATE_SUFFIX = "__late"
"""Column of the correction that late rows make to a count of members; `features.panel.build` adds it."""
_MEMBER = ("entity_id", "member")


def member_frames(
    engine: Engine,
    rows: Frame,
    late: Frame,
    table: str,
    wanted: Wanted,
    lattice: Lattice,
    reach: Frame,
    epochs: Frame,
    memory: Memory | None,
) -> list[Frame]:
    """Frames keyed by (entity_id, as_of_us); measures of the same member and condition share one roll-up."""
    groups: dict[tuple[str, Value], list[Distinct]] = {}
    for kind in (Distinct, MemberWeeks, Peak, Newcomers, LostLeader):
        for measure in wanted.of(kind, table):
            assert isinstance(measure, Distinct)
            groups.setdefault((measure.member, measure.value), []).append(measure)
    if not groups:
        return []
    late = engine.keep(late)
    frames: list[Frame] = []
    for (member, value), measures in groups.items():

        def members(events: Frame, member: str = member, value: Value = value) -> Frame:
            kept = events.with_columns(member=nw.col(member), counted=as_int(value()))
            return kept.filter(~nw.col("member").is_null()).filter(nw.col("counted") > 0)

        kept, kept_late = members(rows), members(late)
        mins: dict[str, How] = {"visible_us": "min"} if any(isinstance(m, Newcomers) for m in measures) else {}
        counting = [m for m in measures if isinstance(m, (Peak, LostLeader))]
        if counting:
            # What counts events needs cells of (entity, member, week); the bits are then read off the smaller cells.
            timely = kept.with_columns(on_time=where(nw.col("seen") == nw.col("week")) * nw.col("counted"))
            kept = engine.keep(engine.roll_up(timely, (*_MEMBER, "week"), {"seen": "min", "on_time": "sum", **mins}))
            frames += [_COUNTING[type(m)](kept, kept_late, m, reach) for m in counting]
        words = lattice.words()
        bits = {f"bits{word}": _week_in(start) for word, start in words.items()}
        masks = engine.roll_up(kept.with_columns(**bits), _MEMBER, {**dict.fromkeys(bits, "bits"), **mins})
        masks = engine.keep(masks)
        counted = [m for m in measures if isinstance(m, MemberWeeks) or type(m) is Distinct]
        if counted:
            frames.append(_punctual(masks, counted, wanted, epochs, words))
            frames.append(_late(masks, kept_late, counted, wanted, reach, words))
        frames += [
            _newcomers(engine, masks, m, wanted, lattice, reach, memory) for m in measures if isinstance(m, Newcomers)
        ]
    return frames


def _week_in(start: int) -> nw.Expr:
    """Place of the week in the word that begins with week `start`, null outside of it and for late rows."""
    place = nw.col("week") - start
    return chosen((nw.col("seen") == nw.col("week")) & (place >= 0) & (place < WORD_BITS), place)


def _bits(words: Iterable[int]) -> nw.Expr:
    """The 12 weeks before `as_of` as bits, the newest the highest."""
    first, *others = words

    def held(ahead: int) -> nw.Expr:
        return reduce(
            lambda found, word: nw.when(nw.col("word") == word - ahead).then(nw.col(f"bits{word}")).otherwise(found),
            others,
            nw.col(f"bits{first}"),
        )

    bits = bits_of(held(0), nw.col("divisor"), DEPTH_WEEKS)
    if others:
        # Weeks that lie in the next word; where there are none, nothing is left below `rest`, which is 1.
        bits = bits + (held(1) - (held(1) // nw.col("rest")) * nw.col("rest")) * nw.col("scale")
    return as_int(bits)


def _active(window: tuple[int, int]) -> nw.Expr:
    """1 when a bit of the window is set, else 0."""
    begin, end = window
    return where(bits_of(nw.col("bits"), 2 ** (DEPTH_WEEKS - end), end - begin) > 0)


def _weeks(window: tuple[int, int]) -> nw.Expr:
    """Number of bits of the window that are set."""
    begin, end = window
    places = range(DEPTH_WEEKS - end, DEPTH_WEEKS - begin)
    return as_int(nw.sum_horizontal(*[bits_of(nw.col("bits"), 2**place, 1) for place in places]))


def _punctual(masks: Frame, measures: list[Distinct], wanted: Wanted, epochs: Frame, words: dict[int, int]) -> Frame:
    spread = masks.join(epochs, how="cross").with_columns(bits=_bits(words)).filter(nw.col("bits") > 0)
    plan = {
        window_column(m, w): _weeks(w) if isinstance(m, MemberWeeks) else _active(w)
        for m in measures
        for w in sorted(wanted.windows[m])
    }
    return per_as_of(spread, plan)


def _late(
    masks: Frame, late: Frame, measures: list[Distinct], wanted: Wanted, reach: Frame, words: dict[int, int]
) -> Frame:
    """Members, and weeks of members, that only a late row shows: their number, to be added to the punctual count."""
    cells = late.group_by(*_MEMBER, "week").agg(nw.col("seen").min())
    seen = cells.join(reach, on="week", how="inner").filter(nw.col("seen") < nw.col("k"))
    seen = seen.join(masks, on=list(_MEMBER), how="inner").with_columns(bits=_bits(words))
    seen = seen.filter(bits_of(nw.col("bits"), nw.col("bit"), 1) == 0)
    plan: dict[str, nw.Expr] = {}
    how: dict[str, str] = {}
    for measure in measures:
        for window in sorted(wanted.windows[measure]):
            name = window_column(measure, window) + LATE_SUFFIX
            here = where(in_window(window))
            if isinstance(measure, MemberWeeks):
                plan[name], how[name] = here, "sum"
            else:
                plan[name], how[name] = here * (1 - _active(window)), "max"
    by_member = (
        seen.with_columns(**plan)
        .group_by(*_MEMBER, "as_of_us")
        .agg(*[getattr(nw.col(name), way)() for name, way in how.items()])
    )
    return per_as_of(by_member, {name: as_int(nw.col(name)) for name in plan})


def _newcomers(
    engine: Engine,
    masks: Frame,
    measure: Newcomers,
    wanted: Wanted,
    lattice: Lattice,
    reach: Frame,
    memory: Memory | None,
) -> Frame:
    columns = (*_MEMBER, "visible_us")
    name = f"{base_column(measure)}_first"
    carried = memory.before(name) if memory else None
    first = masks.select(*columns)
    if carried is not None:
        both = nw.concat([first, carried.select(*columns)], how="vertical")
        first = engine.keep(engine.roll_up(both, _MEMBER, {"visible_us": "min"}))
    if memory:
        memory.after[name] = first
    weekly = first.with_columns(week=(nw.col("visible_us") - lattice.anchor) // WEEK_US, n=nw.lit(1, nw.Int64))
    spread = sums(weekly, ("entity_id", "week"), ["n"]).join(reach, on="week", how="inner")
    return per_as_of(
        spread, {window_column(measure, w): within(w, nw.col("n")) for w in sorted(wanted.windows[measure])}
    )


def _member_events(cells: Frame, late: Frame, reach: Frame, plan: dict[str, nw.Expr], ages: int) -> Frame:
    """Events per (entity, member, as_of), late ones included once they were known."""
    near = reach.filter(nw.col("age") < ages)
    punctual = cells.filter(nw.col("on_time") > 0).with_columns(n=nw.col("on_time"), seen=nw.col("week"))
    known_later = sums(late, (*_MEMBER, "week", "seen"), ["counted"]).with_columns(n=nw.col("counted"))
    columns = ("entity_id", "member", "week", "seen", "n")
    events = nw.concat([punctual.select(*columns), known_later.select(*columns)], how="vertical")
    spread = events.join(near, on="week", how="inner").filter(nw.col("seen") < nw.col("k"))
    return sums(spread.with_columns(**plan), ("entity_id", "member", "as_of_us"), list(plan))


def _peak(cells: Frame, late: Frame, measure: Distinct, reach: Frame) -> Frame:
    name = base_column(measure)
    members = _member_events(cells, late, reach, {name: nw.col("n")}, ages=4)
    return members.group_by(*KEYS).agg(nw.col(name).max()).with_columns(as_int(nw.col(name)))


def _lost_leader(cells: Frame, late: Frame, measure: Distinct, reach: Frame) -> Frame:
    name = base_column(measure)
    plan = {"recent": within((0, 4), nw.col("n")), "earlier": within((4, 8), nw.col("n"))}
    members = _member_events(cells, late, reach, plan, ages=8)
    best = members.group_by(*KEYS).agg(nw.col("earlier").max()).with_columns(best=as_int(nw.col("earlier")))
    both = members.join(best.select(*KEYS, "best"), on=list(KEYS), how="inner")
    lost = both.with_columns(
        **{name: where((nw.col("earlier") == nw.col("best")) & (nw.col("best") > 0) & (nw.col("recent") == 0))}
    )
    return lost.group_by(*KEYS).agg(nw.col(name).max()).with_columns(as_int(nw.col(name)))


_COUNTING = {Peak: _peak, LostLeader: _lost_leader}
