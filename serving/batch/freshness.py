"""Checks that the input is fresh: a score of last week's data that looks like today's is worse than none."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta

from features.kit.clock import iso
from features.kit.errors import UserMistake
from features.readiness.report import FRESH_DAYS
from features.sources.source import Source
from serving.errors import StaleInput

SETTING = "ACCOUNTSCORE_MAX_SOURCE_AGE_DAYS"
_FORM = re.compile(r"(\d{1,6})\s*([mhdw])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def parse_age(text: str) -> timedelta:
    """`90m`, `36h`, `2d` or `1w`.

    >>> parse_age("36h")
    datetime.timedelta(days=1, seconds=43200)
    >>> parse_age("soon")
    Traceback (most recent call last):
    features.kit.errors.UserMistake: --max-age 'soon' is not an age: write 90m, 36h, 2d or 1w
    """
    found = _FORM.fullmatch(text.strip())
    if found is None:
        raise UserMistake(f"--max-age {text!r} is not an age: write 90m, 36h, 2d or 1w")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def check_age(
    source: Source, as_of: datetime, horizons: Mapping[str, int], oldest: timedelta | None = None
) -> str | None:
    """Returns a warning when the data end more than two days before `as_of`, else None. Raises `StaleInput` when they
    end more than `oldest` before it (default: the shortest of `horizons`, days by model, after which a score speaks
    of a time that is over).

    Raises `StaleInput` when it ended longer than `oldest` before (default: the shortest of `horizons`, days by model: a score
    would speak of a time that is over).
    """
    newest = source.span[1]
    age = as_of - newest
    if age <= timedelta(days=FRESH_DAYS) and (oldest is None or age <= oldest):
        return None
    found = (
        f"the newest row of source {source.name!r} is of {iso(newest.replace(microsecond=0))}, "
        f"{max(age.days, 0):,} days before {iso(as_of)}"
    )
    model = min(horizons, key=lambda name: horizons[name])
    if oldest is None and age > timedelta(days=horizons[model]):
        raise StaleInput(
            f"{found}: that is past the horizon of {model}, {horizons[model]} days; nothing was scored. Load what came since, score as "
            f"of the day after it (--as-of {newest + timedelta(days=1):%Y-%m-%d}), or say what is allowed with --max-age or "
            f"{SETTING}"
        )
    if oldest is not None and age > oldest:
        raise StaleInput(
            f"{found}: {_days(oldest)} are allowed (--max-age, {SETTING}). See why the load stopped; nothing was scored"
        )
    return f"{found}: the scores are of {newest:%Y-%m-%d}, see why the load stopped"


def _days(age: timedelta) -> str:
    hours = age / timedelta(hours=1)
    return f"{age.days} days" if age.days > 1 and hours == 24 * age.days else f"{hours:g} hours"
