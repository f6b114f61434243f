"""The audited table and the findings about it, with the strength of one column alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd
from scipy.stats import rankdata

Severity = Literal["high", "medium", "low"]
PROOFS = ("copy_of_outcome", "presence_gives_outcome", "signal_leaks")
"""Codes that are facts about the data; promotion is blocked by every finding of high severity."""

MIN_ROWS = 50
"""Fewer rows than this prove nothing about a value or a gap."""


@dataclass(frozen=True)
class Finding:
    code: str
    severity: Severity
    columns: tuple[str, ...]
    evidence: str
    advice: str
    numbers: dict[str, float] = field(default_factory=dict)

    @property
    def is_proof(self) -> bool:
        return self.code in PROOFS

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class AuditedTable:
    """A table with its outcome: `outcome` is 0/1 per row; `order` is the time or the row number."""

    inputs: pd.DataFrame
    outcome: np.ndarray
    order: np.ndarray
    dated: bool
    label: str = ""
    """Name of the outcome."""
    moment: pd.Series[Any] | None = None
    """The time that each row stands for, when there is one."""

    @property
    def names(self) -> list[str]:
        return [str(name) for name in self.inputs.columns]

    @property
    def base_rate(self) -> float:
        return float(self.outcome.mean())


def codes(column: pd.Series[Any], bins: int = 20) -> np.ndarray:
    """A column as small integers: quantile bins of numbers, one per text, 0 for missing."""
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column) and column.nunique() > bins:
        values = column.to_numpy(dtype=float)
        edges = np.unique(np.nanquantile(values, np.linspace(0, 1, bins + 1)[1:-1]))
        keys = np.where(np.isnan(values), 0, np.searchsorted(edges, values, side="right") + 1)
        # A value that many rows share (0, a sentinel) is a category of its own, not the edge of a bin.
        common = column.value_counts(normalize=True)
        for number, value in enumerate(common.index[common.to_numpy() > 0.05]):
            keys[values == value] = len(edges) + 2 + number
        return keys
    return pd.factorize(column.astype("object").where(column.notna(), None), use_na_sentinel=True)[0] + 1


def auc_of(outcome: np.ndarray, score: np.ndarray) -> float:
    """ROC AUC by ranks (Mann and Whitney), ties by half; scikit-learn's checks cost ten times as much, and this is asked often.

    >>> auc_of(np.array([0, 0, 1, 1]), np.array([1.0, 2.0, 2.0, 3.0]))
    0.875
    """
    positives = int(outcome.sum())
    negatives = len(outcome) - positives
    above = float(rankdata(score)[outcome == 1].sum()) - positives * (positives + 1) / 2
    return above / (positives * negatives)


def strength(column: pd.Series[Any], outcome: np.ndarray, folds: int = 5) -> float:
    """Out-of-fold ROC AUC of one column alone, in [0, 1]; 0.5 says nothing."""
    keys = codes(column)
    size = int(keys.max()) + 1
    base, prior = outcome.mean(), 10.0
    # Rows are dealt in a fixed scramble, so that an order in the file cannot line up with the folds.
    fold = np.random.default_rng(0).permutation(len(keys)) % folds
    score = np.empty(len(keys))
    for i in range(folds):
        held = fold == i
        hits = np.bincount(keys[~held], outcome[~held], size)
        seen = np.bincount(keys[~held], minlength=size)
        score[held] = ((hits + prior * base) / (seen + prior))[keys[held]]
    return auc_of(outcome, score)


Rule = Callable[[AuditedTable], list[Finding]]


def is_date(column: pd.Series[Any]) -> bool:
    """Whether a column holds times, or texts of which nine in ten are dates (of the first 200)."""
    if pd.api.types.is_datetime64_any_dtype(column):
        return True
    if pd.api.types.is_numeric_dtype(column) or len(column) == 0:
        return False
    sample = column.astype(str).head(200)
    if not sample.str.match(r"^\d{4}-\d{2}-\d{2}|^\d{1,2}[/.]\d{1,2}[/.]\d{4}").mean() > 0.9:
        return False
    return bool(as_dates(sample).notna().mean() > 0.9)


_NUMBERS = r"^(\d{1,2})[/.](\d{1,2})[/.](\d{4})(.*)$"


def as_dates(column: pd.Series[Any]) -> pd.Series[Any]:
    """(n,) naive UTC times of a column of dates; NaT where a text is none.

    Of dates such as 31.01.2024 or 1/31/2024 the day comes first with dots, or when some first number is above 12.

    >>> as_dates(pd.Series(["01.02.2024", "31.01.2024"])).dt.strftime("%Y-%m-%d").tolist()
    ['2024-02-01', '2024-01-31']
    """
    if not pd.api.types.is_datetime64_any_dtype(column):
        parts = column.astype("str").str.extract(_NUMBERS)
        if parts[0].notna().any():
            dotted = column.astype("str").str.contains(".", regex=False)[parts[0].notna()].any()
            day, month = (0, 1) if dotted or parts[0].astype(float).max() > 12 else (1, 0)
            column = parts[2] + "-" + parts[month].str.zfill(2) + "-" + parts[day].str.zfill(2) + parts[3]
    return pd.to_datetime(column, errors="coerce", utc=True).dt.tz_localize(None)
