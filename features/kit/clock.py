"""Times and the clock: UTC everywhere, int64 microseconds since 1970 where they are counted or stored.

Every command takes the system's time, or `ACCOUNTSCORE_NOW` for data that ended long ago. A row dated after the clock counts
as not seen yet: it does not move the end of the data, and nobody can be scored there.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from features.kit.errors import UserMistake

Clock = Callable[[], datetime]
NOW = "ACCOUNTSCORE_NOW"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECOND_US = 1_000_000
DAY_US = 86_400 * SECOND_US
WEEK_US = 7 * DAY_US
FOREVER_US = 2**62
"""The end of an interval without an end. An int64 still has room to add a horizon."""
SKEW_US = 300 * SECOND_US
"""Clocks of two machines may differ by this much. A stored time further ahead of the clock is a mistake."""
AHEAD_US = DAY_US
"""Readers ignore what is more than a day ahead of the clock. Not less: with `ACCOUNTSCORE_NOW` the clock of each process runs on
from the start of that process."""


def to_us(moment: datetime) -> int:
    """Microseconds since 1970-01-01 UTC of an aware datetime, exact.

    >>> to_us(datetime(1970, 1, 2, tzinfo=UTC))
    86400000000
    """
    return (moment - EPOCH) // timedelta(microseconds=1)


def from_us(us: int) -> datetime:
    """The aware UTC datetime of microseconds since 1970-01-01 (an integer of numpy's too)."""
    return EPOCH + timedelta(microseconds=int(us))


def as_utc(moment: datetime) -> datetime:
    """The moment in UTC; a naive time is taken as UTC."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def iso(moment: datetime) -> str:
    """`2026-11-23T06:00:00Z` of an aware datetime, with microseconds only where there are some.

    >>> iso(datetime(2026, 11, 23, 6, tzinfo=UTC))
    '2026-11-23T06:00:00Z'
    """
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def system_now() -> datetime:
    """The system's time, UTC, whatever moment scores are for."""
    return datetime.now(UTC)


def system_us() -> int:
    """The system's time in microseconds since 1970: for attempts, pauses and the age of entries."""
    return time.time_ns() // 1000


def now() -> datetime:
    """The moment of the clock, UTC; raises `UserMistake` when `ACCOUNTSCORE_NOW` is not a moment."""
    start = os.environ.get(NOW)
    return _parse(start) if start else system_now()


def make_clock(start: str | None = None) -> Clock:
    """The system's clock, or one set to `start` (default `ACCOUNTSCORE_NOW`) that runs on from there.

    For data that ended years ago: signals as of today would all be empty. Signatures are always judged by the system's
    clock. Raises `UserMistake` when the start is not a moment.
    """
    start = start or os.environ.get(NOW)
    if not start:
        return system_now
    first, began = _parse(start), time.monotonic()
    return lambda: first + timedelta(seconds=time.monotonic() - began)


def parse_as_of(text: str) -> datetime:
    """Read `YYYY-MM-DD` or an ISO 8601 time as UTC; a naive time is UTC, a zone is converted.

    >>> parse_as_of("2026-03-01").isoformat()
    '2026-03-01T00:00:00+00:00'
    >>> parse_as_of("2026-02-30")
    Traceback (most recent call last):
    features.kit.errors.UserMistake: '2026-02-30' is not a date: write YYYY-MM-DD or an ISO 8601 time such as 2026-03-01T06:00:00Z
    """
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise UserMistake(
            f"{text!r} is not a date: write YYYY-MM-DD or an ISO 8601 time such as 2026-03-01T06:00:00Z"
        ) from None
    return as_utc(moment)


def parse_seen(text: str, name: str = "--as-of", clock: datetime | None = None) -> datetime:
    """As `parse_as_of`, and raises `UserMistake` for a moment after the clock: nobody has seen it yet.

    >>> parse_seen("2026-03-01", clock=datetime(2026, 2, 1, 12, tzinfo=UTC))
    Traceback (most recent call last):
    features.kit.errors.UserMistake: --as-of 2026-03-01 is after the clock (2026-02-01T12:00:00Z): nobody has seen that moment yet; the newest that works is --as-of 2026-02-01T12:00:00Z (a whole day: 2026-02-01), or set ACCOUNTSCORE_NOW when your data live at another time
    """
    moment, limit = parse_as_of(text), clock or now()
    if moment <= limit:
        return moment
    newest = limit.replace(microsecond=0)
    shown = iso(newest)
    raise UserMistake(
        f"{name} {text.strip()} is after the clock ({shown}): nobody has seen that moment yet; the newest that works is "
        f"{name} {shown} (a whole day: {newest:%Y-%m-%d}), or set {NOW} when your data live at another time"
    )


def _parse(start: str) -> datetime:
    try:
        return parse_as_of(start)
    except UserMistake as error:
        raise UserMistake(f"{NOW}: {error}") from None
