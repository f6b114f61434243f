"""Leak rules about time: dates, lengths between them, columns that stand for the date, drift."""

from __future__ import annotations

import numpy as np
import pandas as pd

from features.audit.finding import AuditedTable, Finding, is_date, strength
from features.audit.leaks import TOO_GOOD_AUC, is_key
from features.audit.lifecycle import begin_of, parsed, spans

FEWEST_OF_EACH = 10
"""Rows of each outcome that a rank is read from."""


def dates(table: AuditedTable) -> list[Finding]:
    """Dates are never inputs as they are; one that most rows share is the day on which the table was made."""
    found = []
    for name, values in parsed(table).items():
        days = values.dt.normalize().value_counts(normalize=True)
        if len(days) and days.iloc[0] > 0.5 and days.index[0] >= values.max().normalize():
            evidence = f"{days.iloc[0]:.0%} of the rows have its last day, {days.index[0]:%Y-%m-%d}"
            advice = "it is when the table was made: what was updated on that day is as of that day, not as of the row"
            found.append(
                Finding("extraction_date", "medium", (name,), evidence, advice, {"share": float(days.iloc[0])})
            )
            continue
        found.append(
            Finding(
                "date",
                "medium",
                (name,),
                f"it is a date, from {values.min():%Y-%m-%d} to {values.max():%Y-%m-%d}",
                "never an input as it is: name it as the time of the row, use an age as of that time, or leave it out",
            )
        )
    return found


def lengths(table: AuditedTable) -> list[Finding]:
    """Dates whose distance from the begin of their row (or from each other, where no begin is known) ranks the outcome.

    Only rows that have both dates are asked: what a gap says is said elsewhere. The later date is the one in question; the begin of
    a row is known.
    """
    begin = begin_of(table, parsed(table))
    start = None if begin is None else begin.name
    found = []
    for left, right, days in spans(table):
        both = days.notna().to_numpy()
        y = table.outcome[both]
        if (start is not None and start not in (left, right)) or min(y.sum(), len(y) - y.sum()) < FEWEST_OF_EACH:
            continue
        auc = strength(days[both].round(), y)
        if auc < 0.55 + 1 / np.sqrt(both.sum()):
            continue
        late = right if left == start or (right != start and days.median() >= 0) else left
        found.append(
            Finding(
                "length_knows",
                "high" if auc >= TOO_GOOD_AUC else "medium",
                (late,),
                f"the days from {left} to {right} rank the outcome with an AUC of {auc:.3f}",
                f"{late} is set by the outcome, or late: leave it and the length out",
                {"auc": auc},
            )
        )
    return found


def order_in_time(table: AuditedTable) -> list[Finding]:
    """Columns that the order of the rows predicts: they tell the date, and a model learns the season that was."""
    blocks = (
        np.argsort(np.argsort(table.order, kind="stable"), kind="stable") * 50 // max(len(table.order), 1)
    ).astype(int)
    found = []
    for name in table.names:
        column = table.inputs[name]
        if not pd.api.types.is_numeric_dtype(column) or column.nunique() < 3:
            continue
        values = column.rank().fillna(0).to_numpy(dtype=float)
        total = values.var()
        means = pd.Series(values).groupby(blocks).transform("mean").to_numpy()
        explained = float(means.var() / total) if total else 0.0
        if explained >= 0.7:
            found.append(
                Finding(
                    "tells_the_date",
                    "medium",
                    (name,),
                    f"the position of the row explains {explained:.0%} of it",
                    "it stands for the date: a split by time shows what it is worth, a random one flatters it",
                    {"explained": explained},
                )
            )
    return found


def drift(table: AuditedTable) -> list[Finding]:
    """The base rate of the newest fifth against the rest."""
    if not table.dated and len(table.order) < 1_000:
        return []
    newest = np.argsort(np.argsort(table.order, kind="stable"), kind="stable") >= 0.8 * len(table.order)
    old, new = float(table.outcome[~newest].mean()), float(table.outcome[newest].mean())
    error = np.sqrt(old * (1 - old) / max((~newest).sum(), 1) + new * (1 - new) / max(newest.sum(), 1))
    if abs(new - old) > 5 * error and not 0.67 <= new / max(old, 1e-9) <= 1.5:
        return [
            Finding(
                "outcome_drifts",
                "medium",
                (),
                f"outcome {old:.1%} in the first 80 % of the rows, {new:.1%} in the last 20 %",
                "split by time, and expect probabilities to be off until the model is trained on the new level",
                {"old": old, "new": new},
            )
        ]
    return []


def input_drift(table: AuditedTable) -> list[Finding]:
    """Inputs whose values tell the newest fifth of the rows from the rest, though they are no clock."""
    if not table.dated or len(table.order) < 500:
        return []
    rank = np.argsort(np.argsort(table.order, kind="stable"), kind="stable")
    newest = (rank >= 0.8 * len(rank)).astype(int)
    found = []
    for name in table.names:
        if is_date(table.inputs[name].dropna()) or is_key(table.inputs[name]):
            continue
        auc = strength(table.inputs[name], newest)
        if auc >= 0.75:
            found.append(
                Finding(
                    "input_drifts",
                    "medium",
                    (name,),
                    f"it separates the newest 20 % of the rows from the others with an AUC of {auc:.3f}",
                    "what it meant before it may not mean now: look at it by period before you rely on it",
                    {"auc": auc},
                )
            )
    return found
