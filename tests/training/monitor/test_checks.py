"""Should someone look? Each check at both sides of its limit, and silent where chance could have done it."""

from __future__ import annotations

import math
from typing import Any

import pytest

from models.definition import Watch
from training.metrics import Estimate
from training.monitor import checks
from training.monitor.actuals import Ripe
from training.monitor.drift import SignalDrift

WATCH = Watch()  # a factor of 1.25, an AUC loss of 0.03, an index of 0.25 ...


def ripe(
    seen: int, told: float, beyond: tuple[str, ...] = ("all", "auc"), auc: float = 0.7, promised: float = 0.8
) -> Ripe:
    counts = {"all": (500, seen, Estimate(told, told - 5, told + 5))}
    measures = {"auc": (auc, Estimate(promised, promised - 0.02, promised + 0.02))}
    return Ripe(500, seen, measures, counts, frozenset(beyond))


def drifted(**more: Any) -> SignalDrift:
    plain: dict[str, Any] = {
        "signal": "logins",
        "theme": "usage",
        "weight": 0.2,
        "psi": 0.0,
        "noise": 0.01,
        "missing": 0.1,
        "missing_then": 0.1,
        "new_words": 0.0,
        "outside": 0.0,
        "named": (),
    }
    return SignalDrift(**{**plain, **more})


class TestCalibration:
    @pytest.mark.parametrize(
        ("found", "state"),
        [
            (None, "too early"),
            (ripe(9, 9.9), "too early"),  # fewer than 10 are expected
            (ripe(50, 40), "fine"),  # exactly 1.25 times as many
            (ripe(51, 40), "look"),
            (ripe(31, 40), "look"),  # below 40 / 1.25
            (ripe(51, 40, beyond=()), "fine"),  # chance gives it
        ],
    )
    def test_within_a_factor_or_within_chance(self, found: Ripe | None, state: str) -> None:
        assert checks.calibration(WATCH, found).state == state

    def test_it_says_what_was_found(self) -> None:
        assert (
            checks.calibration(WATCH, ripe(60, 40)).found
            == "all bands: 60 outcomes in 500 rows, 40 expected (35 to 45)"
        )


class TestRanking:
    @pytest.mark.parametrize(
        ("found", "state"),
        [
            (None, "too early"),
            (ripe(9, 40), "too early"),
            (ripe(40, 40, auc=math.nan), "too early"),
            (ripe(40, 40, auc=0.771), "fine"),  # 0.029 below what was promised
            (ripe(40, 40, auc=0.769), "look"),
            (ripe(40, 40, auc=0.6, beyond=()), "fine"),
        ],
    )
    def test_below_the_promise_beyond_chance(self, found: Ripe | None, state: str) -> None:
        assert checks.ranking(WATCH, found).state == state


class TestEstimate:
    @pytest.mark.parametrize(
        ("now", "judged", "state"),
        [
            (0.74, None, "too early"),
            (math.nan, {"value": 0.8, "low": 0.78}, "too early"),
            (0.751, {"value": 0.8, "low": 0.78}, "fine"),
            (0.749, {"value": 0.8, "low": 0.78}, "look"),
            (0.749, {"value": 0.77}, "fine"),  # without a lower end the value is it
        ],
    )
    def test_against_the_lower_end_of_the_judged_one(
        self, now: float, judged: dict[str, float] | None, state: str
    ) -> None:
        assert checks.estimate(WATCH, {"auc": Estimate(now, now, now)}, judged).state == state


class TestDrift:
    @pytest.mark.parametrize(
        ("signal", "state"),
        [
            ({"psi": 0.25}, "fine"),
            ({"psi": 0.26}, "look"),
            ({"psi": 0.26, "noise": 0.3}, "fine"),  # so few rows reach it by chance
            ({"psi": 0.9, "weight": 0.02}, "fine"),  # a signal that moves no score
            ({"psi": None}, "fine"),
        ],
    )
    def test_a_signal_that_matters_is_named(self, signal: dict[str, Any], state: str) -> None:
        assert checks.drift(WATCH, [drifted(**signal)], {"psi": 0.1, "noise": 0.05}).state == state

    def test_drift_of_the_score_is_named(self) -> None:
        found = checks.drift(WATCH, [], {"psi": 0.3, "noise": 0.05})
        assert (found.state, found.found) == ("look", "the score: 0.30")


class TestValues:
    def test_new_words_and_numbers_outside_the_range(self) -> None:
        found = checks.values(
            WATCH, [drifted(new_words=0.06, named=("gold",)), drifted(signal="mrr", outside=0.06), drifted()]
        )
        assert found.state == "look"
        assert found.found == ("logins: 6.0% have a new word (gold); mrr: 6.0% lie outside the range of training")
        assert checks.values(WATCH, [drifted(new_words=0.05, outside=0.05)]).state == "fine"

    def test_of_many_the_first_are_told_and_the_rest_counted(self) -> None:
        found = checks.values(WATCH, [drifted(signal=f"s{n}", new_words=0.5) for n in range(8)])
        assert found.found.endswith("s4: 50.0% have a new word; and 3 more")


class TestMissing:
    def test_a_rise_beyond_the_limit(self) -> None:
        assert checks.missing(WATCH, [drifted(missing=0.19)]).state == "fine"
        assert checks.missing(WATCH, [drifted(missing=0.21)]).state == "look"
        assert checks.missing(WATCH, [drifted(missing=0.0, missing_then=0.9)]).state == "fine", "fewer is no trouble"


class TestFreshness:
    def test_days_without_a_row(self) -> None:
        assert checks.freshness(WATCH, 7.0).state == "fine"
        assert checks.freshness(WATCH, 7.1).state == "look"
        assert "0.0 days" in checks.freshness(WATCH, -3.0).found, "rows dated ahead"


class TestHoldout:
    def test_nobody_acts_upon_it(self) -> None:
        assert checks.holdout(0, 50, 0.1).state == "fine"
        found = checks.holdout(2, 50, 0.1)
        assert (found.state, found.found) == ("look", "2 of 50 rows of the holdout (10%) were acted upon")
