"""Inputs and time: dates, lengths between them, columns that stand for the date, levels that drift."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pandas as pd

from features.audit.finding import MIN_ROWS, Finding, Table, is_date, strength
from features.audit.leaks import TOO_GOOD_AUC, is_key

FEWEST_LENGTHS = 20
"""Agreed terms come in a few lengths (30, 90, 365 days); what happens has many."""


def parsed(table: Table) -> dict[str, pd.Series[Any]]:
    """The columns that hold dates, as naive UTC times."""
    return {
        name: pd.to_datetime(table.inputs[name], errors="coerce", utc=True).dt.tz_localize(None)
        for name in table.names
        if is_date(table.inputs[name].dropna())
    }


def dates(table: Table) -> list[Finding]:
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


def set_later(table: Table) -> list[Finding]:
    """Dates after the time of the row, at lengths that nobody agreed upon: the column was filled in later."""
    if table.moment is None:
        return []
    found = []
    for name, values in parsed(table).items():
        length = (values - table.moment).dt.total_seconds() / 86_400
        later = length[length > 0]
        hours = (later * 24).round()
        share = len(later) / max(int(length.notna().sum()), 1)
        if len(later) >= MIN_ROWS and share > 0.05 and hours.nunique() >= FEWEST_LENGTHS:
            found.append(
                Finding(
                    "set_later",
                    "medium",
                    (name,),
                    f"{share:.0%} of its dates lie after the time of the row, {later.median():.0f} days in the median",
                    "it was not known at the time of the row: leave it out, with all that was filled in with it",
                    {"share": share, "days": float(later.median())},
                )
            )
    return found


def lengths(table: Table) -> list[Finding]:
    """Lengths between two dates that rank the outcome, and numbers that are such a length."""
    moments = parsed(table)
    if table.moment is not None:
        moments = {"the time of the row": table.moment, **moments}
    found = []
    for left, right in itertools.combinations(moments, 2):
        length = (moments[right] - moments[left]).dt.total_seconds() / 86_400
        held = length.notna()
        if held.sum() < MIN_ROWS or (length * 24).round().nunique() <= 5:
            continue
        columns = tuple(n for n in (left, right) if n in table.names)
        auc = strength(length.round(), table.outcome)
        if auc >= 0.55 + 1 / np.sqrt(held.sum()):
            found.append(
                Finding(
                    "length_knows",
                    "high" if auc >= TOO_GOOD_AUC else "medium",
                    columns,
                    f"the days from {left} to {right} rank the outcome with an AUC of {auc:.3f}",
                    "one of the two is set by the outcome: leave that one and the length out",
                    {"auc": auc},
                )
            )
        for name in table.names:
            number = table.inputs[name]
            if not pd.api.types.is_numeric_dtype(number) or pd.api.types.is_bool_dtype(number) or number.nunique() <= 5:
                continue
            both = held & number.notna()
            if both.sum() >= MIN_ROWS and abs(np.corrcoef(length[both], number[both].astype(float))[0, 1]) > 0.999:
                found.append(
                    Finding(
                        "is_a_length",
                        "medium",
                        (name,),
                        f"it is the time from {left} to {right}",
                        "it is known when the later of the two is: leave it out unless both are before the outcome",
                    )
                )
    return found


def order_in_time(table: Table) -> list[Finding]:
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


def drift(table: Table) -> list[Finding]:
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


def input_drift(table: Table) -> list[Finding]:
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
                    f"it tells the newest 20 % of the rows from the others with an AUC of {auc:.3f}",
                    "what it meant before it may not mean now: look at it by period before you rely on it",
                    {"auc": auc},
                )
            )
    return found
