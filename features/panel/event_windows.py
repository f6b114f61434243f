"""Counts, sums and active days over windows of events, for many `as_of` in one pass.

Events are rolled up once to cells of (entity, week, week in which they became visible), and each cell is handed to the at
most twelve weeks of `as_of` that can see it (`features.panel.week_grid`). Dates off the lattice get a lattice of their own
(`features.panel.build`), so any date is exact. Measures over members are in `features.panel.distinct_windows`.
"""

from __future__ import annotations

import narwhals as nw

from features.panel.distinct_windows import member_frames
from features.panel.engines import Engine, How
from features.panel.week_grid import KEYS, Frame, Lattice, Memory, as_int, bit_patterns, per_as_of, seen_by, within
from features.signals.aggregations import (
    ActiveDays,
    ActiveWeeks,
    Earliest,
    Latest,
    LongestSilence,
    Measure,
    Newcomers,
    Total,
    Value,
    Wanted,
    base_column,
    chosen,
    weighted_column,
    where,
    window_column,
)

_HOW: dict[str, How] = {"sum": "sum", "min": "min", "max": "max", "bit": "bits"}

LIFETIME = (Latest, Earliest, Newcomers)
"""Measures that reach further back than a window."""


def window_frames(
    engine: Engine,
    events: Frame,
    late: Frame | None,
    table: str,
    wanted: Wanted,
    lattice: Lattice,
    memory: Memory | None = None,
) -> list[Frame]:
    """Frames keyed by (entity_id, as_of_us) that hold the wanted columns of one event table.

    `events` has the table's columns and those of `features.panel.placement.events`; `late` has those that became known after the
    week in which they happened, None where nothing is measured of members (`has_members`). With a `memory` that has a state,
    only the last window and the rows known since then are needed.
    """
    reach, epochs = engine.small(lattice.reach()), engine.small(lattice.epochs())
    frames = _by_entity(engine, events, table, wanted, reach, epochs, memory)
    if late is not None:
        frames += member_frames(engine, events, late, table, wanted, lattice, reach, epochs, memory)
    return frames


def _by_entity(
    engine: Engine,
    rows: Frame,
    table: str,
    wanted: Wanted,
    reach: Frame,
    epochs: Frame,
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
        values[f"sum__{measure.name}"] = as_int(measure.value())
    for measure in bounds:
        assert isinstance(measure, Latest)
        values[f"{'min' if isinstance(measure, Earliest) else 'max'}__{measure.name}"] = chosen(
            measure.value() > 0, nw.col("event_us")
        )
    for number, value in enumerate(by_value):
        values[f"bit__days{number}"] = chosen(value() > 0, nw.col("day"))
    cells = engine.roll_up(
        rows.select("entity_id", "week", "seen", **values),
        ("entity_id", "week", "seen"),
        {name: _HOW[name[:3]] for name in values},
    )
    cells = engine.keep(cells)
    frames = []
    if totals:
        plan = {}
        for measure in totals:
            summed = nw.col(f"sum__{measure.name}")
            for window in sorted(wanted.windows.get(measure, ())):
                plan[window_column(measure, window)] = within(window, summed)
            for weight in sorted(wanted.weighted.get(measure, ())):
                plan[weighted_column(measure, weight)] = summed * nw.col(weight)
        frames.append(per_as_of(engine, seen_by(engine, cells, reach, "week"), plan))
    if bounds:
        names = {f"{table}__{n[5:]}": n for n in values if n[5:] in {m.name for m in bounds} and n[:3] != "sum"}
        how: dict[str, How] = {name: _HOW[n[:3]] for name, n in names.items()}
        ends = seen_by(engine, cells, epochs).select(*KEYS, **{name: nw.col(n) for name, n in names.items()})
        carried = memory.before(f"{table}_ends") if memory else None
        if carried is not None:
            ends = nw.concat([ends, engine.joined(carried, epochs).select(*KEYS, *how)], how="vertical")
        ends = engine.keep(engine.roll_up(ends, KEYS, how))
        frames.append(ends)
        if memory:
            memory.after[f"{table}_ends"] = ends.select("entity_id", *how)
    for number, measures in enumerate(by_value.values()):
        frames += _daily(engine, cells, number, measures, wanted, reach)
    return frames


def _daily(
    engine: Engine, cells: Frame, number: int, measures: list[ActiveDays], wanted: Wanted, reach: Frame
) -> list[Frame]:
    """Measures of active days: per (entity, week) the week in which each of its 7 days was first seen active."""
    days, bits = [f"d{i}" for i in range(7)], f"bit__days{number}"
    patterns = engine.small(bit_patterns(bits, 7, {d: (i, i + 1, False) for i, d in enumerate(days)}))
    flags = engine.joined(cells, patterns, bits)
    flags = flags.select("entity_id", "week", **{d: chosen(nw.col(d) == 1, nw.col("seen")) for d in days})
    first_seen = engine.roll_up(flags, ("entity_id", "week"), dict.fromkeys(days, "min"))
    spread = engine.joined(first_seen, reach, "week")
    spread = spread.select(*KEYS, "week", "k", "age", **{d: where(nw.col(d) < nw.col("k")) for d in days})
    spread = engine.keep(spread.with_columns(active=nw.sum_horizontal(*days)).filter(nw.col("active") > 0))
    plan: dict[str, nw.Expr] = {}
    for measure in measures:
        for window in sorted(wanted.windows.get(measure, ())):
            counted = nw.lit(1, nw.Int64) if isinstance(measure, ActiveWeeks) else nw.col("active")
            plan[window_column(measure, window)] = within(window, counted)
    frames = [per_as_of(engine, spread, plan)] if plan else []
    for measure in measures:
        if isinstance(measure, LongestSilence):
            frames.append(_silence(engine, spread, days, base_column(measure)))
    return frames


def _silence(engine: Engine, spread: Frame, days: list[str], name: str) -> Frame:
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
    ends = engine.roll_up(frame, (*KEYS, "k"), {"gap": "max", "last": "max"})
    longest = as_int(nw.max_horizontal(nw.col("gap"), nw.col("k") * 7 - 1 - nw.col("last")))
    return ends.select(*KEYS, **{name: longest})
