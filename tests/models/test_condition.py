"""One condition of a population: whom it holds for, of words, numbers and flags."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from models.population import Population, where


class TestHolds:
    @pytest.mark.parametrize(
        ("population", "inside", "outside"),
        [
            (where("plan").is_in("enterprise", "pro"), ["enterprise", "pro", " pro "], ["Pro", "free", None, "", 1.0, True]),
            (where("plan").not_in("free"), ["pro", "enterprise"], ["free", " free", None, "", "n/a", "NULL", 0.0]),
            (where("plan").is_in("NULL"), ["NULL"], ["pro", None]),  # a word that is named is a word
            (where("plan").at_least(10), [10, 10.0, 11], [9.999, None, math.nan, math.inf, "11", 10**400]),
            (where("plan").at_most(10), [10, -5, 0], [10.001, None, math.nan, -math.inf]),
            (where("plan").is_in(1, 2), [1, 2.0, True], [3, None, "1"]),
            (where("plan").not_in(1), [2, 0], [1, True, None, math.nan]),
            (where("plan").is_true(), [1, 1.0, True], [0, 0.0, False, None, 0.5]),
            (where("plan").is_false(), [0, 0.0, False], [1, True, None, 0.5]),
        ],
    )  # fmt: skip  # a table: one case beside the other
    def test_by_hand(self, population: Population, inside: list[Any], outside: list[Any]) -> None:
        assert [population.holds({"plan": value}) for value in inside] == [True] * len(inside)
        assert [population.holds({"plan": value}) for value in outside] == [False] * len(outside)


class TestNumbers:
    def test_numbers_are_compared_as_a_panel_has_them(self) -> None:
        """A whole number beyond what float64 tells apart is that float: the same offline and online."""
        assert where("x").is_in(2**53 + 1).holds_for({"x": np.array([2.0**53])}, 1).tolist() == [True]
