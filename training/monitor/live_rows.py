"""The rows that `monitor` looks at: scored again as of each date, with the outcomes known by now.

Signals are as they were known at each date and the scorer is the one that serves, so these are the scores that people saw.
Only dates are taken whose rows the scorer did not learn from: a horizon or more after its training.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from features.kit.clock import DAY_US, FOREVER_US, from_us, to_us
from features.kit.errors import BadInput, Fault, UserMistake
from features.kit.progress import Progress
from features.outcomes.conversion import lead_companies
from features.outcomes.labels import Outcomes, OutcomesRefused, came_at, label, so_far
from features.outcomes.needed_tables import left_out_notes, tables_for
from features.outcomes.outcome import ELIGIBLE
from features.outcomes.read import read_outcomes
from features.panel.build import signals_of
from features.readiness.labelled_rows import RENEWAL, WEEK_DAYS, groups_of, observed
from features.sources.source import Source
from models.definition import Model
from models.holdout import held_out
from models.scorer.scorer import Scorer
from training.calibrate import sigmoid
from training.report.curves import selected

MOST_DAYS = 365
"""Oldest rows to look at: older ones describe an older company."""


@dataclass(frozen=True)
class LiveRows:
    """n rows, one per (entity, date), eligible ones only; sorted by date."""

    as_of_us: int
    """The moment that the model is looked at."""
    x: np.ndarray
    """(n, k) float64, encoded by the scorer."""
    table: pa.Table
    """The panel's columns, row for row."""
    p: np.ndarray
    """(n,) probabilities."""
    time: np.ndarray
    """(n,) int64 microseconds: the date of the row."""
    group: np.ndarray
    """(n,) int64: rows of one account have one number."""
    band: np.ndarray
    """(n,) text."""
    listed: np.ndarray
    """(n,) share (0 to 1) of the row that is on its date's list at capacity."""
    y: np.ndarray
    """(n,) 1.0 or 0.0 of a ripe row; NaN while its window is not over, or when it cannot be known."""
    pending: np.ndarray
    """(n,) bool: the window (and the days in which a return undoes the outcome) is not over."""
    so_far: np.ndarray
    """(n,) bool: the outcome has come already; of a pending row this may rise, and a return may undo it."""
    acted: np.ndarray | None
    """(n,) bool: somebody acted upon the entity within the row's window; None when the source has no actions."""
    held_out: np.ndarray
    """(n,) bool: the entity is in the holdout."""
    notes: tuple[str, ...]

    @property
    def now(self) -> np.ndarray:
        """(n,) bool: the rows that show the company as it is (of a model before renewals: those of the last four weeks)."""
        newest = self.time.max(initial=0)
        return self.time > newest - (4 * WEEK_DAYS * DAY_US if newest else 0)

    @property
    def ripe(self) -> np.ndarray:
        """(n,) bool: what came true is known."""
        return ~np.isnan(self.y)

    def take(self, rows: np.ndarray) -> LiveRows:
        """The rows of a mask."""
        names = ("x", "p", "time", "group", "band", "listed", "y", "pending", "so_far", "held_out")
        return replace(
            self,
            table=self.table.filter(pa.array(rows)),
            acted=None if self.acted is None else self.acted[rows],
            **{name: getattr(self, name)[rows] for name in names},
        )


def observe(
    scorer: Scorer,
    definition: Model,
    source: Source,
    as_of: dt.datetime,
    *,
    capacity: float | None = None,
    holdout: float | None = None,
    engine: str = "duckdb",
    progress: Progress = lambda text, share: None,
) -> LiveRows:
    """Score the source as of `as_of` and of the dates before it that the scorer did not learn from.

    Raises `BadInput` when the source lacks signals of the scorer, `UserMistake` when `as_of` lies before the end of training
    or nobody is eligible then.
    """
    needed = {*tables_for(definition.entity, definition.themes, definition.outcome), "actions"}
    source.require(needed)
    _offered(scorer, definition, source)
    now = to_us(as_of)
    dates, notes = _dates(scorer, definition, as_of)
    only = list(scorer.names)
    if definition.lead_days is not None and RENEWAL not in only:
        only.append(RENEWAL)
    progress(f"signals at {len(dates)} dates", 0.1)
    # The population of the scorer: a model's file that was narrowed since counts for the next version.
    table = observed(source, replace(definition, population=scorer.spec.narrowed), dates, only, engine)
    table = table.filter(pc.equal(table["eligibility"], ELIGIBLE))
    if not len(table):
        raise UserMistake(
            f"nobody is eligible in source {source.name!r} between {dates[0]:%Y-%m-%d} and {as_of:%Y-%m-%d}: "
            "check --as-of against the dates of the data (python -m features check)"
        )
    progress("scores and outcomes", 0.6)
    x = scorer.encode({name: table[name] for name in scorer.names})
    p = sigmoid(scorer.log_odds(x))
    ids = table["entity_id"].to_numpy(zero_copy_only=False)
    time = pc.cast(table["as_of"], pa.int64()).to_numpy()
    y, pending, come, said = _outcomes(definition, source, ids, time, now)
    share = definition.capacity_share if capacity is None else capacity
    return LiveRows(
        now,
        x,
        table,
        p,
        time,
        groups_of(source, definition, ids),
        np.array(scorer.band(p)),
        _listed(p, time, share, definition.lead_days is None),
        y,
        pending,
        come,
        acted_upon(source, definition, ids, time, now),
        held_out(definition.name, ids, definition.holdout_share if holdout is None else holdout),
        (*notes, *said, *left_out_notes(source, needed)),
    )


def _offered(scorer: Scorer, definition: Model, source: Source) -> None:
    offered = {signal.name for signal in signals_of(source, definition.entity)}
    absent = [name for name in scorer.names if name not in offered]
    if absent:
        raise BadInput(
            f"source {source.name!r} for the scorer of {definition.name}",
            [
                Fault(
                    where=f"signal {name}",
                    found="the source no longer offers it",
                    rule="the scorer was trained with it",
                    next_step="deliver its table and columns again (python -m features check), or train a version without it",
                )
                for name in absent
            ],
        )


def _dates(scorer: Scorer, definition: Model, as_of: dt.datetime) -> tuple[list[dt.datetime], list[str]]:
    """The dates back from `as_of`, a step of the model's grid apart, oldest first."""
    until = scorer.spec.trained_to
    step = dt.timedelta(days=definition.grid_days if definition.lead_days is None else WEEK_DAYS)
    if until is None:
        return [as_of], ["The scorer does not say when it was trained: only the present is looked at."]
    trained_to = dt.datetime.fromisoformat(until).replace(tzinfo=dt.UTC)
    if as_of <= trained_to:
        raise UserMistake(
            f"--as-of {as_of:%Y-%m-%d} is not after {until}, the newest date that the scorer learnt from: give a later one"
        )
    begin = max(trained_to + dt.timedelta(days=definition.horizon_days), as_of - dt.timedelta(days=MOST_DAYS))
    dates = [as_of]
    while dates[-1] - step >= begin:
        dates.append(dates[-1] - step)
    notes = [f"Dates from {dates[-1]:%Y-%m-%d} on, {step.days} days apart; the scorer learnt from dates up to {until}."]
    return dates[::-1], notes


def _listed(p: np.ndarray, time: np.ndarray, share: float, dates_apart: bool) -> np.ndarray:
    if not dates_apart:
        return selected(p, share)
    out = np.zeros(len(p))
    for date in np.unique(time):
        rows = time == date
        out[rows] = selected(p[rows], share)
    return out


def _outcomes(
    definition: Model, source: Source, ids: np.ndarray, time: np.ndarray, now: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[str]]:
    """`y`, `pending` and `so_far` of `LiveRows`, by what happened before `now`."""
    n = len(ids)
    nothing = np.full(n, np.nan), np.ones(n, dtype=bool), np.zeros(n, dtype=bool)
    try:
        found = read_outcomes(source, definition.outcome)
    except OutcomesRefused as refused:
        return (*nothing, [f"Nothing ripens, the source tells of no outcome: {refused.faults[0].found}."])
    if found.snapshot is not None:
        return (*nothing, ["Nothing ripens: the outcomes of this source have no dates."])
    known, horizon = found.until(now), definition.horizon_days * DAY_US
    pending = time + horizon + known.settle_us > known.known_until_us
    notes = list(known.notes)
    if known.known_until_us < now - DAY_US:
        notes.append(
            f"Outcomes are known up to {from_us(known.known_until_us):%Y-%m-%d} only, the newest row of the source."
        )
    return label(known, ids, time, horizon), pending, so_far(known, ids, time, horizon), notes


def acted_upon(source: Source, definition: Model, ids: np.ndarray, time: np.ndarray, now: int) -> np.ndarray | None:
    """(n,) bool: an action known before `now` fell into the row's window; None when the source has no table of them.

    A lead is meant by an action on itself, or on its company when the action names no lead.
    """
    if not source.has("actions"):
        return None
    rows = source.query(f"SELECT account_id, lead_id, event_us FROM actions WHERE visible_us < {now}")
    actions = pd.DataFrame(rows, columns=["account_id", "lead_id", "time_us"])
    if definition.entity == "account":
        meant = actions.rename(columns={"account_id": "entity_id"})
    else:
        direct = actions.dropna(subset="lead_id").rename(columns={"lead_id": "entity_id"})
        companies = lead_companies(source).rename("account_id").reset_index()
        linked = actions[actions["lead_id"].isna()].merge(companies, on="account_id")
        meant = pd.concat([direct[["entity_id", "time_us"]], linked[["entity_id", "time_us"]]])
    events = meant[["entity_id", "time_us"]].dropna().sort_values(["entity_id", "time_us"]).reset_index(drop=True)
    done = Outcomes(definition.entity, "actions", events, None, FOREVER_US, 0)
    return came_at(done, ids, time) < time + definition.horizon_days * DAY_US
