"""Whether an account or a lead gets better, from the scores it had."""

from __future__ import annotations

from typing import Literal

from features.kit.clock import DAY_US

LATEST_US = 28 * DAY_US
"""The score compared with is at least so much older: a window of signals has moved on entirely."""
EARLIEST_US = 84 * DAY_US
"""And at most so much: what was longer ago says nothing about where it goes now."""
STEADY_BELOW = 10
"""Percentiles. A smaller move is noise of the windows more often than news."""

Trend = Literal["improving", "steady", "declining", "not_enough"]


def trend(score: int, earlier: int | None, sign: int) -> Trend:
    """How the percentile moved in 28 to 84 days, seen from the relationship.

    `sign` is the model's: +1 when a higher score is better (a lead), -1 when it is worse (churn).

    >>> trend(80, 60, sign=1), trend(80, 60, sign=-1), trend(80, 75, sign=1), trend(80, None, sign=1)
    ('improving', 'declining', 'steady', 'not_enough')
    """
    if earlier is None:
        return "not_enough"
    better = (score - earlier) * sign
    if abs(better) < STEADY_BELOW:
        return "steady"
    return "improving" if better > 0 else "declining"
