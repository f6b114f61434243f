"""Distinct counts over windows: users, features used, people in contact.

Distinct counts cannot be summed over weeks. So each (entity, member) gets one integer per 52 weeks with a bit for every
active week (`Engine.roll_up`): a panel of 24 dates reads the events once, and a window is a division and a remainder.
Late rows set no bit; the few members that only a late row shows are counted one by one (`_late`).
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce

import narwhals as nw

from features.kit.clock import WEEK_US
from features.panel.engines import WORD_BITS, Engine, How, Integers
from features.panel.week_grid import (
    KEYS,
    Frame,
    Lattice,
    Memory,
    as_int,
    bit_patterns,
    in_window,
    low_bits,
    per_as_of,
    seen_by,
    sums,
    within,
)
from features.signals.aggregations import (
    DEPTH_WEEKS,
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

_MEMBER = ("entity_id", "member")


def _measures(table: str, wanted: Wanted) -> list[Distinct]:
    kinds = (Distinct, MemberWeeks, Peak, Newcomers, LostLeader)
    return [m for kind in kinds for m in wanted.of(kind, table) if isinstance(m, Distinct)]


def has_members(table: str, wanted: Wanted) -> bool:
    """Whether any measure of the table counts members."""
    return bool(_measures(table, wanted))


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
    for measure in _measures(table, wanted):
        groups.setdefault((measure.member, measure.value), []).append(measure)
    late = engine.keep(late)
    frames: list[Frame] = []
    for (member, value), measures in groups.items():

        def members(events: Frame, member: str = member, value: Value = value) -> Frame:
            columns = ("entity_id", "week", "seen", "visible_us")
            kept = events.select(*columns, member=nw.col(member), counted=as_int(value()))
            return kept.filter(~nw.col("member").is_null() & (nw.col("counted") > 0))

        kept, kept_late = members(rows), members(late)
        mins: dict[str, How] = {"visible_us": "min"} if any(isinstance(m, Newcomers) for m in measures) else {}
        counting = [m for m in measures if isinstance(m, (Peak, LostLeader))]
        if counting:
            # What counts events needs cells of (entity, member, week); the bits are then read off the smaller cells.
            timely = kept.with_columns(on_time=where(nw.col("seen") == nw.col("week")) * nw.col("counted"))
            kept = engine.keep(engine.roll_up(timely, (*_MEMBER, "week"), {"seen": "min", "on_time": "sum", **mins}))
            frames += [_COUNTING[type(m)](engine, kept, kept_late, m, reach) for m in counting]
        words = lattice.words()
        bits = {f"bits{word}": _week_in(start) for word, start in words.items()}
        masks = engine.roll_up(kept.with_columns(**bits), _MEMBER, {**dict.fromkeys(bits, "bits"), **mins})
        masks = engine.keep(masks)
        counted = [m for m in measures if isinstance(m, MemberWeeks) or type(m) is Distinct]
        if counted:
            patterns = engine.small(_patterns(counted, wanted))
            punctual = _punctual(engine, masks, counted, wanted, epochs, words, patterns)
            also = _late(engine, masks, kept_late, counted, wanted, reach, words, patterns)
            found = nw.concat([punctual, also], how="vertical")
            names = [window_column(m, w) for m in counted for w in sorted(wanted.windows[m])]
            frames.append(engine.roll_up(found, KEYS, dict.fromkeys(names, "sum")))
        frames += [
            _newcomers(engine, masks, m, wanted, lattice, reach, memory) for m in measures if isinstance(m, Newcomers)
        ]
    return frames


def _week_in(start: int) -> nw.Expr:
    """Bit position of the week in the word that begins with week `start`; null outside of the word and for late
    rows."""
    place = nw.col("week") - start
    return chosen((nw.col("seen") == nw.col("week")) & (place >= 0) & (place < WORD_BITS), place)


def _with_bits(spread: Frame, words: Iterable[int]) -> Frame:
    """The 12 weeks before `as_of` as bits, the newest the highest."""
    first, *others = words

    def held(ahead: int) -> nw.Expr:
        return reduce(
            lambda found, word: nw.when(nw.col("word") == word - ahead).then(nw.col(f"bits{word}")).otherwise(found),
            others,
            nw.col(f"bits{first}"),
        )

    if not others:
        spread = spread.with_columns(here=nw.col(f"bits{first}") // nw.col("divisor"))
        return spread.with_columns(bits=as_int(low_bits(nw.col("here"), 2**DEPTH_WEEKS)))
    # Weeks that lie in the next word; where there are none, nothing is left below `rest`, which is 1.
    spread = spread.with_columns(here=held(0), ahead=held(1)).with_columns(here=nw.col("here") // nw.col("divisor"))
    ahead = low_bits(nw.col("ahead"), nw.col("rest")) * nw.col("scale")
    return spread.with_columns(bits=as_int(low_bits(nw.col("here"), 2**DEPTH_WEEKS) + ahead))


def _pattern(measure: Distinct, window: tuple[int, int]) -> str:
    """Column of `_patterns`: 1 when a week of the window is active and else 0, or the number of active weeks."""
    return f"{'weeks' if isinstance(measure, MemberWeeks) else 'active'}{window[0]}_{window[1]}"


def _patterns(measures: list[Distinct], wanted: Wanted) -> dict[str, Integers]:
    return bit_patterns(
        "bits",
        DEPTH_WEEKS,
        {
            _pattern(m, (begin, end)): (DEPTH_WEEKS - end, DEPTH_WEEKS - begin, isinstance(m, MemberWeeks))
            for m in measures
            for begin, end in sorted(wanted.windows[m])
        },
    )


def _punctual(
    engine: Engine,
    masks: Frame,
    measures: list[Distinct],
    wanted: Wanted,
    epochs: Frame,
    words: dict[int, int],
    patterns: Frame,
) -> Frame:
    """What the on-time rows of each member add to each count, per as_of."""
    spread = _with_bits(engine.joined(masks, epochs), words).filter(nw.col("bits") > 0)
    spread = engine.joined(spread.select(*KEYS, "bits"), patterns, "bits")
    plan = {window_column(m, w): nw.col(_pattern(m, w)) for m in measures for w in sorted(wanted.windows[m])}
    return spread.select(*KEYS, **plan)


def _late(
    engine: Engine,
    masks: Frame,
    late: Frame,
    measures: list[Distinct],
    wanted: Wanted,
    reach: Frame,
    words: dict[int, int],
    patterns: Frame,
) -> Frame:
    """The same for late rows: members, and weeks of members, that no on-time row shows."""
    cells = engine.keep(engine.roll_up(late, (*_MEMBER, "week"), {"seen": "min"}))
    seen = seen_by(engine, cells, reach, "week")
    seen = _with_bits(engine.joined(seen, masks, *_MEMBER), words)
    seen = seen.select(*_MEMBER, "as_of_us", "age", "bits", since=nw.col("bits") // nw.col("bit"))
    seen = engine.joined(seen.filter(low_bits(nw.col("since"), 2) == 0), patterns, "bits")
    plan: dict[str, nw.Expr] = {}
    how: dict[str, How] = {}
    for measure in measures:
        for window in sorted(wanted.windows[measure]):
            name = window_column(measure, window)
            here = where(in_window(window))
            if isinstance(measure, MemberWeeks):
                plan[name], how[name] = here, "sum"
            else:
                plan[name], how[name] = here * (1 - nw.col(_pattern(measure, window))), "max"
    keys = (*_MEMBER, "as_of_us")
    return engine.roll_up(seen.select(*keys, **plan), keys, how).select(*KEYS, *plan)


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
    week = (nw.col("visible_us") - lattice.anchor) // WEEK_US
    first = first.select("entity_id", week=week, n=nw.lit(1, nw.Int64))
    weekly = engine.keep(engine.roll_up(first, ("entity_id", "week"), {"n": "sum"}))
    plan = {window_column(measure, w): within(w, nw.col("n")) for w in sorted(wanted.windows[measure])}
    return per_as_of(engine, engine.joined(weekly, reach, "week"), plan)


def _member_events(
    engine: Engine, cells: Frame, late: Frame, reach: Frame, plan: dict[str, nw.Expr], ages: int
) -> Frame:
    """Events per (entity, member, as_of), late ones included once they were known."""
    near = reach.filter(nw.col("age") < ages)
    columns = ("entity_id", "member", "week", "seen")
    punctual = cells.filter(nw.col("on_time") > 0)
    punctual = punctual.select("entity_id", "member", "week", seen=nw.col("week"), n=nw.col("on_time"))
    known_later = sums(engine, late, columns, {"n": nw.col("counted")})
    events = nw.concat([punctual, known_later], how="vertical")
    spread = seen_by(engine, events, near, "week")
    return sums(engine, spread, ("entity_id", "member", "as_of_us"), plan)


def _peak(engine: Engine, cells: Frame, late: Frame, measure: Distinct, reach: Frame) -> Frame:
    name = base_column(measure)
    members = _member_events(engine, cells, late, reach, {name: nw.col("n")}, ages=4)
    return engine.roll_up(members, KEYS, {name: "max"})


def _lost_leader(engine: Engine, cells: Frame, late: Frame, measure: Distinct, reach: Frame) -> Frame:
    name = base_column(measure)
    plan = {"recent": within((0, 4), nw.col("n")), "earlier": within((4, 8), nw.col("n"))}
    members = engine.keep(_member_events(engine, cells, late, reach, plan, ages=8))
    best = engine.roll_up(members, KEYS, {"earlier": "max"}).rename({"earlier": "best"})
    both = engine.joined(members, best, *KEYS)
    left = where((nw.col("earlier") == nw.col("best")) & (nw.col("best") > 0) & (nw.col("recent") == 0))
    return engine.roll_up(both.select(*KEYS, **{name: left}), KEYS, {name: "max"})


_COUNTING = {Peak: _peak, LostLeader: _lost_leader}
