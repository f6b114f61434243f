"""Name and values together: names of an end, a step or a last state, and columns filled in for one outcome only.

A name alone is a question (medium), and so are values alone (`strong_alone`); together they are an answer. The more the
name says, the less the values must show. For a word of the end, any dependence beyond noise suffices, by rank or by
being filled in. For a word of what usually comes late, the column must be filled in nearly for one outcome alone, or
rank it fairly.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from features.audit.finding import MIN_ROWS, AuditedTable, Finding, strength
from features.audit.names import Reading, reading_of, words_of
from features.audit.shape import DEFAULTS

BEYOND_NOISE = 4.0
"""Standard errors of an AUC of 0.5: of 1,000 columns of noise one in ten tables has one beyond it by chance."""
DEPENDS_AUC, SLIGHT_AUC, FAIR_AUC, CLEAR_AUC, STRIKING_AUC = 0.53, 0.55, 0.58, 0.70, 0.80
ALMOST_ONLY, MOSTLY = 20.0, 6.0
"""How many times as often it is filled in with one outcome as with the other; honest columns stay near 1 to 5."""
NOTHING = {0.0, -1.0, -9.0, -99.0, -999.0, 99.0, 999.0, 9999.0, 99999.0, 999999.0}
NO_WORDS = DEFAULTS | {"", "no", "false", "never", "not applicable", "nothing", "nan"}
FEWEST = 20
"""Rows that are filled in, fewer of which show nothing."""


@dataclass(frozen=True)
class Facts:
    """What one column shows beside the outcome."""

    name: str
    reading: Reading | None
    auc: float
    """Of the column alone, out of fold."""
    error: float
    """Standard error of the AUC of a column that says nothing."""
    filled_ratio: float
    """How many times as often it is filled in (not missing, not 0, not false) with the outcome as without it; 1.0 says nothing."""
    filled: int

    @property
    def depends(self) -> bool:
        return self.auc >= max(DEPENDS_AUC, 0.5 + BEYOND_NOISE * self.error) or self.one_sided >= MOSTLY / 2

    @property
    def one_sided(self) -> float:
        """The ratio seen from the outcome that has the column more often; at least 1."""
        return max(self.filled_ratio, 1 / self.filled_ratio)


def facts_of(table: AuditedTable) -> dict[str, Facts]:
    """The facts of every column that is no identifier."""
    positives = int(table.outcome.sum())
    negatives = len(table.outcome) - positives
    error = float(np.sqrt((positives + negatives + 1) / (12 * max(positives, 1) * max(negatives, 1))))
    found = {}
    for name in table.names:
        column = table.inputs[name]
        there = filled_in(column)
        n = int(there.sum())
        ratio = _ratio(there, table.outcome) if FEWEST <= n <= len(there) - FEWEST else 1.0
        reading = reading_of(name)
        found[name] = Facts(name, reading, strength(column, table.outcome), error, ratio, n)
    return found


def filled_in(column: pd.Series[Any]) -> np.ndarray:
    """Rows in which a column holds something: not missing, and not what often stands for nothing (0, -1, 999, false, "no", "n/a")."""
    there = column.notna().to_numpy()
    if pd.api.types.is_datetime64_any_dtype(column) or not there.any():
        return np.asarray(there)
    common = column[there].mode().iloc[0]
    if pd.api.types.is_numeric_dtype(column):
        nothing = (
            (column == common).fillna(False).to_numpy(dtype=bool)
            if float(common) in NOTHING
            else np.zeros(len(there), bool)
        )
    else:
        nothing = column.astype("str").str.strip().str.lower().isin(NO_WORDS).to_numpy(dtype=bool)
    # Where it is rare it is a value as others are.
    return np.asarray(there & ~nothing if nothing.mean() > 0.2 else there)


def _ratio(there: np.ndarray, outcome: np.ndarray) -> float:
    """Share filled in with the outcome over that without it, each with half a row more, which draws it to 1."""
    with_it, without = there[outcome == 1], there[outcome == 0]
    return float((with_it.sum() + 0.5) / (len(with_it) + 1) / ((without.sum() + 0.5) / (len(without) + 1)))


def named_and_telling(table: AuditedTable, columns: Mapping[str, Facts]) -> list[Finding]:
    """Columns that a name and the values together show to be known with the outcome, or after it."""
    found = []
    asked = set(words_of(table.label))
    for facts in columns.values():
        reading = facts.reading
        if reading is None or is_constant(table.inputs[facts.name]):
            continue
        severity = severity_of(facts, reading)
        if severity is None:
            continue
        what = {
            "end": "speaks of the end",
            "after": "speaks of what comes late",
            "step": "is the length or share of a step",
            "state": "speaks of a last state or a total",
            "length": "is a length of time",
        }[reading.kind]
        of_label = " and of the outcome" if asked & set(reading.words) else ""
        numbers = {"auc": facts.auc, "filled_ratio": facts.filled_ratio}
        found.append(
            Finding(
                "named_as_later",
                severity,
                (facts.name,),
                f"its name {what}{of_label} ({reading.shown!r}), and {told(facts)}",
                "leave it out unless you can show that it is filled in before the outcome",
                numbers,
            )
        )
    return found


def severity_of(facts: Facts, reading: Reading) -> Any:
    """high, medium, or None when the values do not bear out the name."""
    pure = facts.one_sided >= ALMOST_ONLY
    if reading.history:
        return "medium" if reading.kind in ("end", "step") and (pure or facts.auc >= FAIR_AUC) else None
    if reading.kind == "end":
        return "high" if facts.depends else "medium"
    if reading.kind == "step":
        if facts.depends:
            return "high"
        return "medium" if {"to", "until", "till", "through", "elapsed", "in"} & set(reading.words) else None
    if reading.kind == "after":
        if pure or facts.auc >= STRIKING_AUC or (facts.auc >= CLEAR_AUC and facts.one_sided >= MOSTLY):
            return "high"
        return "medium" if facts.depends and (facts.auc >= SLIGHT_AUC or facts.one_sided >= MOSTLY / 2) else None
    if reading.kind == "state" and (pure or facts.auc >= STRIKING_AUC):
        return "high"
    return "medium" if facts.auc >= FAIR_AUC else None


def told(facts: Facts) -> str:
    """The evidence of the values in words."""
    if facts.one_sided >= MOSTLY / 2:
        side = "with" if facts.filled_ratio > 1 else "without"
        return f"it is filled in {facts.one_sided:,.0f} times as often {side} the outcome (alone it ranks with an AUC of {facts.auc:.3f})"
    if facts.depends:
        return f"alone it ranks the outcome with an AUC of {facts.auc:.3f}, beyond noise"
    return f"its values alone show nothing (AUC {facts.auc:.3f})"


def filled_for_one(table: AuditedTable, columns: Mapping[str, Facts]) -> list[Finding]:
    """Columns that hold something (nearly) for one outcome alone, also where 0 or false stands for nothing."""
    found = []
    for facts in columns.values():
        if facts.one_sided < MOSTLY or facts.filled < MIN_ROWS:
            continue
        there = filled_in(table.inputs[facts.name])
        rate, base = float(table.outcome[there].mean()), table.base_rate
        found.append(
            Finding(
                "filled_for_one_outcome",
                "high" if facts.one_sided >= ALMOST_ONLY else "medium",
                (facts.name,),
                f"where it holds something ({facts.filled:,} rows) the outcome came in {rate:.1%}, {base:.1%} overall: "
                f"{facts.one_sided:,.0f} times as often for one outcome",
                "leave it out, also as a flag, unless it is filled in before the outcome is known",
                {"rows": facts.filled, "rate": rate, "filled_ratio": facts.filled_ratio},
            )
        )
    return found


def is_constant(column: pd.Series[Any]) -> bool:
    return column.nunique(dropna=False) < 2
