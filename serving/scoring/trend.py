"""Trend of an account or a lead, from its earlier scores."""

from __future__ import annotations

from typing import Literal

from features.kit.clock import DAY_US

LATEST_US = 28 * DAY_US
"""Least age of the earlier score: a whole window of signals has passed."""
EARLIEST_US = 84 * DAY_US
"""Greatest age of the earlier score: older ones say nothing about now."""
STEADY_BELOW = 10
"""Percentiles. A smaller move is more often noise of the windows than news."""

Trend = Literal["improving", "steady", "declining", "not_enough"]


def trend(score: int, earlier: int | None, sign: int) -> Trend:
    """How the percentile moved over 28 to 84 days, as seen from the customer relationship.

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
