"""Windows over events, for many `as_of` in one pass: what is measured of the entity itself.

Events are rolled up once to cells of (entity, week, week in which they became visible), and each cell is handed to the at
most twelve weeks of `as_of` that can see it (`features.panel.week_grid`). Dates off the lattice get a lattice of their own
(`features.panel.build`), so any date is exact. Measures over members are in `features.panel.distinct_windows`.
"""

from __future__ import annotations

import narwhals as nw

from features.panel.distinct_windows import member_frames
from features.panel.engines import Engine, How
from features.panel.week_grid import KEYS, Frame, Lattice, Memory, as_int, bits_of, per_as_of, within
from features.signals.aggregations import (
    DAY_US,
    WEEK_US,
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
    late: Frame,
    table: str,
    wanted: Wanted,
    lattice: Lattice,
    memory: Memory | None = None,
) -> list[Frame]:
    """Frames keyed by (entity_id, as_of_us) that hold the wanted columns of one event table.

    `events` has entity_id, event_us, visible_us and the table's columns; rows without an entity are left out. `late` has at
    least those of them that became known after the week in which they happened. With a `memory` that has a state, only the
    last window and the rows known since then are needed.
    """
    rows, late = _placed(events, lattice), _placed(late, lattice)
    late = late.filter(nw.col("seen") > nw.col("week"))
    reach, epochs = engine.small(lattice.reach()), engine.small(lattice.epochs())
    return [
        *_by_entity(engine, rows, table, wanted, reach, epochs, lattice.anchor, memory),
        *member_frames(engine, rows, late, table, wanted, lattice, reach, epochs, memory),
    ]


def _placed(events: Frame, lattice: Lattice) -> Frame:
    """The events that the last `as_of` can see, with the week in which they happened and the week in which they were seen."""
    rows = events.filter(~nw.col("entity_id").is_null()).filter(nw.col("visible_us") < lattice.as_ofs[-1])
    return rows.with_columns(
        week=(nw.col("event_us") - lattice.anchor) // WEEK_US, seen=(nw.col("visible_us") - lattice.anchor) // WEEK_US
    )


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
        values[f"sum__{measure.name}"] = as_int(measure.value())
    for measure in bounds:
        assert isinstance(measure, Latest)
        values[f"{'min' if isinstance(measure, Earliest) else 'max'}__{measure.name}"] = chosen(
            measure.value() > 0, nw.col("event_us")
        )
    day = (nw.col("event_us") - anchor) // DAY_US - nw.col("week") * 7
    for number, value in enumerate(by_value):
        values[f"bit__days{number}"] = chosen(value() > 0, day)
    cells = engine.roll_up(
        rows.with_columns(**values),
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
        spread = cells.join(reach, on="week", how="inner").filter(nw.col("seen") < nw.col("k"))
        frames.append(per_as_of(spread, plan))
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
        ends = engine.keep(ends.with_columns(*[as_int(nw.col(name)) for name in how]))
        frames.append(ends)
        if memory:
            memory.after[f"{table}_ends"] = ends.select("entity_id", *how)
    for number, measures in enumerate(by_value.values()):
        frames += _daily(cells, number, measures, wanted, reach)
    return frames


def _daily(cells: Frame, number: int, measures: list[ActiveDays], wanted: Wanted, reach: Frame) -> list[Frame]:
    """Measures of active days: per (entity, week) the week in which each of its 7 days was first seen active."""
    days = [f"d{i}" for i in range(7)]
    bits = nw.col(f"bit__days{number}")
    flags = cells.with_columns(**{d: chosen(bits_of(bits, 2**i, 1) == 1, nw.col("seen")) for i, d in enumerate(days)})
    first_seen = flags.group_by("entity_id", "week").agg(*[nw.col(d).min() for d in days])
    spread = first_seen.join(reach, on="week", how="inner").with_columns(
        **{d: where(nw.col(d) < nw.col("k")) for d in days}
    )
    spread = spread.with_columns(active=nw.sum_horizontal(*days)).filter(nw.col("active") > 0)
    plan: dict[str, nw.Expr] = {}
    for measure in measures:
        for window in sorted(wanted.windows.get(measure, ())):
            counted = nw.lit(1, nw.Int64) if isinstance(measure, ActiveWeeks) else nw.col("active")
            plan[window_column(measure, window)] = within(window, counted)
    frames = [per_as_of(spread, plan)] if plan else []
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
        as_int(nw.max_horizontal(nw.col("gap"), nw.col("k") * 7 - 1 - nw.col("last"))).alias(name)
    ).select(*KEYS, name)
