"""The labelled rows of a source for a model, and the rules that they must meet before training.

`fit` trains on these rows and applies these rules. `python -m features check` applies the same rules and prints the
same faults, so that it says "ready" exactly where `fit` would begin to train.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import groupby
from operator import attrgetter
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from features.kit.clock import DAY_US, from_us, to_us
from features.kit.errors import BadInput, Fault, TrainingRefused, UserMistake
from features.outcomes.asked import Asked
from features.outcomes.conversion import lead_companies
from features.outcomes.labels import Outcomes, label
from features.outcomes.needed_tables import tables_for
from features.outcomes.outcome import ELIGIBLE
from features.outcomes.read import read_outcomes
from features.outcomes.recorded import created
from features.panel.build import build_panel, grid, signals_of
from features.panel.population import narrowed, require_readable
from features.readiness.encoding import encode, is_constant, vocabulary
from features.readiness.periods import is_split, periods_of
from features.readiness.silent_dates import recorded_from, refuse_silent_dates
from features.signals.catalog import definitions
from features.signals.signal import Signal
from features.sources.schema import TABLES
from features.sources.source import Source

FEWEST_DATES = 3
FEWEST_LABELS = 20
FEWEST_MOMENTS = 20
"""Rows without dated outcomes are split by the creation of their entity when it has at least so many different
moments."""
RENEWAL = "days_to_renewal"
WEEK_DAYS = 7
DATES_AT_ONCE = 13
"""Weekly panels held in memory together; of each, one row in about fifty is kept."""
SOME_ENTITIES = 200
"""Entities whose signals are computed first; when a signal varies among them, the rest need not be computed."""


@dataclass(frozen=True)
class LabelledRows:
    """n rows, one per (entity, date), eligible and with a known outcome."""

    table: pa.Table
    """The panel's columns."""
    as_of: np.ndarray
    """(n,) int64 microseconds since 1970."""
    entity_id: np.ndarray
    y: np.ndarray
    """(n,) 0.0 or 1.0."""
    time: np.ndarray | None
    """(n,) int64: `as_of`, or the creation of the entity where outcomes have no date; None when that tells too few moments apart."""
    group: np.ndarray
    """(n,) int64: rows of one account share a number."""
    outcomes: Outcomes
    dates: tuple[dt.datetime, ...]
    counts: dict[str, int]
    """Number of rows labelled, of rows not known yet, and of rows per reason for having no score."""
    inside: tuple[int, int]
    """Entities of the model's population at the observation dates, and of all who are eligible then."""
    recorded_from_us: int
    """Dates before it were left out, since no outcome is recorded there; 0 when none was."""

    @property
    def in_order(self) -> bool:
        """Whether an order stands for time: the outcomes have no date."""
        return self.outcomes.snapshot is not None

    def gap(self, asked: Asked) -> int:
        """The gap between two periods, in the unit of `time`."""
        return 0 if self.in_order else asked.horizon_days * DAY_US


def labelled_rows(
    source: Source, asked: Asked, since: dt.datetime | None = None, engine: str = "duckdb"
) -> LabelledRows:
    """The rows, without their signals, so that a refusal takes a tenth of the time of a panel.

    Raises `BadInput` when a table that it needs cannot be read, `OutcomesRefused` or `TrainingRefused` with what was found,
    needed and would work.
    """
    source.require(tables_for(asked.entity, asked.themes, asked.outcome))
    outcomes = read_outcomes(source, asked.outcome)
    dates = observation_dates(source, asked, outcomes, since)
    table = observed(source, asked, dates, asked.population.signals if asked.population else [], engine)
    eligible = pc.equal(table["eligibility"], ELIGIBLE)
    inside = _inside(source, asked, table, eligible)
    left_out = Counter(table.filter(pc.invert(eligible))["eligibility"].to_pylist())
    table = table.filter(eligible)
    as_of = pc.cast(table["as_of"], pa.int64()).to_numpy()
    ids = table["entity_id"].to_numpy(zero_copy_only=False)
    y = label(outcomes, ids, as_of, asked.horizon_days * DAY_US)
    known = ~np.isnan(y)
    begun = recorded_from(outcomes, as_of[known], y[known])
    known &= as_of >= begun
    counts = {"labelled": int(known.sum()), "not known yet": int((~known).sum()), **dict(sorted(left_out.items()))}
    table, as_of, ids, y = table.filter(pa.array(known)), as_of[known], ids[known], y[known]
    if not len(y):
        raise TrainingRefused(subject(source, asked), [_nobody(counts)])
    too_few(y, subject(source, asked))
    time: np.ndarray | None = as_of
    if outcomes.snapshot is None:
        refuse_silent_dates(subject(source, asked), as_of, y)
    else:
        order = pd.Series(ids).map(created(source, asked.entity)).to_numpy(dtype=np.int64)
        time = order if len(np.unique(order)) >= FEWEST_MOMENTS else None
    return LabelledRows(
        table, as_of, ids, y, time, groups_of(source, asked, ids), outcomes, tuple(dates), counts, inside, begun
    )


def _inside(source: Source, asked: Asked, table: pa.Table, eligible: Any) -> tuple[int, int]:
    """Entities in the population, and all who are eligible. Raises `BadInput` for words that it names and no row has."""
    everybody = eligible
    if asked.population:
        faults = asked.population.unknown_words(asked.name, table)
        if faults:
            raise BadInput(subject(source, asked), faults)
        everybody = pc.or_(eligible, pc.equal(table["eligibility"], asked.population.code))
    inside, eligible_ids = (table.filter(mask)["entity_id"] for mask in (eligible, everybody))
    return pc.count_distinct(inside).as_py(), pc.count_distinct(eligible_ids).as_py()


def with_signals(
    source: Source, asked: Asked, rows: LabelledRows, only: Sequence[str], engine: str = "duckdb"
) -> pa.Table:
    """The panel of these rows, row for row, with the signals of `only`."""
    dates = [from_us(int(us)) for us in np.unique(rows.as_of)]
    table = observed(source, asked, dates, only, engine)
    keys = pd.MultiIndex.from_arrays([table["entity_id"].to_pandas(), pc.cast(table["as_of"], pa.int64()).to_numpy()])
    return table.filter(pa.array(keys.isin(pd.MultiIndex.from_arrays([rows.entity_id, rows.as_of]))))


def themed(source: Source, asked: Asked) -> list[Signal]:
    """The signals that the source offers, of the model's themes, without those that it excludes.

    Raises `UserMistake` when it excludes a name that no signal has; one whose table this source does not have is no mistake.
    """
    here = signals_of(source, asked.entity)
    known = sorted({s.name for s in here} | {d.signal.name for d in definitions(asked.entity)})
    unknown = [name for name in dict.fromkeys(asked.exclude) if name not in known]
    if unknown:
        raise UserMistake(
            f"exclude of {asked.name}: "
            + "; ".join(f"no signal is called {name!r}{_near(name, known)}" for name in unknown)
            + f". An excluded name is a signal of the catalog or a custom column of source {source.name!r} (see: python -m features catalog)"
        )
    return [s for s in here if s.theme in asked.themes and s.name not in asked.exclude]


def _near(name: str, known: Sequence[str]) -> str:
    found = get_close_matches(name, known, n=3)
    return f" (near: {', '.join(found)})" if found else ""


@dataclass(frozen=True)
class Trainable:
    """The rows that a model would be trained on, once every rule is met."""

    rows: LabelledRows
    fitted: np.ndarray
    """(n,) mask of the rows that the final model is fitted on."""
    judged: np.ndarray
    """(n,) mask of the rows that judge it; without time every row is judged."""


def trainable(source: Source, asked: Asked) -> Trainable:
    """Applies every rule that `fit` applies before it trains, and computes as few signals as possible.

    Raises as `labelled_rows` does, and `TrainingRefused` when the rows make no three periods or no signal tells anything.
    """
    rows = labelled_rows(source, asked)
    everything = np.ones(len(rows.y), dtype=bool)
    if rows.time is None:
        found = Trainable(rows, everything, everything)
    else:
        periods = periods_of(rows.time, rows.y, rows.gap(asked))
        found = Trainable(rows, periods.before_test, periods.test)
    if not _some_signal_tells(source, asked, themed(source, asked), found):
        raise no_signal_tells(subject(source, asked))
    return found


def _some_signal_tells(source: Source, asked: Asked, signals: Sequence[Signal], found: Trainable) -> bool:
    """Whether any signal varies. A few entities at the newest date come first, theme by theme, which takes a tenth of
    the time: what varies among them varies overall. All rows are computed only when nothing does.
    """
    rows = found.rows
    ids, as_of = rows.entity_id[found.fitted], rows.as_of[found.fitted]
    newest = list(pd.unique(ids[as_of == as_of.max()])[:SOME_ENTITIES])
    for _, theme in groupby(signals, key=attrgetter("theme")):
        members = list(theme)
        only = [s.name for s in members]
        if tells(build_panel(source, asked.entity, [from_us(int(as_of.max()))], ids=newest, only=only), members):
            return True
    names = [s.name for s in signals]
    whole = with_signals(source, asked, rows, names)
    return tells(whole.filter(pa.array(found.fitted)), signals)


def tells(panel: pa.Table, signals: Iterable[Signal]) -> bool:
    """Whether any of the signals has two different values, as a model reads them."""
    return any(
        not is_constant(encode(panel[s.name], vocabulary(panel[s.name]) if s.is_category else None)) for s in signals
    )


def no_signal_tells(subject: str) -> TrainingRefused:
    return TrainingRefused(
        subject,
        [
            Fault(
                where="its signals",
                found="none differs between entities",
                rule="at least one signal with two values",
                next_step="deliver more tables or columns (see: python -m features catalog)",
            )
        ],
    )


def subject(source: Source, asked: Asked) -> str:
    """The subject of an error message."""
    return f"source {source.name!r} for {asked.name}"


def _nobody(counts: dict[str, int]) -> Fault:
    reasons = {reason: n for reason, n in counts.items() if n}
    return Fault(
        where="eligible rows with a known outcome",
        found="none"
        + (f" of {sum(reasons.values()):,}: " + ", ".join(f"{n:,} {r}" for r, n in reasons.items()) if reasons else ""),
        rule="some entities are eligible, and their outcome is known",
        next_step="check the statuses, contracts and dates that decide it, and the history after them",
    )


def too_few(y: np.ndarray, subject: str, least: int = FEWEST_LABELS) -> None:
    """Raises `TrainingRefused` when one outcome has fewer than `least` rows."""
    positives, negatives = int(y.sum()), int(len(y) - y.sum())
    faults = []
    for count, kind in ((positives, "with"), (negatives, "without")):
        if count < least:
            faults.append(
                Fault(
                    where=f"rows {kind} the outcome",
                    found=f"{count:,} of {len(y):,}",
                    rule=f"at least {least}, or nothing can be held back to judge by",
                    next_step=f"deliver about {-(-least // max(count, 1))} times the history"
                    if count
                    else "check that the outcome is recorded",
                )
            )
    if faults:
        raise TrainingRefused(subject, faults)


def observed(source: Source, asked: Asked, dates: Sequence[dt.datetime], only: Sequence[str], engine: str) -> pa.Table:
    """The panel at the observation dates; before renewals, only the rows whose renewal is as far away as the model's file says.

    Who is eligible and outside the model's population has that code as `eligibility`. Raises `BadInput` for a population over what
    is no signal of the source.
    """
    population = asked.population
    if not population:
        return _observed(source, asked, dates, only, engine)
    require_readable(source, asked)
    more = [name for name in population.signals if name not in only]
    return narrowed(_observed(source, asked, dates, [*only, *more], engine), asked).drop_columns(more)


def _observed(source: Source, asked: Asked, dates: Sequence[dt.datetime], only: Sequence[str], engine: str) -> pa.Table:
    if asked.lead_days is None:
        return build_panel(source, asked.entity, dates, engine=engine, only=only, outcomes=[asked.outcome])
    if all(s.name != RENEWAL for s in signals_of(source, asked.entity)):
        raise TrainingRefused(
            subject(source, asked),
            [
                Fault(
                    where=f"source {source.name!r}",
                    found=f"it offers no signal {RENEWAL}",
                    rule=f"{asked.name} observes accounts {asked.lead_days} days before their renewal",
                    next_step="add subscriptions.sql with term_end, or set lead_days to None in the model's file: a calendar grid",
                )
            ],
        )
    parts = []
    for first in range(0, len(dates), DATES_AT_ONCE):
        wanted = [*only, *([] if RENEWAL in only else [RENEWAL])]
        dates_now = dates[first : first + DATES_AT_ONCE]
        part = build_panel(source, asked.entity, dates_now, engine=engine, only=wanted, outcomes=[asked.outcome])
        away = part[RENEWAL]
        due = pc.and_(pc.greater_equal(away, asked.lead_days), pc.less(away, asked.lead_days + WEEK_DAYS))
        part = part.filter(pc.fill_null(due, False))
        parts.append(part if RENEWAL in only else part.drop_columns([RENEWAL]))
    return pa.concat_tables(parts)


def observation_dates(source: Source, asked: Asked, outcomes: Outcomes, since: dt.datetime | None) -> list[dt.datetime]:
    """The dates at which entities are observed, between the warm-up and the last window that is over: a calendar grid, or
    every week when each entity is observed so many days before its renewal (`observed` keeps those that are due).
    """
    first, last = history(source)
    if outcomes.snapshot is not None:
        return [dt.datetime(last.year, last.month, last.day, tzinfo=dt.UTC) + dt.timedelta(days=1)]
    settle = dt.timedelta(microseconds=outcomes.settle_us)
    horizon = dt.timedelta(days=asked.horizon_days)
    begin = max(first + dt.timedelta(days=asked.warm_up_days), since or first)
    step = asked.grid_days if asked.lead_days is None else WEEK_DAYS

    def dates_of(horizon: dt.timedelta) -> list[dt.datetime]:
        end = from_us(outcomes.known_until_us) - horizon - settle
        return grid(begin, end, step) if end > begin else []

    dates = dates_of(horizon)
    if len(dates) >= FEWEST_DATES:
        return dates
    known = from_us(outcomes.known_until_us)  # the other tables may go on, but record no outcome
    days = max((known - begin).days, 0)
    steps = 2 * asked.grid_days
    # Three periods with a horizon between each two, and the last window over at the end of the data.
    about = (days - settle.days - steps) // 3
    longest = next((n for n in range(about, 0, -1) if _is_enough(dates_of(dt.timedelta(days=n)), n)), 0)
    raise TrainingRefused(
        subject(source, asked),
        [
            Fault(
                where="its history",
                found=f"{days:,} days with known outcomes after the warm-up of {asked.warm_up_days} days ({begin:%Y-%m-%d} to {known:%Y-%m-%d})",
                rule=f"three periods with {asked.horizon_days} days between them, the last window over"
                + (f" and {settle.days} days more" if settle.days else "")
                + f": about {3 * asked.horizon_days + settle.days + steps:,} days",
                next_step=f"deliver a longer history, or a horizon of at most {longest} days would work"
                if longest > 0
                else "deliver a longer history",
            )
        ],
    )


def _is_enough(dates: Sequence[dt.datetime], horizon_days: int) -> bool:
    """Whether rows at these dates could be learnt from and judged."""
    times = np.array([to_us(date) for date in dates], dtype=np.int64)
    return len(dates) >= FEWEST_DATES and is_split(times, horizon_days * DAY_US)


def history(source: Source) -> tuple[dt.datetime, dt.datetime]:
    """First event and last row. States do not count: a contract or a company may be older than the recording."""
    first, last = source.span
    begun = [us.first_us for table, us in source.observed.tables.items() if TABLES[table].kind == "event"]
    return (from_us(min(begun)) if begun else first), last


def groups_of(source: Source, asked: Asked, ids: np.ndarray) -> np.ndarray:
    """Rows of one account share a number; leads go by their company, and alone when it is not known."""
    owners = pd.Series(ids)
    if asked.entity == "lead":
        companies = owners.map(lead_companies(source))
        owners = ("account " + companies.astype("string")).fillna("lead " + owners.astype("string"))
    return np.asarray(pd.factorize(owners)[0], dtype=np.int64)
