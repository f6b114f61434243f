"""The clock of every command: the system's time, or `ACCOUNTSCORE_NOW` for data that ended long ago.

Nothing that is dated after the clock has been seen: it does not say how far the data reach, and nobody can be scored there.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from features.kit.cli import parse_as_of
from features.kit.errors import UserMistake

Clock = Callable[[], datetime]
NOW = "ACCOUNTSCORE_NOW"


def now() -> datetime:
    """The moment of the clock, UTC; raises `UserMistake` when `ACCOUNTSCORE_NOW` is no moment."""
    start = os.environ.get("ACCOUNTSCORE_NOW")
    return _parse(start) if start else datetime.now(UTC)


def make_clock(start: str | None = None) -> Clock:
    """The system's clock, or one set to `start` (default `ACCOUNTSCORE_NOW`) that runs on from there.

    For data that ended years ago: signals as of today would all be empty. Signatures are always judged by the system's
    clock. Raises `UserMistake` when the start is no moment.
    """
    start = start or os.environ.get("ACCOUNTSCORE_NOW")
    if not start:
        return lambda: datetime.now(UTC)
    first, began = _parse(start), time.monotonic()
    return lambda: first + timedelta(seconds=time.monotonic() - began)


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
    shown = newest.isoformat().replace("+00:00", "Z")
    raise UserMistake(
        f"{name} {text.strip()} is after the clock ({shown}): nobody has seen that moment yet; the newest that works is "
        f"{name} {shown} (a whole day: {newest:%Y-%m-%d}), or set {NOW} when your data live at another time"
    )


def _parse(start: str) -> datetime:
    try:
        return parse_as_of(start)
    except UserMistake as error:
        raise UserMistake(f"{NOW}: {error}") from None
