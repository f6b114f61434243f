"""Finds dates at which outcomes were not recorded: a model trained on them would learn that nobody leaves."""

from __future__ import annotations

import numpy as np

from features.kit.clock import from_us
from features.kit.errors import Fault, TrainingRefused
from features.outcomes.labels import Outcomes

SILENT_EXPECTED = 15.0
"""Outcomes were not recorded at a date when at least so many were expected there and none came."""


def recorded_from(outcomes: Outcomes, as_of: np.ndarray, y: np.ndarray) -> int:
    """The first outcome's time when dates before it are silent though many outcomes were to be expected there, else 0.

    Such data begin with the survivors: who had left before is not in them, and nobody leaves in their first dates.
    """
    if outcomes.snapshot is not None or outcomes.events.empty:
        return 0
    first = int(outcomes.events["time_us"].min())
    early = as_of < first
    if early.all() or not early.any():
        return 0
    return first if early.sum() * y[~early].mean() >= SILENT_EXPECTED else 0


def refuse_silent_dates(subject: str, as_of: np.ndarray, y: np.ndarray) -> None:
    """Raises `TrainingRefused` when outcomes stop, or have not begun, for whole dates at which many were to be expected."""
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
                where=f"observation dates {first:%Y-%m-%d} to {last:%Y-%m-%d}",
                found=f"no outcome at {int(silent.sum())} of {len(dates)} dates, where {rows[silent].sum() * rate:,.0f} were to be expected",
                rule="outcomes are recorded throughout the period that is learnt from",
                next_step=f"pass --since {after:%Y-%m-%d}, from when on outcomes are recorded"
                if after
                else "complete the outcomes, or end the data before they stop",
            )
        ],
    )
