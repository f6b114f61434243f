"""The one clock of serving: UTC, in microseconds since 1970 where it is stored."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from features.kit.clock import Clock, make_clock

__all__ = ["Clock", "from_us", "iso", "make_clock", "system_us", "to_us"]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SKEW_US = 300_000_000
"""Clocks of two machines agree within so much; what is stored for a moment further ahead of the clock was stored by mistake."""
AHEAD_US = 86_400_000_000
"""And readers pass over what is more than a day ahead: with `ACCOUNTSCORE_NOW` each process runs on from its own start."""


def to_us(moment: datetime) -> int:
    """Microseconds since 1970, exact."""
    return (moment - EPOCH) // timedelta(microseconds=1)


def from_us(microseconds: int) -> datetime:
    return EPOCH + timedelta(microseconds=microseconds)


def system_us() -> int:
    """The system's time, whatever moment scores are for: for attempts, pauses and the age of entries."""
    return time.time_ns() // 1000


def iso(moment: datetime) -> str:
    """`2026-11-23T06:00:00Z`, with microseconds only where there are some.

    >>> iso(datetime(2026, 11, 23, 6, tzinfo=UTC))
    '2026-11-23T06:00:00Z'
    """
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
