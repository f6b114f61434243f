"""Facts that change, as they were known at each `as_of`.

`features.sources.source` gives every version row the interval of `as_of` in which it is the newest known state of its key, so the
state at a moment is a comparison of integers: `from_us < as_of <= until_us`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import narwhals as nw

from features.kit.clock import DAY_US
from features.panel.engines import Engine, How
from features.signals.aggregations import State, state_column

Frame = nw.LazyFrame[Any]
Asked = tuple[State, int]
"""What is measured, and how many days before `as_of`."""


def moments_of(as_ofs: Sequence[int], agos: Iterable[int]) -> list[tuple[int, int, int]]:
    """All pairs as (as_of, the moment `ago` days before it, ago)."""
    return [(as_of, as_of - ago * DAY_US, ago) for ago in sorted(set(agos)) for as_of in as_ofs]


def states_at(engine: Engine, versions: Frame, as_ofs: Sequence[int], agos: Iterable[int]) -> Frame:
    """The version rows in force `ago` days before each `as_of`; `as_of_us` is that moment, `epoch_us` the `as_of`."""
    epochs, moments, days = zip(*moments_of(as_ofs, agos), strict=True)
    rows = engine.joined(versions, engine.small({"epoch_us": epochs, "as_of_us": moments, "ago": days}))
    return rows.filter((nw.col("from_us") < nw.col("as_of_us")) & (nw.col("until_us") >= nw.col("as_of_us")))


def state_frames(
    engine: Engine, versions: Frame, measures: Iterable[Asked], as_ofs: Sequence[int], apart: bool = False
) -> list[Frame]:
    """Frames keyed by (entity_id, as_of_us) with the wanted state columns of one table.

    `versions` has entity_id, never null, and the table's columns. All moments are computed in one pass, in which a sum
    over things that an entity had only at another moment is 0. `apart` makes one pass per moment, without such rows.
    """
    asked = list(measures)
    agos = sorted({ago for _, ago in asked})
    groups = [[ago] for ago in agos] if apart else [agos] if agos else []
    return [f for group in groups for f in _frames(engine, versions, [a for a in asked if a[1] in group], as_ofs)]


def _frames(engine: Engine, versions: Frame, asked: list[Asked], as_ofs: Sequence[int]) -> list[Frame]:
    agos = {ago for _, ago in asked}
    rows = states_at(engine, versions, as_ofs, agos)

    def value(measure: State, ago: int) -> nw.Expr:
        found = measure.value()
        return found if len(agos) == 1 else nw.when(nw.col("ago") == ago).then(found)

    keys = ("entity_id", "as_of_us")
    frames = []
    for measure, ago in asked:
        if measure.how == "distinct":
            name = state_column(measure, ago)
            once = {name: nw.lit(1, nw.Int64)}
            # Nulls go first: a distinct count that takes null for a value differs between engines.
            values = rows.select("entity_id", as_of_us=nw.col("epoch_us"), value=value(measure, ago), **once)
            values = values.filter(~nw.col("value").is_null())
            frames.append(engine.roll_up(engine.roll_up(values, (*keys, "value"), {name: "max"}), keys, {name: "sum"}))
    plan: dict[str, nw.Expr] = {}
    how: dict[str, How] = {}
    for measure, ago in sorted(asked, key=lambda a: (a[1], a[0].name)):
        if measure.how != "distinct":
            name = state_column(measure, ago)
            plan[name], how[name] = value(measure, ago), measure.how
    if plan:
        rows = rows.select("entity_id", as_of_us=nw.col("epoch_us"), **plan)
        frames.append(engine.roll_up(rows, keys, how))
    return frames
