"""Parses `--capacity`: the share of the list, or the number per day, week or month, that people can act upon."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from features.kit.clock import DAY_US
from features.kit.errors import UserMistake
from models.definition import Model

WORKING_DAYS_A_WEEK = 5
PER = {"day": 7 / WORKING_DAYS_A_WEEK, "week": 7.0, "month": 365.25 / 12, "quarter": 365.25 / 4, "year": 365.25}
"""Calendar days for one of each; a day is a working day."""
_FORM = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(%|(?:per|a|an|/)\s*([a-z]+?)s?)?\s*")


@dataclass(frozen=True)
class Capacity:
    """A share of the list (0 to 1), or a rate in entities per calendar day; one of the two."""

    share: float | None = None
    per_day: float | None = None

    def of(self, at_once: float, days: float) -> float:
        """The share of a list of `at_once` entities that can be acted upon within `days`, at most 1."""
        if self.share is not None:
            return self.share
        assert self.per_day is not None
        return float(min(1.0, self.per_day * days / max(at_once, 1.0)))


def parse(text: str) -> Capacity:
    """A capacity from text: a share, a percentage or a rate; a day is a working day, five a week.

    Raises `UserMistake` for anything else.

    >>> parse("0.1"), parse("10 %")
    (Capacity(share=0.1, per_day=None), Capacity(share=0.1, per_day=None))
    >>> round(parse("40 per day").of(at_once=8_000, days=60), 3)
    0.214
    """
    matched = _FORM.fullmatch(text.lower())
    number = float(matched[1]) if matched else 0.0
    if matched and not matched[2] and 0 < number <= 1:
        return Capacity(share=number)
    if matched and matched[2] == "%" and 0 < number <= 100:
        return Capacity(share=number / 100)
    if matched and matched[3] in PER and number > 0:
        return Capacity(per_day=number / PER[matched[3]])
    raise UserMistake(
        f"--capacity {text!r} is none: give a share (0.1 or 10%), or a number in a time ('40 per day'; one of {', '.join(PER)})"
    )


def share_of(capacity: str | None, definition: Model, time: np.ndarray | None, dates_apart: bool) -> float:
    """The share of the judged list that a capacity is; the model's own when None.

    `time` (n,) of the judged rows, in microseconds. With `dates_apart` each date is a list of its own, worked on for one
    horizon; else rows come one after the other, and a rate is compared with how fast they come.
    Raises `UserMistake` for a rate when the rows have no dates.
    """
    if capacity is None:
        return definition.capacity_share
    asked = parse(capacity)
    if asked.share is not None:
        return asked.share
    if time is None or not len(time) or time.min() < 10**14:
        raise UserMistake(
            f"--capacity {capacity!r} needs dates to tell how many come in a time: give a share, such as 10%"
        )
    if dates_apart:
        return asked.of(len(time) / len(np.unique(time)), definition.horizon_days)
    return asked.of(len(time), max((time.max() - time.min()) / DAY_US, 1.0))
