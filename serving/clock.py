"""The one clock of serving: UTC, in microseconds since 1970 where it is stored."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from features.cli import parse_as_of

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Clock = Callable[[], datetime]


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


def make_clock(start: str | None = None) -> Clock:
    """The system's clock, or one set to `start` (default `ACCOUNTSCORE_NOW`) that runs on from there.

    For data that ended years ago: signals as of today would all be empty. Signatures are always judged by the system's
    clock.
    """
    start = start or os.environ.get("ACCOUNTSCORE_NOW")
    if not start:
        return lambda: datetime.now(UTC)
    first, began = parse_as_of(start), time.monotonic()
    return lambda: first + timedelta(seconds=time.monotonic() - began)
