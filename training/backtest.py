"""Backtest: replays a model over past months and counts what its list would have caught.

At each moment the model is learnt anew, with search and choice, from the rows whose outcome was known by then, and ranks the
rows observed at that moment. The later outcomes are used for counting only.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from features.kit import atomic_files
from features.kit.clock import DAY_US, from_us
from features.kit.errors import Fault
from features.kit.progress import Progress
from features.kit.settings import Settings as Home
from features.outcomes.needed_tables import left_out_notes, tables_for
from features.readiness.labelled_rows import too_few
from features.sources.loader import open_source
from models.catalog import get_model
from models.definition import Model
from training import metrics, rules
from training.calibrate import sigmoid
from training.capacity import share_of
from training.dataset import Rows
from training.errors import TrainingRefused
from training.learn import LearnSettings, learn
from training.report.curves import selected
from training.splits import split_in_time
from training.training_set import Panel, labelled_panel

MONTHS = 6
DAYS_APART = 28
TRIALS = 4


@dataclass(frozen=True)
class Moment:
    """One replayed list: the rows of its moment, which of them the model and the best one-column rule put on it, and the outcomes."""

    as_of: dt.date
    learnt_from: int
    y: np.ndarray
    """(n,) of 0.0 and 1.0, the rows observed then."""
    p: np.ndarray
    """(n,) probabilities."""
    listed: np.ndarray
    """(n,) share, 0 to 1, of each row that is on the list; a fraction only among ties at its end."""
    listed_by_rule: np.ndarray
    rule: str
    group: np.ndarray
    value: np.ndarray
    """(n,) money at stake, NaN when unknown."""


def backtest(
    model: str,
    source: str,
    data: Path | None = None,
    *,
    months: int = MONTHS,
    trials: int = TRIALS,
    seed: int = 0,
    since: dt.datetime | None = None,
    capacity: str | None = None,
    engine: str = "duckdb",
    settings: Home | None = None,
    progress: Progress = lambda text, share: None,
) -> dict[str, object]:
    """Replay a model over a source: JSON-ready `moments` and their `total`, with 95 % intervals by account.

    The report is also written to `<home>/backtest/<model>/<newest moment>.json`. Raises `TrainingRefused` when the outcomes have no dates, or no moment has enough known before it.
    """
    definition = get_model(model)
    home = settings or Home.from_env()
    home.require_home()
    opened = open_source(source, data, keep_going=True)
    progress("panel and labels", 0.0)
    panel = labelled_panel(opened, definition, since, engine, seed)
    found, notes = replay(definition, panel, months, trials, seed, capacity, progress)
    report = {
        "model": definition.name,
        "source": opened.name,
        "horizon_days": definition.horizon_days,
        "crowd": definition.crowd,
        "moments": [line(moment) for moment in found],
        "total": total(found, seed),
        "notes": [
            *notes,
            *left_out_notes(opened, tables_for(definition.entity, definition.themes, definition.outcome)),
        ],
    }
    file = home.home / "backtest" / definition.name / f"{found[-1].as_of.isoformat()}.json"
    atomic_files.write_text(file, json.dumps(report, indent=2))
    return report | {"file": str(file)}


def replay(
    definition: Model,
    panel: Panel,
    months: int = MONTHS,
    trials: int = TRIALS,
    seed: int = 0,
    capacity: str | None = None,
    progress: Progress = lambda text, share: None,
) -> tuple[list[Moment], list[str]]:
    """The lists of the last `months` moments whose outcome is known by now, oldest first, and what was left out and why."""
    rows = panel.rows
    if rows.time is None or panel.outcomes.snapshot is not None:
        raise _no_dates(definition)
    settle = definition.horizon_days * DAY_US + panel.outcomes.settle_us
    share = share_of(capacity, definition, rows.time, dates_apart=definition.lead_days is None)
    found: list[Moment] = []
    notes = [
        f"Each list holds {share:.1%} of those observed; the model was learnt anew each time from what was known then."
    ]
    moments = _moments(np.unique(rows.time))[-months:]
    for n, dates in enumerate(moments):
        progress(f"as of {from_us(int(dates[0])):%Y-%m-%d}", 0.2 + 0.8 * n / len(moments))
        known = np.flatnonzero(rows.time + settle <= dates[0])
        now = np.flatnonzero(np.isin(rows.time, dates))
        try:
            found.append(_list(definition, rows, known, now, share, trials, seed))
        except TrainingRefused as refused:
            notes.append(f"{from_us(int(dates[0])):%Y-%m-%d} is left out: {refused.faults[0]}")
    if not found:
        raise TrainingRefused(
            f"the backtest of {definition.name}",
            [
                Fault(
                    where="the moments",
                    found=notes[-1],
                    rule="at least one moment with enough known outcomes before it",
                    next_step=f"deliver a longer history; --months below {months} looks at the newest moments only",
                )
            ],
        )
    return found, notes


def _moments(times: np.ndarray) -> list[np.ndarray]:
    """Dates by moment, oldest first: each date of the calendar grid; weekly dates together until four weeks are full."""
    out: list[list[int]] = []
    for time in times[::-1]:
        if out and out[-1][0] - time < DAYS_APART * DAY_US:
            out[-1].append(int(time))
        else:
            out.append([int(time)])
    return [np.array(block[::-1]) for block in out[::-1]]


def _list(
    definition: Model, rows: Rows, known: np.ndarray, now: np.ndarray, share: float, trials: int, seed: int
) -> Moment:
    past = rows.take(known)
    if not len(past):
        raise TrainingRefused(
            "the past",
            [Fault(where="known outcomes", found="none", rule="a past to learn from", next_step="take later moments")],
        )
    too_few(past.y, "the past")
    assert past.time is not None
    assert rows.time is not None
    split = split_in_time(past.time, past.y, definition.horizon_days * DAY_US, past.group, test_share=0.0)
    learnt = learn(
        past, split, LearnSettings(None, trials, seed), lambda r: [definition.direction(s) for s in r.signals]
    )
    names = [s.name for s in rows.signals]
    x = rows.x[now]
    p = sigmoid(learnt.model.log_odds(x[:, [names.index(s.name) for s in learnt.rows.signals]]))
    # The rule is found on the past, and applied to the rows of now with the past's rates.
    both = np.concatenate([known, now])
    fitted = np.arange(len(known))
    rule = rules.best_rule(rows.x[both], rows.categories, rows.y[both], rows.group[both], fitted)
    ranking = rules.ranked(rows.x[both][:, rule.place], rule, rows.y[both], fitted)
    return Moment(
        from_us(int(rows.time[now].min())).date(),
        len(past),
        rows.y[now],
        p,
        selected(p, share),
        selected(ranking[len(known) :], share),
        rule.words(names),
        rows.group[now],
        rows.value[now],
    )


def line(moment: Moment) -> dict[str, object]:
    """One moment as JSON-ready values."""
    y, money = moment.y, np.nan_to_num(moment.value)
    listed, outcomes = float(moment.listed.sum()), float(y.sum())
    caught = float(moment.listed @ y)
    return {
        "as_of": moment.as_of.isoformat(),
        "learnt_from": moment.learnt_from,
        "observed": len(y),
        "with_outcome": int(outcomes),
        "listed": round(listed, 1),
        "caught": round(caught, 1),
        "share_caught": round(caught / outcomes, 4) if outcomes else None,
        "precision": round(caught / listed, 4) if listed else None,
        "base_rate": round(outcomes / len(y), 4),
        "expected": round(float(moment.listed @ moment.p), 1),
        "auc": round(metrics.auc(y, moment.p), 4) if 0 < outcomes < len(y) else None,
        "caught_by_rule": round(float(moment.listed_by_rule @ y), 1),
        "rule": moment.rule,
        "value_with_outcome": round(float(money @ y), 2),
        "value_caught": round(float((moment.listed * y) @ money), 2),
    }


def total(moments: Sequence[Moment], seed: int = 0) -> dict[str, object]:
    """All lists together; the intervals resample accounts, which come again from moment to moment."""
    y, listed, rule, group, value = (
        np.concatenate([getattr(m, name) for m in moments])
        for name in ("y", "listed", "listed_by_rule", "group", "value")
    )
    money = np.nan_to_num(value)

    def share(of: np.ndarray, weight: np.ndarray) -> metrics.Metric:
        def metric(weights: np.ndarray) -> np.ndarray:
            with np.errstate(invalid="ignore", divide="ignore"):
                return np.asarray((weights @ (of * weight)) / (weights @ weight))

        return metric

    shares = {
        "share_caught": share(listed, y),
        "share_caught_by_rule": share(rule, y),
        "precision": share(y, listed),
        "share_of_value_caught": share(listed, y * money),
    }
    draws = metrics.resample(group, seed, shares)
    once = {name: metrics.point(metric, len(y)) for name, metric in shares.items()}
    figures: dict[str, object] = {
        name: metrics.interval(once[name], draws[name]).as_dict() for name in shares if np.isfinite(once[name])
    }
    over = draws["share_caught"] - draws["share_caught_by_rule"]
    return {
        "observed": len(y),
        "with_outcome": int(y.sum()),
        "listed": round(float(listed.sum()), 1),
        "caught": round(float(listed @ y), 1),
        "caught_by_chance": round(float(listed.mean() * y.sum()), 1),
        "caught_by_rule": round(float(rule @ y), 1),
        "base_rate": round(float(y.mean()), 4),
        "value_with_outcome": round(float(money @ y), 2),
        "value_caught": round(float((listed * y) @ money), 2),
        **figures,
        "over_rule": metrics.interval(once["share_caught"] - once["share_caught_by_rule"], over).as_dict(),
    }


def _no_dates(definition: Model) -> TrainingRefused:
    return TrainingRefused(
        f"the backtest of {definition.name}",
        [
            Fault(
                where="the outcomes",
                found="they have no date",
                rule="a replay asks what was known at a date",
                next_step="deliver event_time with the outcomes; fit judges what there is",
            )
        ],
    )
