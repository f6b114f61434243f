"""Rows of a source as outcomes read them: pandas with int64 microseconds, and how far the tables reach."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa

from features.kit.clock import FOREVER_US, from_us
from features.kit.errors import Fault
from features.outcomes.labels import OutcomesRefused
from features.outcomes.outcome import Outcome
from features.signals.signal import Entity
from features.sources.schema import ENTITIES
from features.sources.source import Source


def frame_of(table: pa.Table) -> pd.DataFrame:
    """Arrow to pandas with times as int64 microseconds in time_us and known_us."""
    frame = table.to_pandas()
    for name, new in (("event_time", "time_us"), ("known_time", "known_us")):
        if name in frame:
            stamps = pd.to_datetime(frame.pop(name), utc=True)
            frame[new] = stamps.astype("datetime64[us, UTC]").astype(np.int64).where(stamps.notna(), FOREVER_US)
    return frame


def created(source: Source, entity: Entity) -> pd.Series:
    """entity_id -> first event_time of the entity in microseconds since 1970."""
    table, key = ENTITIES[entity], f"{entity}_id"
    rows = frame_of(source.arrow(table, [key, "event_time"], seen=True))
    return rows.groupby(key, sort=True)["time_us"].min().rename_axis("entity_id")


def known_until(source: Source, *tables: str) -> tuple[int, tuple[str, ...]]:
    """The moment up to which the tables record the outcome, and a note when that is before the end of the data."""
    until, last = source.observed.until_us(*tables), source.observed.last_us
    if until == last:
        return until, ()
    told = " and ".join(tables)
    return until, (
        f"Outcomes are known up to {from_us(until):%Y-%m-%d} only, where {told} ends; the other tables go on to {from_us(last):%Y-%m-%d}.",
    )


def within_observed(source: Source, events: pd.DataFrame, until_us: int) -> pd.DataFrame:
    """Outcomes within what was observed: one that is dated decades off says neither when recording began nor what came."""
    inside = events["time_us"].between(source.observed.first_us, until_us)
    return events[inside].reset_index(drop=True)


def no_outcome(source: Source, outcome: Outcome, needed: str) -> OutcomesRefused:
    """The error for a source that records no such outcome; `needed` names the tables that could, in words."""
    ready = outcome.labels
    return OutcomesRefused(
        f"source {source.name!r}",
        [
            Fault(
                where=f"source {source.name!r}",
                found=f"no table records {outcome.name}; it has {', '.join(source.tables)}",
                rule=f"{outcome.name} is read from {needed}" + (f", or from {ready}" if ready else ""),
                next_step=f"add {ready}.sql with one row per known outcome (its columns: features/sources/schema.py)"
                if ready
                else f"add {outcome.tables[0]}.sql (its columns: features/sources/schema.py)",
            )
        ],
    )
