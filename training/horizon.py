"""The gap of one horizon between the periods of a flat table (`--horizon`)."""

from __future__ import annotations

import numpy as np

from features.kit.clock import DAY_US
from features.kit.errors import Fault
from training.dataset import Rows
from training.entity_column import Entities
from training.errors import TrainingRefused
from training.splits import Split, split_in_time

FEWEST = 20
"""Rows with the outcome, and without it, below which nothing can be learnt."""


def horizon_over(time: np.ndarray, y: np.ndarray, horizon_days: int | None, now_us: int | None) -> np.ndarray | None:
    """(n,) bool: the horizon of the row was over at the clock, so that its outcome is known. None without a horizon or a clock.

    A 0 in a row of last week means "not yet"; a row dated ahead has no outcome at all. A horizon that is longer
    than the times of all rows is refused by the split, which knows what works. Raises `TrainingRefused` when too few rows remain.
    """
    if horizon_days is None or now_us is None or horizon_days * DAY_US > int(time.max() - time.min()):
        return None
    over: np.ndarray = time + horizon_days * DAY_US <= now_us
    remain, positives = int(over.sum()), int(y[over].sum())
    if over.all() or min(positives, remain - positives) >= FEWEST:
        return over
    clock = np.datetime64(now_us, "us").astype("datetime64[s]")
    raise TrainingRefused(
        "the table",
        [
            Fault(
                where=f"--horizon {horizon_days}",
                found=f"it was over for {remain:,} of {len(time):,} rows at the clock ({clock}Z), {positives:,} of them with the outcome",
                rule=f"a row is learnt from when its outcome is known; at least {FEWEST} with and {FEWEST} without it",
                next_step="add older rows, or set ACCOUNTSCORE_NOW when your data live at another time",
            )
        ],
    )


def split_by_horizon(rows: Rows, horizon_days: int | None, together: np.ndarray | None) -> Split:
    """The split by time with a gap of the horizon (none without one); rows that are `together` stay on one side.

    Raises `TrainingRefused` with the longest horizon that these rows allow.
    """
    assert rows.time is not None

    def tried(days: int) -> Split:
        assert rows.time is not None
        return split_in_time(rows.time, rows.y, days * DAY_US, rows.group, together)

    horizon, span = horizon_days or 0, int(rows.time.max() - rows.time.min()) // DAY_US
    said = ""
    if horizon <= span:
        try:
            return tried(horizon)
        except TrainingRefused as refused:
            if not horizon:
                raise
            said = f"; {refused.faults[0].where}: {refused.faults[0].found}"
    works, fails = 0, min(horizon, span + 1)
    while fails - works > 1:
        days = (works + fails) // 2
        try:
            tried(days)
            works = days
        except TrainingRefused:
            fails = days
    raise TrainingRefused(
        "the table",
        [
            Fault(
                where=f"--horizon {horizon}",
                found=f"the times span {span:,} days{said}",
                rule="train, calibrate and test are three periods with one horizon between each two, each with both outcomes",
                next_step=f"--horizon {works} or less works on these rows, where the outcome is meant so; else add older rows"
                if works
                else "add older rows",
            )
        ],
    )


def gap_notes(horizon_days: int | None, entities: Entities) -> list[str]:
    """Notes of the report about the gap, or about what was done without one."""
    if horizon_days:
        return [
            f"The gap is {horizon_days} days: the outcome of no row that was learnt from reaches into the test period."
        ]
    said = (
        "No --horizon is given, so there is no gap: where the outcome takes time, rows on both sides of a line share it, and the "
        "figures are too good. The verdict holds if no two rows overlap."
    )
    if entities.column is not None:
        said += f" All rows of one {entities.column} are on one side of each line instead."
    return [said]
