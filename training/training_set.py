"""Labelled rows out of a source: observation dates, eligible entities, outcomes whose window is over."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from features.kit.clock import from_us
from features.outcomes.labels import Outcomes
from features.outcomes.needed_tables import left_out_notes, tables_for
from features.readiness.labelled_rows import WEEK_DAYS, labelled_rows, no_signal_tells, subject, themed, with_signals
from features.sources.source import Source
from models.definition import Model
from training.dataset import Rows, make_rows
from training.splits import Split, split_in_time, split_without_time

ORDER_NOTE = (
    "The outcomes have no date. Rows are split by the order in which the entities were created, and signals are read at the end "
    "of the data: what happened after an outcome may be in them, and the figures may be optimistic."
)


@dataclass(frozen=True)
class Panel:
    """What a model is learnt from and judged by."""

    rows: Rows
    split: Split
    table: pa.Table
    """The panel's columns, row for row as in `rows`."""
    population: np.ndarray
    """Index of the rows that percentiles refer to: the eligible ones at the newest date that was learnt from."""
    outcomes: Outcomes
    dates: tuple[dt.date, ...]
    counts: dict[str, int]
    """Rows by what became of them: labelled, censored, and each reason for having no score."""
    inside: tuple[int, int]
    """Entities of the model's population, and of all who are eligible."""
    notes: tuple[str, ...]


def labelled_panel(
    source: Source, definition: Model, since: dt.datetime | None = None, engine: str = "duckdb", seed: int = 0
) -> Panel:
    """Build the panel of a source and label it; raises `TrainingRefused` with what was found, needed and would work."""
    found = labelled_rows(source, definition, since, engine)
    y, outcomes = found.y, found.outcomes
    in_order, use_time = found.in_order, found.time is not None
    if found.time is not None:
        split = split_in_time(found.time, y, found.gap(definition), found.group)
    else:
        split = split_without_time(y, found.group, seed)
    learnt_from = np.zeros(len(y), dtype=bool)
    learnt_from[split.before_test] = True
    signals = themed(source, definition)
    table = with_signals(source, definition, found, [s.name for s in signals], engine)
    columns = {s.name: table[s.name] for s in signals}
    rows = make_rows(
        signals,
        columns,
        y,
        time=found.time,
        group=found.group,
        value=table["value"].to_numpy(),
        entity_id=found.entity_id,
        learnt_from=learnt_from,
    )
    if not rows.signals:
        raise no_signal_tells(subject(source, definition))
    if in_order:
        population = np.arange(len(y))
    elif definition.lead_days is not None:
        population = split.before_test  # one date has few rows, whose renewals happen to fall into one week
    else:
        population = np.flatnonzero(found.as_of == found.as_of[split.before_test].max())
    notes = [*_narrowed(definition, found.inside), split.note, *outcomes.notes]
    if definition.lead_days is not None:
        notes.append(
            f"Each account is observed once per term, {definition.lead_days} to {definition.lead_days + WEEK_DAYS - 1} days before "
            "its renewal as known then; those without a renewal so far ahead are not among the rows."
        )
    if found.recorded_from_us:
        notes.append(
            f"Dates before {from_us(found.recorded_from_us):%Y-%m-%d} are left out: no outcome is recorded there, though many were to be expected."
        )
    if in_order:
        notes = [*_narrowed(definition, found.inside), ORDER_NOTE, *([] if use_time else [split.note]), *outcomes.notes]
    notes += left_out_notes(source, tables_for(definition.entity, definition.themes, definition.outcome))
    return Panel(
        rows,
        split,
        table,
        population,
        outcomes,
        tuple(d.date() for d in found.dates),
        found.counts,
        found.inside,
        tuple(notes),
    )


def _narrowed(definition: Model, inside: tuple[int, int]) -> list[str]:
    """A sentence for a model that is for a part of the eligible."""
    if not definition.population:
        return []
    counted = f"{inside[0]:,} of {inside[1]:,} eligible {definition.crowd}"
    return [f"Learnt from and judged by {counted}; population: {definition.population}."]


def period_text(split: Split, in_order: bool) -> dict[str, dict[str, str]]:
    """First and last date of each period; an order that stands for time has no dates."""
    if in_order:
        return {}
    return {
        name: {"from": from_us(a).date().isoformat(), "to": from_us(b).date().isoformat()}
        for name, (a, b) in split.periods.items()
    }
