"""Numbers as people write them: what is not 0 never reads as 0, and a range says its ends."""

from __future__ import annotations

import math

import pytest

from models.scorer.amounts import TINY, amount, rise, span


@pytest.mark.parametrize(
    ("number", "unit", "written"),
    [
        (0.0, "share", "0 %"), (0.0004, "share", "less than 0.1 %"), (-0.0004, "change", "more than -0.1 %"), (0.0049, "share", "0.5 %"),
        (12.345, "change", "1,234 %"), (0.0, "money", "0"), (0.005, "money", "less than 0.01"), (99.5, "money", "99.50"),
        (1234.5, "money", "1,234"), (0.5, "days", "less than 1"), (-0.3, "count", "more than -1"), (0.51, "days", "1"),
        (0.05, "rate", "less than 0.1"), (0.06, "rate", "0.1"), (3.0, "rate", "3"), (100.4, "points", "100"),
    ],
)  # fmt: skip  # one case beside the other, to be compared
def test_a_number_in_its_unit(number: float, unit: str, written: str) -> None:
    assert amount(number, unit) == written


@pytest.mark.parametrize(
    ("low", "high", "unit", "whole", "written"),
    [
        (None, 1.0, "count", True, "no"), (0.0, 1.0, "days", True, "less than 1"), (None, 1.0, "days", True, "less than 1"),
        (2.0, math.inf, "count", True, "2 or more"), (None, None, "count", True, "0 or more"), (TINY, None, "share", False, "more than 0"),
        (None, TINY, "share", False, "0 %"), (0.2, 0.204, "share", False, "about 20 %"), (1.5, 7.2, "rate", False, "1.5 to 7.2"),
        (TINY, 0.5, "share", False, "at most 50 %"),
    ],
)  # fmt: skip  # one case beside the other, to be compared
def test_a_range(low: float | None, high: float | None, unit: str, whole: bool, written: str) -> None:
    assert span(low, high, unit, whole) == written


def test_a_rise_is_told_against_what_was_there_before() -> None:
    # (new - old) / new = 0.2 means new = 1.25 old.
    assert rise(0.2) == pytest.approx(0.25)
    assert rise(1.0) == math.inf, "from nothing"
