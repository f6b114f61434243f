"""Windows over events, for many `as_of` in one pass.

All `as_of` that lie whole weeks apart share one lattice of weeks, `week = (event_us - anchor) // WEEK`, on which every
window of whole weeks begins and ends. So events are rolled up once to cells of (entity, week) and each cell is handed to
the at most twelve weeks of `as_of` that can see it: `week < k` is exactly `event_time < as_of` for `as_of` number `k`.
Dates off the lattice get a lattice of their own (`features.panel`), so any date is exact.

Late rows: a cell also carries `seen`, the week in which the row became visible; `seen < k` keeps what was not yet
known out. Distinct members do not add up over weeks; what does is the gap to the member's next active week
(`_distinct`), and the few members that only a late row shows are counted one by one (`_late_members`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import narwhals as nw

from features.engines import Engine
from features.measures import (
    DAY_US,
    DEPTH_WEEKS,
    WEEK_US,
    WEIGHTS,
    ActiveDays,
    ActiveWeeks,
    Distinct,
    Earliest,
    Latest,
    LongestSilence,
    LostLeader,
    Measure,
    MemberWeeks,
    Newcomers,
    Peak,
    Total,
    Value,
    Wanted,
    base_column,
    chosen,
    weighted_column,
    where,
    window_column,
)

Frame = nw.LazyFrame[Any]
KEYS = ("entity_id", "as_of_us")


@dataclass(frozen=True)
class Lattice:
    """The `as_of` that are whole weeks apart, as int64 microseconds, ascending."""

    as_ofs: tuple[int, ...]

    @property
    def anchor(self) -> int:
        return self.as_ofs[0] % WEEK_US

    def number(self, as_of: int) -> int:
        return (as_of - self.anchor) // WEEK_US

    def reach(self) -> dict[str, list[int]]:
        """One row per (week, as_of that has it in its 12 weeks), with the age of the week and its weights."""
        columns: dict[str, list[int]] = {
            "week": [],
            "as_of_us": [],
            "k": [],
            "age": [],
            **{name: [] for name in WEIGHTS},
        }
        for as_of in self.as_ofs:
            k = self.number(as_of)
            for age in range(DEPTH_WEEKS):
                row = {"week": k - 1 - age, "as_of_us": as_of, "k": k, "age": age}
                for name, value in (row | {w: table[age] for w, table in WEIGHTS.items()}).items():
                    columns[name].append(value)
        return columns

    def epochs(self) -> dict[str, list[int]]:
        return {"as_of_us": list(self.as_ofs), "k": [self.number(a) for a in self.as_ofs]}


def lattices(as_ofs: Sequence[int]) -> list[Lattice]:
    """Split `as_of` into lattices: one for a weekly or four-weekly grid.

    >>> [len(lattice.as_ofs) for lattice in lattices([0, WEEK_US, 4 * WEEK_US, DAY_US])]
    [3, 1]
    """
    groups: dict[int, list[int]] = {}
    for as_of in sorted(set(as_ofs)):
        groups.setdefault(as_of % WEEK_US, []).append(as_of)
    return [Lattice(tuple(group)) for group in groups.values()]


LIFETIME = (Latest, Earliest, Newcomers)
"""Measures that reach further back than a window."""


@dataclass
class Memory:
    """What is carried from the night before (`features.carried`), and what is to be carried on."""

    before: Callable[[str], Frame | None]
    after: dict[str, Frame]


def window_frames(
    engine: Engine, events: Frame, table: str, wanted: Wanted, lattice: Lattice, memory: Memory | None = None
) -> list[Frame]:
    """Frames keyed by (entity_id, as_of_us) that hold the wanted columns of one event table.

    `events` has entity_id, event_us, visible_us and the table's columns; rows without an entity are left out. With a
    `memory` that has a state, only the last window and the rows known since then are needed.
    """
    last, first = lattice.as_ofs[-1], lattice.as_ofs[0]
    rows = events.filter(~nw.col("entity_id").is_null()).filter(nw.col("visible_us") < last)
    if not any(wanted.of(kind, table) for kind in LIFETIME):
        rows = rows.filter(nw.col("event_us") >= first - DEPTH_WEEKS * WEEK_US)
    rows = rows.with_columns(
        week=(nw.col("event_us") - lattice.anchor) // WEEK_US, seen=(nw.col("visible_us") - lattice.anchor) // WEEK_US
    )
    reach, epochs = engine.small(lattice.reach()), engine.small(lattice.epochs())
    return [
        *_by_entity(engine, rows, table, wanted, reach, epochs, lattice.anchor, memory),
        *_by_member(engine, rows, table, wanted, reach, lattice.anchor, memory),
    ]


def _int(expression: nw.Expr) -> nw.Expr:
    # DuckDB sums integers to HUGEINT; all engines agree on int64.
    return expression.cast(nw.Int64)


def _sums(frame: Frame, keys: Sequence[str], names: Sequence[str]) -> Frame:
    return frame.group_by(*keys).agg(*[nw.col(n).sum() for n in names]).with_columns(*[_int(nw.col(n)) for n in names])


def _in_window(window: tuple[int, int]) -> nw.Expr:
    return (nw.col("age") >= window[0]) & (nw.col("age") < window[1])


def _within(window: tuple[int, int], value: nw.Expr) -> nw.Expr:
    return nw.when(_in_window(window)).then(value).otherwise(nw.lit(0, nw.Int64))


def _windows(spread: Frame, plan: dict[str, nw.Expr]) -> Frame:
    """Sum conditional columns over what each (entity, as_of) reaches."""
    return _sums(spread.with_columns(**plan), KEYS, list(plan))


def _by_entity(
    engine: Engine,
    rows: Frame,
    table: str,
    wanted: Wanted,
    reach: Frame,
    epochs: Frame,
    anchor: int,
    memory: Memory | None,
) -> list[Frame]:
    totals: list[Measure] = wanted.of(Total, table)
    bounds: list[Measure] = [*wanted.of(Latest, table), *wanted.of(Earliest, table)]
    daily = [m for kind in (ActiveDays, ActiveWeeks, LongestSilence) for m in wanted.of(kind, table)]
    by_value: dict[Value, list[ActiveDays]] = {}
    for measure in daily:
        assert isinstance(measure, ActiveDays)
        by_value.setdefault(measure.value, []).append(measure)
    if not (totals or bounds or daily):
        return []
    values: dict[str, nw.Expr] = {}
    for measure in totals:
        assert isinstance(measure, Total)
        values[f"sum__{measure.name}"] = _int(measure.value())
    for measure in bounds:
        assert isinstance(measure, Latest)
        values[f"{'min' if isinstance(measure, Earliest) else 'max'}__{measure.name}"] = chosen(
            measure.value() > 0, nw.col("event_us")
        )
    for number, value in enumerate(by_value):
        day = (nw.col("event_us") - anchor) // DAY_US - nw.col("week") * 7
        for i in range(7):
            values[f"max__day{number}_{i}"] = where((value() > 0) & (day == i))
    aggregates = [getattr(nw.col(name), name[:3])() for name in values]
    cells = rows.with_columns(**values).group_by("entity_id", "week", "seen").agg(*aggregates)
    cells = engine.keep(cells.with_columns(*[_int(nw.col(name)) for name in values]))
    frames = []
    if totals:
        plan = {}
        for measure in totals:
            summed = nw.col(f"sum__{measure.name}")
            for window in sorted(wanted.windows.get(measure, ())):
                plan[window_column(measure, window)] = _within(window, summed)
            for weight in sorted(wanted.weighted.get(measure, ())):
                plan[weighted_column(measure, weight)] = summed * nw.col(weight)
        spread = cells.join(reach, on="week", how="inner").filter(nw.col("seen") < nw.col("k"))
        frames.append(_windows(spread, plan))
    if bounds:
        names = [name for name in values if name[5:] in {m.name for m in bounds} and name[:3] != "sum"]
        by_seen = cells.group_by("entity_id", "seen").agg(*[getattr(nw.col(n), n[:3])() for n in names])
        visible = by_seen.join(epochs, how="cross").filter(nw.col("seen") < nw.col("k"))
        how = {f"{table}__{n[5:]}": n[:3] for n in names}
        ends = visible.with_columns(**{f"{table}__{n[5:]}": nw.col(n) for n in names}).select(*KEYS, *how)
        carried = memory.before(f"{table}_ends") if memory else None
        if carried is not None:
            ends = nw.concat([ends, carried.join(epochs, how="cross").select(*KEYS, *how)], how="vertical")
        ends = ends.group_by(*KEYS).agg(*[getattr(nw.col(name), way)() for name, way in how.items()])
        ends = engine.keep(ends.with_columns(*[_int(nw.col(name)) for name in how]))
        frames.append(ends)
        if memory:
            memory.after[f"{table}_ends"] = ends.select("entity_id", *how)
    for number, measures in enumerate(by_value.values()):
        frames += _daily(cells, number, measures, wanted, reach)
    return frames


def _daily(cells: Frame, number: int, measures: list[ActiveDays], wanted: Wanted, reach: Frame) -> list[Frame]:
    """Measures of active days: per (entity, week) the week in which each of its 7 days was first seen active."""
    days = [f"d{i}" for i in range(7)]
    flags = cells.with_columns(
        **{d: chosen(nw.col(f"max__day{number}_{i}") == 1, nw.col("seen")) for i, d in enumerate(days)}
    )
    first_seen = flags.group_by("entity_id", "week").agg(*[nw.col(d).min() for d in days])
    spread = first_seen.join(reach, on="week", how="inner").with_columns(
        **{d: where(nw.col(d) < nw.col("k")) for d in days}
    )
    spread = spread.with_columns(active=nw.sum_horizontal(*days)).filter(nw.col("active") > 0)
    plan: dict[str, nw.Expr] = {}
    for measure in measures:
        for window in sorted(wanted.windows.get(measure, ())):
            counted = nw.lit(1, nw.Int64) if isinstance(measure, ActiveWeeks) else nw.col("active")
            plan[window_column(measure, window)] = _within(window, counted)
    frames = [_windows(spread, plan)] if plan else []
    for measure in measures:
        if isinstance(measure, LongestSilence):
            frames.append(_silence(spread, days, base_column(measure)))
    return frames


def _silence(spread: Frame, days: list[str], name: str) -> Frame:
    """Longest run of days without an event between active days, and from the last one to `as_of`."""
    none = nw.lit(-1, nw.Int64)
    frame = spread.with_columns(
        last=nw.when(nw.col(days[0]) == 1).then(nw.lit(0, nw.Int64)).otherwise(none), gap=nw.lit(0, nw.Int64)
    ).with_columns(first=nw.col("last"))
    for i, day in enumerate(days[1:], start=1):
        here, now = nw.col(day) == 1, nw.lit(i, nw.Int64)
        frame = frame.with_columns(
            gap=nw.when(here & (nw.col("last") >= 0))
            .then(nw.max_horizontal("gap", now - nw.col("last") - 1))
            .otherwise(nw.col("gap")),
            first=nw.when(here & (nw.col("first") < 0)).then(now).otherwise(nw.col("first")),
            last=nw.when(here).then(now).otherwise(nw.col("last")),
        )
    frame = frame.with_columns(first=nw.col("first") + nw.col("week") * 7, last=nw.col("last") + nw.col("week") * 7)
    frame = frame.with_columns(before=nw.col("last").shift(1).over(*KEYS, order_by="week"))
    frame = frame.with_columns(
        gap=nw.when(nw.col("before").is_null())
        .then(nw.col("gap"))
        .otherwise(nw.max_horizontal("gap", nw.col("first") - nw.col("before") - 1))
    )
    ends = frame.group_by(*KEYS, "k").agg(nw.col("gap").max(), nw.col("last").max())
    return ends.with_columns(
        _int(nw.max_horizontal(nw.col("gap"), nw.col("k") * 7 - 1 - nw.col("last"))).alias(name)
    ).select(*KEYS, name)


def _by_member(
    engine: Engine, rows: Frame, table: str, wanted: Wanted, reach: Frame, anchor: int, memory: Memory | None
) -> list[Frame]:
    """Measures over members; those of the same member and condition share one roll-up."""
    groups: dict[tuple[str, Value], list[Distinct]] = {}
    for kind in (Distinct, MemberWeeks, Peak, Newcomers, LostLeader):
        for measure in wanted.of(kind, table):
            assert isinstance(measure, Distinct)
            groups.setdefault((measure.member, measure.value), []).append(measure)
    frames: list[Frame] = []
    for (member, value), measures in groups.items():
        kept = rows.with_columns(member=nw.col(member), counted=_int(value()))
        kept = kept.filter(~nw.col("member").is_null()).filter(nw.col("counted") > 0)
        # Only what some measure needs: each column of the largest roll-up costs a pass over every event.
        columns = {"seen": "min"}
        if any(isinstance(m, (Peak, LostLeader)) for m in measures):
            kept = kept.with_columns(on_time=where(nw.col("seen") == nw.col("week")) * nw.col("counted"))
            columns["on_time"] = "sum"
        if any(isinstance(m, Newcomers) for m in measures):
            columns["visible_us"] = "min"
        cells = kept.group_by("entity_id", "member", "week").agg(
            *[getattr(nw.col(n), how)() for n, how in columns.items()]
        )
        cells = engine.keep(cells.with_columns(*[_int(nw.col(n)) for n in columns]))
        handlers: dict[type[Distinct], Callable[[Distinct], list[Frame]]] = {
            Distinct: lambda m, cells=cells: _distinct(engine, cells, m, wanted, reach),  # type: ignore[misc]
            MemberWeeks: lambda m, cells=cells: [_member_weeks(cells, m, wanted, reach)],  # type: ignore[misc]
            Newcomers: lambda m, cells=cells: [_newcomers(engine, cells, m, wanted, reach, anchor, memory)],  # type: ignore[misc]
            Peak: lambda m, cells=cells, kept=kept: [_peak(cells, kept, m, reach)],  # type: ignore[misc]
            LostLeader: lambda m, cells=cells, kept=kept: [_lost_leader(cells, kept, m, reach)],  # type: ignore[misc]
        }
        for measure in measures:
            frames += handlers[type(measure)](measure)
    return frames


LATE_SUFFIX = "__late"
"""Column of the correction that late rows make to a distinct count; `features.panel` adds it."""


def _distinct(engine: Engine, cells: Frame, measure: Measure, wanted: Wanted, reach: Frame) -> list[Frame]:
    """Count a member once per window: in its last active week there, the one whose next active week lies after it."""
    windows = sorted(wanted.windows[measure])
    far = 10 * DEPTH_WEEKS
    punctual = cells.filter(nw.col("seen") == nw.col("week"))
    gaps = punctual.with_columns(
        gap=nw.col("week").shift(-1).over("entity_id", "member", order_by="week") - nw.col("week")
    )
    gaps = gaps.with_columns(gap=nw.when(nw.col("gap") < far).then(nw.col("gap")).otherwise(nw.lit(far, nw.Int64)))
    counts = gaps.with_columns(n=nw.lit(1, nw.Int64)).group_by("entity_id", "week", "gap").agg(nw.col("n").sum())
    spread = counts.with_columns(_int(nw.col("n"))).join(reach, on="week", how="inner")
    plan = {
        window_column(measure, w): nw.when(_in_window(w) & (nw.col("age") - nw.col("gap") < w[0]))
        .then(nw.col("n"))
        .otherwise(nw.lit(0, nw.Int64))
        for w in windows
    }
    return [_windows(spread, plan), _late_members(engine, cells, measure, windows, reach)]


def _late_members(
    engine: Engine, cells: Frame, measure: Measure, windows: list[tuple[int, int]], reach: Frame
) -> Frame:
    """Members in windows where only a late row shows them: their number, to be added to the punctual count."""
    late = cells.filter(nw.col("seen") > nw.col("week")).join(reach, on="week", how="inner")
    late = late.filter(nw.col("seen") < nw.col("k"))
    affected = late.group_by("entity_id", "member", "as_of_us", "k").agg(nw.col("age").min())
    affected = engine.keep(affected.select("entity_id", "member", "as_of_us", "k"))
    every = affected.join(cells, on=["entity_id", "member"], how="inner")
    every = every.with_columns(age=nw.col("k") - 1 - nw.col("week")).filter(
        (nw.col("age") >= 0) & (nw.col("age") < DEPTH_WEEKS) & (nw.col("seen") < nw.col("k"))
    )
    names = {w: window_column(measure, w) + LATE_SUFFIX for w in windows}
    flags = {f"all{n}": where(_in_window(w)) for n, w in enumerate(windows)}
    flags |= {f"punctual{n}": where(_in_window(w) & (nw.col("seen") == nw.col("week"))) for n, w in enumerate(windows)}
    seen = (
        every.with_columns(**flags).group_by("entity_id", "member", "as_of_us").agg(*[nw.col(f).max() for f in flags])
    )
    plan = {name: _int(nw.col(f"all{n}") - nw.col(f"punctual{n}")) for n, name in enumerate(names.values())}
    return _windows(seen, plan)


def _counted(cells: Frame, *keys: str) -> Frame:
    counts = cells.with_columns(n=nw.lit(1, nw.Int64)).group_by(*keys).agg(nw.col("n").sum())
    return counts.with_columns(_int(nw.col("n")))


def _member_weeks(cells: Frame, measure: Measure, wanted: Wanted, reach: Frame) -> Frame:
    spread = _counted(cells, "entity_id", "week", "seen").join(reach, on="week", how="inner")
    spread = spread.filter(nw.col("seen") < nw.col("k"))
    return _windows(
        spread, {window_column(measure, w): _within(w, nw.col("n")) for w in sorted(wanted.windows[measure])}
    )


def _newcomers(
    engine: Engine, cells: Frame, measure: Measure, wanted: Wanted, reach: Frame, anchor: int, memory: Memory | None
) -> Frame:
    columns = ("entity_id", "member", "visible_us")
    name = f"{base_column(measure)}_first"
    carried = memory.before(name) if memory else None
    known = cells.select(*columns)
    if carried is not None:
        known = nw.concat([known, carried.select(*columns)], how="vertical")
    first = known.group_by("entity_id", "member").agg(nw.col("visible_us").min())
    first = engine.keep(first.with_columns(_int(nw.col("visible_us"))))
    if memory:
        memory.after[name] = first
    weekly = first.with_columns(week=(nw.col("visible_us") - anchor) // WEEK_US)
    spread = _counted(weekly, "entity_id", "week").join(reach, on="week", how="inner")
    return _windows(
        spread, {window_column(measure, w): _within(w, nw.col("n")) for w in sorted(wanted.windows[measure])}
    )


def _member_events(cells: Frame, kept: Frame, reach: Frame, plan: dict[str, nw.Expr], ages: int) -> Frame:
    """Events per (entity, member, as_of), late ones included once they were known."""
    near = reach.filter(nw.col("age") < ages)
    punctual = cells.filter(nw.col("on_time") > 0).with_columns(n=nw.col("on_time"), seen=nw.col("week"))
    late = (
        kept.filter(nw.col("seen") > nw.col("week"))
        .group_by("entity_id", "member", "week", "seen")
        .agg(nw.col("counted").sum())
    )
    late = late.with_columns(n=_int(nw.col("counted")))
    columns = ("entity_id", "member", "week", "seen", "n")
    events = nw.concat([punctual.select(*columns), late.select(*columns)], how="vertical")
    spread = events.join(near, on="week", how="inner").filter(nw.col("seen") < nw.col("k"))
    return _sums(spread.with_columns(**plan), ("entity_id", "member", "as_of_us"), list(plan))


def _peak(cells: Frame, kept: Frame, measure: Measure, reach: Frame) -> Frame:
    name = base_column(measure)
    members = _member_events(cells, kept, reach, {name: nw.col("n")}, ages=4)
    return members.group_by(*KEYS).agg(nw.col(name).max()).with_columns(_int(nw.col(name)))


def _lost_leader(cells: Frame, kept: Frame, measure: Measure, reach: Frame) -> Frame:
    name = base_column(measure)
    plan = {"recent": _within((0, 4), nw.col("n")), "earlier": _within((4, 8), nw.col("n"))}
    members = _member_events(cells, kept, reach, plan, ages=8)
    best = members.group_by(*KEYS).agg(nw.col("earlier").max()).with_columns(best=_int(nw.col("earlier")))
    both = members.join(best.select(*KEYS, "best"), on=list(KEYS), how="inner")
    lost = both.with_columns(
        **{name: where((nw.col("earlier") == nw.col("best")) & (nw.col("best") > 0) & (nw.col("recent") == 0))}
    )
    return lost.group_by(*KEYS).agg(nw.col(name).max()).with_columns(_int(nw.col(name)))
