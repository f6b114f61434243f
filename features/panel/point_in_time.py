"""Facts that change, as they were known at each `as_of`.

`features.sources.source` gives every version row the interval of `as_of` in which it is the newest known state of its key, so the
state at a moment is a comparison of integers: `from_us < as_of <= until_us`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import narwhals as nw

from features.panel.engines import Engine
from features.signals.aggregations import DAY_US, State, state_column

Frame = nw.LazyFrame[Any]


def states_at(engine: Engine, versions: Frame, as_ofs: Sequence[int], ago: int = 0) -> Frame:
    """The version rows in force `ago` days before each `as_of`; `as_of_us` is that moment, `epoch_us` the `as_of`."""
    moments = [as_of - ago * DAY_US for as_of in as_ofs]
    near = versions.filter((nw.col("from_us") < max(moments)) & (nw.col("until_us") >= min(moments)))
    at = engine.small({"epoch_us": list(as_ofs), "as_of_us": moments})
    rows = near.join(at, how="cross")
    return rows.filter((nw.col("from_us") < nw.col("as_of_us")) & (nw.col("until_us") >= nw.col("as_of_us")))


def state_frames(
    engine: Engine, versions: Frame, measures: Iterable[tuple[State, int]], as_ofs: Sequence[int]
) -> list[Frame]:
    """Frames keyed by (entity_id, as_of_us) with the wanted state columns of one table.

    `versions` has entity_id and the table's columns; rows without an entity are left out.
    """
    by_ago: dict[int, list[State]] = {}
    for measure, ago in measures:
        by_ago.setdefault(ago, []).append(measure)
    frames = []
    for ago, group in sorted(by_ago.items()):
        rows = states_at(engine, versions.filter(~nw.col("entity_id").is_null()), as_ofs, ago)
        for measure in [m for m in group if m.how == "distinct"]:
            frames.append(_different(rows, measure, state_column(measure, ago)))
        names = {state_column(m, ago): m for m in sorted(group, key=lambda m: m.name) if m.how != "distinct"}
        if not names:
            continue
        rows = rows.with_columns(**{name: m.value() for name, m in names.items()})
        rows = rows.select("entity_id", "epoch_us", *names)
        found = rows.group_by("entity_id", "epoch_us").agg(*[getattr(nw.col(n), m.how)() for n, m in names.items()])
        # DuckDB sums integers to HUGEINT; all engines agree on int64.
        sums = [nw.col(n).cast(nw.Int64) for n, m in names.items() if m.how == "sum"]
        frames.append(found.with_columns(*sums, as_of_us=nw.col("epoch_us")).select("entity_id", "as_of_us", *names))
    return frames


def _different(rows: Frame, measure: State, name: str) -> Frame:
    # Nulls go first: a distinct count that takes null for a value differs between engines.
    values = rows.with_columns(value=measure.value()).filter(~nw.col("value").is_null())
    once = values.group_by("entity_id", "epoch_us", "value").agg(nw.col("as_of_us").max())
    counted = once.with_columns(**{name: nw.lit(1, nw.Int64)}).group_by("entity_id", "epoch_us").agg(nw.col(name).sum())
    return counted.with_columns(nw.col(name).cast(nw.Int64), as_of_us=nw.col("epoch_us")).select(
        "entity_id", "as_of_us", name
    )
