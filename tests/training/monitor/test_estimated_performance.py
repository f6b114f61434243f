"""Estimates from calibrated probabilities, against arithmetic and against draws."""

from __future__ import annotations

import numpy as np
import pytest

from training.metrics import auc
from training.monitor import estimated_performance


def probabilities(n: int, seed: int = 0) -> np.ndarray:
    return 1 / (1 + np.exp(-np.random.default_rng(seed).normal(-2.0, 1.3, n)))


class TestExpectedAuc:
    def test_by_all_pairs(self) -> None:
        p = np.round(probabilities(60), 2)  # rounded, so that there are ties
        won = pairs = 0.0
        for i in range(len(p)):
            for j in range(len(p)):
                if i != j:
                    chance = p[i] * (1 - p[j])
                    pairs += chance
                    won += chance * (1.0 if p[i] > p[j] else 0.5 if p[i] == p[j] else 0.0)
        assert estimated_performance.expected_auc(p) == pytest.approx(won / pairs, abs=1e-12)

    def test_what_comes_true_on_average(self) -> None:
        p, rng = probabilities(3000), np.random.default_rng(1)
        drawn = [auc((rng.random(3000) < p).astype(float), p) for _ in range(200)]
        assert estimated_performance.expected_auc(p) == pytest.approx(
            np.mean(drawn), abs=4 * np.std(drawn) / np.sqrt(200) + 1e-3
        )

    def test_one_row_has_no_expected_auc(self) -> None:
        assert np.isnan(estimated_performance.expected_auc(np.array([0.3])))

    def test_scores_that_do_not_rank(self) -> None:
        assert estimated_performance.expected_auc(np.full(50, 0.2)) == pytest.approx(0.5)


class TestIntervals:
    def measures(self, shift: float, seed: int) -> set[str]:
        """Measures outside the 99 % interval when the outcomes come at log-odds `shift` higher than said."""
        p, rng = probabilities(1500, seed), np.random.default_rng(seed)
        listed = (p >= np.quantile(p, 0.9)).astype(float)
        true = 1 / (1 + np.exp(-(np.log(p / (1 - p)) + shift)))
        y = (rng.random(len(p)) < true).astype(float)
        draws = estimated_performance.if_calibrated(p, np.arange(len(p)), listed, {}, seed)
        found = estimated_performance.came_true(y, p, listed)
        ends = {name: estimated_performance.span(draws[name], estimated_performance.VERY_SURE) for name in found}
        return {name for name, value in found.items() if not ends[name][0] <= value <= ends[name][1]}

    def test_a_calibrated_model_stays_inside(self) -> None:
        outside = [len(self.measures(0.0, seed)) for seed in range(25)]
        # 100 looks at 1 in 100: six or more come once in two thousand times, correlation aside.
        assert sum(outside) <= 5

    def test_a_model_that_promises_too_little_is_detected(self) -> None:
        assert all({"base_rate", "precision_at_capacity"} <= self.measures(0.8, seed) for seed in range(5))

    def test_repeated_looks_at_one_account_do_not_narrow_the_interval(self) -> None:
        """Four looks at the same accounts are no four times as many: the interval must not shrink as if they were."""
        p = np.tile(probabilities(400), 4)
        once, apart = (
            estimated_performance.promised(p, group, np.ones(len(p)))["base_rate"]
            for group in (np.tile(np.arange(400), 4), np.arange(1600))
        )
        assert once.high - once.low > 1.6 * (apart.high - apart.low)

    def test_counts_of_a_part_are_those_expected_of_it(self) -> None:
        p = probabilities(2000)
        half = np.arange(2000) < 1000
        draws = estimated_performance.if_calibrated(p, np.arange(2000), np.ones(2000), {"half": half})
        assert draws["half"].mean() == pytest.approx(p[half].sum(), rel=0.02)


class TestSpread:
    """Probabilities that are right on average and too cautious: the estimate of the AUC reads low, and is mended."""

    def drawn(self, factor: float) -> tuple[np.ndarray, np.ndarray]:
        """True log-odds lie `factor` times as far apart as those said; the same mean."""
        p = probabilities(6000)
        return p, (np.random.default_rng(5).random(6000) < estimated_performance.stretched(p, factor)).astype(float)

    @pytest.mark.parametrize("factor", [0.7, 1.4])
    def test_the_spread_is_measured_and_corrects_the_estimate(self, factor: float) -> None:
        p, y = self.drawn(factor)
        spread = estimated_performance.spread_of(p, y, np.arange(6000))
        assert spread is not None
        assert spread.low < factor < spread.high
        assert not spread.low <= 1 <= spread.high
        true = auc(y, p)
        assert estimated_performance.expected_auc(estimated_performance.stretched(p, spread.value)) == pytest.approx(
            true, abs=0.015
        )
        # The twin without it reads 0.03 and more beside.
        assert abs(estimated_performance.expected_auc(p) - true) > 0.03

    def test_a_calibrated_model_is_left_alone(self) -> None:
        p, y = self.drawn(1.0)
        spread = estimated_performance.spread_of(p, y, np.arange(6000))
        assert spread is not None
        assert spread.low <= 1 <= spread.high

    def test_stretching_keeps_the_mean(self) -> None:
        p = probabilities(500)
        assert estimated_performance.stretched(p, 1.3).mean() == pytest.approx(p.mean(), abs=1e-9)
        assert np.allclose(estimated_performance.stretched(p, 1.0), p)
