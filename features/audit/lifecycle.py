"""Finds columns that were filled in after the moment for which a row stands.

A file of last states (a ticket with its closing, a contract with its end) is written in two steps at least. The first is
the row's begin: the time that the reader names, or else the one date that is filled in everywhere and lies before every
other. A date after it, at lengths that nobody agreed upon, is the second step; what is filled in with that step, says
whether it was taken, or measures how long it took, was not known at the begin. These rules ask for no outcome.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from features.audit.finding import MIN_ROWS, AuditedTable, Finding, as_dates, is_date

FEWEST_LENGTHS = 20
"""Agreed terms come in a few lengths (30, 90, 365 days); what happens has many."""
ALWAYS = 0.999
"""Share of rows in which a rule holds that is taken to hold always: files have typing errors."""
CHANCE = -9.0
"""Log10 of the chance below which that many gaps together are no accident."""
MOST_WORDS = 20
"""A column with more different values is no status."""

Dates = dict[str, "pd.Series[Any]"]


@dataclass(frozen=True)
class Begin:
    """The moment that each row stands for, and the column that holds it (None when the reader named it)."""

    name: str
    column: str | None
    at: pd.Series[Any]


def parsed(table: AuditedTable) -> Dates:
    """The columns that hold dates, as naive UTC times."""
    return {name: as_dates(table.inputs[name]) for name in table.names if is_date(table.inputs[name].dropna())}


def begin_of(table: AuditedTable, moments: Dates) -> Begin | None:
    """The begin of the rows, None when no date is filled in everywhere and precedes every other one."""
    if table.moment is not None:
        return Begin("the time of the row", None, table.moment)
    for name, at in moments.items():
        others = [values for other, values in moments.items() if other != name]
        if others and bool(at.notna().all()) and all(_precedes(at, values.dropna()) for values in others):
            return Begin(name, name, at)
    return None


def _precedes(begin: pd.Series[Any], held: pd.Series[Any]) -> bool:
    before = begin[held.index]
    return len(held) > 0 and float((before <= held).mean()) >= ALWAYS and bool((before < held).any())


def ends_of(begin: Begin, moments: Dates) -> Dates:
    """The dates of a later step: days from the begin to them, missing where the step was not taken."""
    found = {}
    for name, values in moments.items():
        days = (values - begin.at).dt.total_seconds() / 86_400
        later = days[days > 0]
        open_ended = (later * 24).round().nunique() >= FEWEST_LENGTHS
        if name != begin.column and len(later) >= MIN_ROWS and len(later) > 0.05 * days.notna().sum() and open_ended:
            found[name] = days
    return found


def completed_later(table: AuditedTable) -> list[Finding]:
    """Dates set after the begin of their row, and the columns that are filled in with them."""
    moments = parsed(table)
    begin = begin_of(table, moments)
    if begin is None:
        return []
    ends = ends_of(begin, moments)
    found = [_set_later(name, days, begin) for name, days in ends.items()]
    for name in table.names:
        if name not in moments:
            found += next(([f] for end, days in ends.items() if (f := _with_end(table.inputs[name], end, days))), [])
    return found


def _set_later(name: str, days: pd.Series[Any], begin: Begin) -> Finding:
    later = days[days > 0]
    share = len(later) / int(days.notna().sum())
    return Finding(
        "set_later",
        "medium",
        (name,),
        f"{share:.0%} of its dates lie after {begin.name}, {later.median():.0f} days in the median",
        "it was not known at the time of the row: leave it out, with all that was filled in with it",
        {"share": share, "days": float(later.median())},
    )


def _with_end(column: pd.Series[Any], end: str, days: pd.Series[Any]) -> Finding | None:
    """What a column has to do with a later step: it says that it was taken, or is filled in with it."""
    name = (str(column.name),)
    ended = days.notna()
    n = int((~ended).sum())
    told = _tells(column, ended)
    if told is not None:
        evidence = f"its value says whether {end} is filled in, in {told:.1%} of the rows"
        advice = f"it is set when {end} is: leave it out, or give it the time at which it was set"
        return Finding("restates_end", "medium", name, evidence, advice, {"share": told})
    gone = column.isna()
    if not MIN_ROWS <= int(gone.sum()) <= len(gone) - MIN_ROWS:
        return None
    advice = "take it as known when the row is completed, never at its begin; leave it out for rows that are still open"
    if n < MIN_ROWS:
        evidence = f"missing in {gone.mean():.1%} of the rows, and all of them have been completed ({end}): nothing shows that it was there before"
        return Finding("may_be_filled_later", "medium", name, evidence, advice, {"missing": float(gone.mean())})
    if bool(gone[~ended].all()) and n * np.log10(float(gone.mean())) < CHANCE:
        evidence = (
            f"never filled in for the {n:,} rows without {end}, for {1 - gone[ended].mean():.1%} of those with it"
        )
        return Finding("filled_with_end", "medium", name, evidence, advice, {"rows": n})
    return None


def _tells(column: pd.Series[Any], ended: pd.Series[Any]) -> float | None:
    """Share of rows in which a vocabulary tells whether the step was taken; None when it does not always."""
    if not MIN_ROWS <= int(ended.sum()) <= len(ended) - MIN_ROWS or not 2 <= column.nunique() <= MOST_WORDS:
        return None
    taken = ended[column.notna()].groupby(column[column.notna()]).agg(["mean", "size"])
    told = float((np.maximum(taken["mean"], 1 - taken["mean"]) * taken["size"]).sum() / taken["size"].sum())
    both = bool((taken["mean"] > 0.5).any() and (taken["mean"] < 0.5).any())
    return told if both and told >= ALWAYS and column.notna().mean() >= ALWAYS else None


def measured_lengths(table: AuditedTable) -> list[Finding]:
    """Numbers that are the time between two dates: known when the later of the two is."""
    found = []
    for left, right, days in spans(table):
        for name in table.names:
            number = table.inputs[name]
            if not pd.api.types.is_numeric_dtype(number) or pd.api.types.is_bool_dtype(number) or number.nunique() <= 5:
                continue
            both = days.notna() & number.notna()
            if both.sum() >= MIN_ROWS and abs(np.corrcoef(days[both], number[both].astype(float))[0, 1]) > ALWAYS:
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


def spans(table: AuditedTable) -> list[tuple[str, str, pd.Series[Any]]]:
    """The days between each two dates of a row, where there are enough, and enough different ones, to tell anything."""
    moments = parsed(table)
    if table.moment is not None:
        moments = {"the time of the row": table.moment, **moments}
    found = []
    for left, right in itertools.combinations(moments, 2):
        days = (moments[right] - moments[left]).dt.total_seconds() / 86_400
        if days.notna().sum() >= MIN_ROWS and (days * 24).round().nunique() > 5:
            found.append((left, right, days))
    return found
