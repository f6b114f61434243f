"""Is the input fresh enough? A score of last week's data that looks like today's is worse than none."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from features.errors import UserMistake
from features.source import Source
from serving.clock import iso
from serving.errors import StaleInput

_FORM = re.compile(r"(\d{1,6})\s*([mhdw])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def parse_age(text: str) -> timedelta:
    """`90m`, `36h`, `2d` or `1w`.

    >>> parse_age("36h")
    datetime.timedelta(days=1, seconds=43200)
    >>> parse_age("soon")
    Traceback (most recent call last):
    features.errors.UserMistake: --max-age 'soon' is no age: write 90m, 36h, 2d or 1w
    """
    found = _FORM.fullmatch(text.strip())
    if found is None:
        raise UserMistake(f"--max-age {text!r} is no age: write 90m, 36h, 2d or 1w")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def check_age(source: Source, as_of: datetime, oldest: timedelta) -> None:
    """Raises `StaleInput` when the newest row of the source happened longer than `oldest` before `as_of`."""
    newest = source.span[1]
    if newest < as_of - oldest:
        raise StaleInput(
            f"the newest row of source {source.name!r} is of {iso(newest)}, {(as_of - newest).days:,} days before {iso(as_of)}: "
            f"--max-age allows {oldest}. See why the load stopped; nothing was scored"
        )
