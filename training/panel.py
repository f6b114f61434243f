"""Labelled rows out of a source: observation dates, eligible entities, outcomes whose window is over."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from features.errors import Fault
from features.panel import ELIGIBLE, build_panel, grid, signals_of
from features.source import Source, from_us
from features.tables import TABLES
from models.definition import Model
from models.labels import DAY_US, Outcomes, created, label, lead_companies, read_outcomes
from training.errors import TrainingRefused
from training.flat import too_few
from training.rows import Rows, make_rows
from training.split import Split, split_in_time, split_without_time

FEWEST_DATES = 3
RENEWAL = "days_to_renewal"
WEEK_DAYS = 7
DATES_AT_ONCE = 13
"""Weekly panels held in memory together; of each, one row in about fifty is kept."""
SILENT_EXPECTED = 15.0
"""A date at which so many outcomes were expected and none came is one at which they were not recorded."""
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
    notes: tuple[str, ...]


def labelled_panel(
    source: Source, definition: Model, since: dt.datetime | None = None, engine: str = "duckdb", seed: int = 0
) -> Panel:
    """Build the panel of a source and label it; raises `TrainingRefused` with what was found, needed and would work."""
    outcomes = read_outcomes(source, definition.entity)
    horizon = definition.horizon_days * DAY_US
    dates = observation_dates(source, definition, outcomes, since)
    signals = [s for s in signals_of(source, definition.entity) if s.theme in definition.themes]
    table = observed(source, definition, dates, [s.name for s in signals], engine)
    eligible = pc.equal(table["eligibility"], ELIGIBLE)
    left_out = Counter(table.filter(pc.invert(eligible))["eligibility"].to_pylist())
    table = table.filter(eligible)
    as_of = pc.cast(table["as_of"], pa.int64()).to_numpy()
    ids = table["entity_id"].to_numpy(zero_copy_only=False)
    y = label(outcomes, ids, as_of, horizon)
    known = ~np.isnan(y)
    begun = recorded_from(outcomes, as_of[known], y[known])
    known &= as_of >= begun
    counts = {"labelled": int(known.sum()), "not known yet": int((~known).sum()), **dict(sorted(left_out.items()))}
    table, as_of, ids, y = table.filter(pa.array(known)), as_of[known], ids[known], y[known]
    subject = f"source {source.name!r} for {definition.name}"
    too_few(y, subject)
    if outcomes.snapshot is None:
        _silent_dates(subject, as_of, y)
    time, in_order = as_of, outcomes.snapshot is not None
    if in_order:
        time = pd.Series(ids).map(created(source, definition.entity)).to_numpy(dtype=np.int64)
    group = groups_of(source, definition, ids)
    use_time = not in_order or len(np.unique(time)) >= 20
    split = (
        split_in_time(time, y, 0 if in_order else horizon, group) if use_time else split_without_time(y, group, seed)
    )
    learnt_from = np.zeros(len(y), dtype=bool)
    learnt_from[split.before_test] = True
    columns = {s.name: table[s.name] for s in signals}
    rows = make_rows(
        signals,
        columns,
        y,
        time=time if use_time else None,
        group=group,
        value=table["value"].to_numpy(),
        entity_id=ids,
        learnt_from=learnt_from,
    )
    if not rows.signals:
        raise TrainingRefused(
            subject,
            [
                Fault(
                    "its signals",
                    "none differs between entities",
                    "at least one signal with two values",
                    "deliver more tables or columns (see: python -m features check)",
                )
            ],
        )
    if in_order:
        population = np.arange(len(y))
    elif definition.lead_days is not None:
        population = split.before_test  # one date has few rows, whose renewals happen to fall into one week
    else:
        population = np.flatnonzero(as_of == as_of[split.before_test].max())
    notes = [split.note, *outcomes.notes]
    if definition.lead_days is not None:
        notes.append(
            f"Each account is observed once per term, {definition.lead_days} to {definition.lead_days + WEEK_DAYS - 1} days before "
            "its renewal as known then; those without a renewal so far ahead are not among the rows."
        )
    if begun:
        notes.append(
            f"Dates before {from_us(begun):%Y-%m-%d} are left out: no outcome is recorded there, though many were to be expected."
        )
    if in_order:
        notes = [ORDER_NOTE, *([] if use_time else [split.note]), *outcomes.notes]
    return Panel(rows, split, table, population, outcomes, tuple(d.date() for d in dates), counts, tuple(notes))


def observed(source: Source, definition: Model, dates: Sequence[dt.datetime], only: list[str], engine: str) -> pa.Table:
    """The panel at the observation dates; before renewals, only the rows whose renewal is as far away as the model's file says."""
    if definition.lead_days is None:
        return build_panel(source, definition.entity, dates, engine=engine, only=only)
    if RENEWAL not in only:
        raise TrainingRefused(
            f"source {source.name!r} for {definition.name}",
            [
                Fault(
                    f"source {source.name!r}",
                    f"it offers no signal {RENEWAL}",
                    f"{definition.name} observes accounts {definition.lead_days} days before their renewal",
                    "add subscriptions.sql with term_end, or set lead_days to None in the model's file: a calendar grid",
                )
            ],
        )
    parts = []
    for first in range(0, len(dates), DATES_AT_ONCE):
        part = build_panel(source, definition.entity, dates[first : first + DATES_AT_ONCE], engine=engine, only=only)
        away = part[RENEWAL]
        due = pc.and_(pc.greater_equal(away, definition.lead_days), pc.less(away, definition.lead_days + WEEK_DAYS))
        parts.append(part.filter(pc.fill_null(due, False)))
    return pa.concat_tables(parts)


def observation_dates(
    source: Source, definition: Model, outcomes: Outcomes, since: dt.datetime | None
) -> list[dt.datetime]:
    """The dates at which entities are observed, between the warm-up and the last window that is over: a calendar grid, or
    every week when each entity is observed so many days before its renewal (`observed` keeps those that are due).
    """
    first, last = history(source)
    if outcomes.snapshot is not None:
        return [dt.datetime(last.year, last.month, last.day, tzinfo=dt.UTC) + dt.timedelta(days=1)]
    settle = dt.timedelta(microseconds=outcomes.settle_us)
    horizon = dt.timedelta(days=definition.horizon_days)
    begin = max(first + dt.timedelta(days=definition.warm_up_days), since or first)
    end = from_us(outcomes.known_until_us) - horizon - settle
    step = definition.grid_days if definition.lead_days is None else WEEK_DAYS
    dates = grid(begin, end, step) if end > begin else []
    if len(dates) >= FEWEST_DATES:
        return dates
    days = (last - begin).days
    steps = 2 * definition.grid_days
    # Three periods with a horizon between each two, and the last window over at the end of the data.
    longest = (days - settle.days - steps) // 3
    raise TrainingRefused(
        f"source {source.name!r} for {definition.name}",
        [
            Fault(
                "its history",
                f"{days:,} days after the warm-up of {definition.warm_up_days} days ({begin:%Y-%m-%d} to {last:%Y-%m-%d})",
                f"three periods with {definition.horizon_days} days between them, the last window over"
                + (f" and {settle.days} days more" if settle.days else "")
                + f": about {3 * definition.horizon_days + settle.days + steps:,} days",
                f"deliver a longer history, or a horizon of at most {longest} days would work"
                if longest > 0
                else "deliver a longer history",
            )
        ],
    )


def history(source: Source) -> tuple[dt.datetime, dt.datetime]:
    """First event and last row: states (a contract, a company) may be older than anything that was being recorded."""
    first, last = source.span
    begun = [us.first_us for table, us in source.observed.tables.items() if TABLES[table].kind == "event"]
    return (from_us(min(begun)) if begun else first), last


def recorded_from(outcomes: Outcomes, as_of: np.ndarray, y: np.ndarray) -> int:
    """The first outcome's time when dates before it are silent though many outcomes were to be expected there, else 0.

    Such data begin with the survivors: who had left before is not in them, and nobody leaves in their first dates.
    """
    if outcomes.snapshot is not None or outcomes.events.empty:
        return 0
    first = int(outcomes.events["time_us"].min())
    early = as_of < first
    return first if early.any() and early.sum() * y[~early].mean() >= SILENT_EXPECTED and (~early).any() else 0


def _silent_dates(subject: str, as_of: np.ndarray, y: np.ndarray) -> None:
    """Raises when outcomes stop, or have not begun, for whole dates at which many were to be expected."""
    dates, place = np.unique(as_of, return_inverse=True)
    rows = np.bincount(place.reshape(-1))
    hits = np.bincount(place.reshape(-1), weights=y)
    rate = y.sum() / len(y)
    silent = (hits == 0) & (rows * rate >= SILENT_EXPECTED)
    if not silent.any():
        return
    first, last = from_us(int(dates[silent][0])), from_us(int(dates[silent][-1]))
    loud = dates[hits > 0]
    after = from_us(int(loud[0])) if dates[silent][0] < loud[0] else None
    raise TrainingRefused(
        subject,
        [
            Fault(
                f"observation dates {first:%Y-%m-%d} to {last:%Y-%m-%d}",
                f"no outcome at {int(silent.sum())} of {len(dates)} dates, where {rows[silent].sum() * rate:,.0f} were to be expected",
                "outcomes are recorded throughout the period that is learnt from",
                f"pass --since {after:%Y-%m-%d}, from when on outcomes are recorded"
                if after
                else "complete the outcomes, or end the data before they stop",
            )
        ],
    )


def groups_of(source: Source, definition: Model, ids: np.ndarray) -> np.ndarray:
    """Rows of one account share a number; leads go by their company, and alone when it is not known."""
    owners = pd.Series(ids)
    if definition.entity == "lead":
        companies = owners.map(lead_companies(source))
        owners = ("account " + companies.astype("string")).fillna("lead " + owners.astype("string"))
    return np.asarray(pd.factorize(owners)[0], dtype=np.int64)


def period_text(split: Split, in_order: bool) -> dict[str, dict[str, str]]:
    """First and last date of each period; an order that stands for time has no dates."""
    if in_order:
        return {}
    return {
        name: {"from": from_us(a).date().isoformat(), "to": from_us(b).date().isoformat()}
        for name, (a, b) in split.periods.items()
    }
