"""The header Retry-After: how long a CRM asks us to wait."""

from __future__ import annotations

from email.utils import parsedate_to_datetime

from features.kit.clock import system_us, to_us

LONGEST_WAIT_SECONDS = 6 * 3600.0
"""A longer wait is cut to this."""


def retry_after(value: str | None) -> float | None:
    """Seconds to wait, from a number of seconds or a date; at most `LONGEST_WAIT_SECONDS`. None for anything else.

    >>> retry_after("3"), retry_after("soon"), retry_after("Wed, 21 Oct 2015 07:28:00 GMT")
    (3.0, None, 0.0)
    """
    if value is None:
        return None
    if value.isascii() and value.isdigit() and len(value) < 10:
        return min(float(value), LONGEST_WAIT_SECONDS)
    try:
        moment = parsedate_to_datetime(value)
        return min(max(0.0, (to_us(moment) - system_us()) / 1e6), LONGEST_WAIT_SECONDS) if moment.tzinfo else None
    except (ValueError, TypeError, OverflowError):
        return None
