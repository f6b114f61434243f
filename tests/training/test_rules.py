"""The best rule with one column: found on earlier rows, followed as a person would, turned round where it fails."""

from __future__ import annotations

import numpy as np
import pytest

from training.metrics import auc
from training.rules import Rule, best_rule, one_column_rates, probabilities, ranked, turned_to

N = 2000
EARLIER = np.arange(N // 2)


def columns(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(N, 4))


def drawn(z: np.ndarray, seed: int = 0) -> np.ndarray:
    return (np.random.default_rng(seed + 1).random(len(z)) < 1 / (1 + np.exp(-z))).astype(float)


class TestBestRule:
    @pytest.mark.parametrize(("sign", "way"), [(1, "highest first"), (-1, "lowest first")])
    def test_a_number_with_its_direction(self, sign: int, way: str) -> None:
        x = columns()
        y = drawn(2 * sign * x[:, 2] - 1)
        x[np.random.default_rng(3).random(x.shape) < 0.1] = np.nan
        rule = best_rule(x, [], y, np.arange(N), EARLIER)
        assert rule.words(["a", "b", "lead_age_days", "d"]) == f"lead_age_days, {way}"

    def test_a_bend_goes_by_tenths(self) -> None:
        x = columns()
        y = drawn(3 * np.abs(x[:, 1]) - 3)
        assert best_rule(x, [], y, np.arange(N), EARLIER) == Rule(1, "by the rate of its decile")

    def test_a_number_as_it_is_beats_its_tenths(self) -> None:
        """Within a tenth the number still ranks; a model that ranks there has learnt nothing beyond the column."""
        x = columns()
        y = (x[:, 0] > 1.6).astype(float)  # inside the highest tenth
        rule = best_rule(x, [], y, np.arange(N), EARLIER)
        assert auc(y, ranked(x[:, 0], rule, y, EARLIER)) == 1.0
        # The sabotaged twin: tenths alone.
        assert auc(y, one_column_rates(x[:, 0], False, y, EARLIER)) < 0.99

    def test_many_words_do_not_win_by_heart(self) -> None:
        rng = np.random.default_rng(0)
        x = np.column_stack([rng.integers(0, 400, N).astype(float), rng.normal(size=N)])
        y = drawn(1.0 * x[:, 1])
        assert best_rule(x, [0], y, np.arange(N), EARLIER).place == 1
        # The sabotaged twin: judged on the rows that the rates came from, 400 words know more than the number.
        by_heart = one_column_rates(x[:, 0], True, y, EARLIER)[EARLIER]
        assert auc(y[EARLIER], by_heart) > auc(y[EARLIER], x[EARLIER, 1])

    def test_the_outcomes_of_later_rows_change_nothing(self) -> None:
        x = columns()
        y = drawn(x[:, 2])
        other = np.where(np.arange(N) < N // 2, y, 1 - y)
        found = [best_rule(x, [], each, np.arange(N), EARLIER) for each in (y, other)]
        assert found[0] == found[1]
        assert np.array_equal(ranked(x[:, 2], found[0], y, EARLIER), ranked(x[:, 2], found[0], other, EARLIER))


class TestTurned:
    def test_a_rule_worse_than_a_draw_is_turned_round(self) -> None:
        """Directions change: what a rule of 0.436 fails at, the opposite rule does."""
        x = np.arange(100.0)
        y = np.tile([1.0, 0.0], 50)
        y[:20] = 1.0
        rule = Rule(0, "highest first")
        assert auc(y, x) < 0.5
        turned, score = turned_to(rule, y, x)
        assert auc(y, score) == pytest.approx(1 - auc(y, x))
        assert turned.words(["age"]) == "age, lowest first"

    def test_a_rule_that_holds_stays(self) -> None:
        y, x = np.array([0.0, 1, 0, 1]), np.array([1.0, 3, 2, 4])
        assert turned_to(Rule(0, "highest first"), y, x)[0] == Rule(0, "highest first")


class TestValues:
    def test_words_and_missing_have_their_own_rate(self) -> None:
        x = np.array([0.0, 0, 1, 1, np.nan, np.nan] * 50)
        y = np.array([1.0, 1, 0, 0, 1, 0] * 50)
        rates = one_column_rates(x, True, y, np.arange(300))
        assert rates[0] > rates[4] > rates[2]

    def test_missing_numbers_stand_where_their_rate_belongs(self) -> None:
        x = columns()[:, 0]
        y = drawn(3 * x)
        gone = np.arange(N) % 5 == 0
        y[gone] = drawn(np.full(N, 2.5))[gone]  # as likely as the highest tenth but one
        held = np.where(gone, np.nan, x)
        score = ranked(held, Rule(0, "highest first"), y, np.arange(N))
        assert np.quantile(x, 0.7) < score[gone][0] < np.quantile(x, 0.95)

    def test_probabilities_keep_the_order(self) -> None:
        score = np.exp(columns()[:, 0] * 4)  # sums of money: some are a million times others
        y = drawn(np.log(score) / 4)
        p = probabilities(score, y, EARLIER)
        assert np.array_equal(np.argsort(p, kind="stable"), np.argsort(score, kind="stable"))
        assert p[EARLIER].mean() == pytest.approx(y[EARLIER].mean(), abs=0.02)
