"""Finds outcomes dated before the first version of their entity: imported deals, leads entered after the deal."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from features.kit.clock import from_us
from features.kit.errors import BadInput
from features.outcomes.asked import Asked
from features.outcomes.read import read_outcomes
from features.outcomes.ready_labels import BEFORE_CREATION_SHARE
from features.outcomes.recorded import created
from features.readiness.line import Line
from features.sources.schema import ENTITIES
from features.sources.source import Source


def early_outcome_lines(source: Source, asked: Asked) -> Iterable[Line]:
    """One line with their number, if there are any; `read_outcomes` refuses a table of ready labels that has many."""
    try:
        outcomes = read_outcomes(source, asked.outcome)
    except BadInput:
        return
    events = outcomes.events
    if events.empty:
        return
    known = events["entity_id"].map(created(source, asked.entity))
    early = (events["time_us"] < known).to_numpy(dtype=bool)
    count = int(early.sum())
    if not count:
        return
    first = events[early].iloc[0]
    table = ENTITIES[asked.entity]
    place = int(np.flatnonzero(early)[0])
    yield Line(
        severity="weakens" if early.mean() > BEFORE_CREATION_SHARE else "info",
        table=outcomes.origin,
        column="event_time",
        rows=count,
        rule="an outcome comes after the first version of its entity",
        found=f"{count:,} of {len(events):,} outcomes are older than the {asked.entity}, such as {first['entity_id']!r}: {from_us(first['time_us']):%Y-%m-%d}, "
        f"its first version in {table} is of {from_us(known.iloc[place]):%Y-%m-%d}",
        needed=f"at most {BEFORE_CREATION_SHARE:.0%}; nothing is learnt from them",
        what_to_do=f"give the first version in {table} the date on which the {asked.entity} was first known as event_time, or nothing if these were imported",
        model=asked.name,
    )
