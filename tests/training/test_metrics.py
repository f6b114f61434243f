"""Measures agree with scikit-learn and with arithmetic; intervals hold what they say."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score

from training import metrics
from training.metrics import Ranking, auc_difference, judge, point, resample


def scores(n: int = 600, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """(y, p) with many ties."""
    rng = np.random.default_rng(seed)
    p = np.round(rng.beta(1, 4, n), 2).clip(0.01, 0.99)
    return (rng.random(n) < p).astype(float), p


class TestAgainstScikitLearn:
    def test_measures_agree(self) -> None:
        y, p = scores()
        ranking = Ranking(y, p)
        assert point(ranking.auc, len(y)) == pytest.approx(roc_auc_score(y, p), abs=1e-12)
        assert point(ranking.average_precision, len(y)) == pytest.approx(average_precision_score(y, p), abs=1e-12)
        assert point(ranking.brier, len(y)) == pytest.approx(brier_score_loss(y, p), abs=1e-12)
        assert point(ranking.log_loss, len(y)) == pytest.approx(log_loss(y, p), abs=1e-12)

    def test_weights_are_repeated_rows(self) -> None:
        y, p = scores(200)
        weights = np.random.default_rng(1).integers(0, 4, (3, 200)).astype(float)
        ranking = Ranking(y, p)
        for row, found in zip(weights, ranking.auc(weights), strict=True):
            again = np.repeat(np.arange(200), row.astype(int))
            assert found == pytest.approx(roc_auc_score(y[again], p[again]), abs=1e-12)


class TestByArithmetic:
    def test_precision_and_lift_at_capacity(self) -> None:
        y, p = np.array([1, 1, 0, 1, 0, 0, 0, 0, 0, 0.0]), np.linspace(0.9, 0.1, 10)
        ranking = Ranking(y, p)
        assert point(ranking.precision_at(0.4), 10) == pytest.approx(3 / 4)
        assert point(ranking.lift_at(0.4), 10) == pytest.approx(3 / 4 / 0.3)

    def test_ties_across_the_line_count_in_part(self) -> None:
        y, p = np.array([1, 0, 0, 0.0]), np.array([0.5, 0.5, 0.1, 0.1])
        assert point(Ranking(y, p).precision_at(0.25), 4) == pytest.approx(0.5)

    def test_calibration_error(self) -> None:
        """Nine bins whose rate lies 0.1 above their probability, and one that is right."""
        predicted = np.arange(10) * 0.1
        observed = np.append(predicted[:9] + 0.1, 0.9)
        p = np.repeat(predicted, 100)
        y = np.concatenate([np.repeat([1.0, 0.0], [round(100 * q), 100 - round(100 * q)]) for q in observed])
        assert point(Ranking(y, p).calibration_error, 1000) == pytest.approx(0.09)


class TestIntervals:
    def test_rows_of_one_account_widen_the_interval(self) -> None:
        y, p = scores(300)
        alone = judge(y, p, np.arange(300), 0.1)["auc"]
        group = np.repeat(np.arange(300), 4)
        together = judge(np.repeat(y, 4), np.repeat(p, 4), group, 0.1)["auc"]
        careless = judge(np.repeat(y, 4), np.repeat(p, 4), np.arange(1200), 0.1)["auc"]
        width = alone.high - alone.low
        assert together.high - together.low == pytest.approx(width, rel=0.15)
        # The sabotaged twin: rows taken for accounts pretend to twice the certainty.
        assert careless.high - careless.low < 0.7 * width

    def test_about_95_of_100_intervals_hold_the_truth(self) -> None:
        hits = 0
        for seed in range(60):
            rng = np.random.default_rng(seed)
            y = np.repeat([0.0, 1.0], 100)
            p = 1 / (1 + np.exp(-(rng.normal(size=200) + y)))
            draws = resample(np.arange(200), seed, {"auc": Ranking(y, p).auc}, 200)["auc"]
            found = metrics.interval(metrics.auc(y, p), draws)
            hits += found.low <= 0.7602 <= found.high  # Phi(1 / sqrt 2)
        assert hits >= 53

    def test_the_same_seed_gives_the_same_interval(self) -> None:
        y, p = scores()
        assert judge(y, p, np.arange(600), 0.1, seed=3) == judge(y, p, np.arange(600), 0.1, seed=3)

    def test_a_paired_difference_is_narrower_than_its_parts(self) -> None:
        y, p = scores()
        noisy = p + np.random.default_rng(0).normal(0, 0.01, 600)
        difference = auc_difference(y, p, noisy, np.arange(600))
        alone = judge(y, p, np.arange(600), 0.1)["auc"]
        assert difference.high - difference.low < 0.5 * (alone.high - alone.low)


class TestCalibrationErrorInterval:
    """Resampling adds luck to a measure that has luck in it already: its draws lie above the truth, often above the value."""

    def seen(self, seed: int, factor: float, n: int = 500) -> tuple[float, float, metrics.Estimate, metrics.Estimate]:
        """The true error, the measured one, its interval and the plain percentile interval, of log-odds times `factor`."""
        rng = np.random.default_rng(seed)
        z = rng.normal(-2, 1.2, n)
        true, said = 1 / (1 + np.exp(-z)), 1 / (1 + np.exp(-factor * z))
        y = (rng.random(n) < true).astype(float)
        measured = Ranking(y, said).calibration_error
        draws = resample(np.arange(n), seed, {"e": measured}, 200)["e"]
        value = point(measured, n)
        found = metrics.reaching(value, metrics.without_bias(value, draws))
        return point(Ranking(true, said).calibration_error, n), value, found, metrics.interval(value, draws)

    @pytest.mark.parametrize("factor", [1.0, 1.3])
    def test_it_holds_the_value_and_the_truth(self, factor: float) -> None:
        runs = [self.seen(seed, factor) for seed in range(50)]
        assert all(0 <= e.low <= value <= e.high for _, value, e, _ in runs)
        assert sum(e.low <= true <= e.high for true, _, e, _ in runs) >= 45
        # The sabotaged twin: the percentile interval misses the truth, and the value itself.
        assert sum(e.low <= true <= e.high for true, _, _, e in runs) < 40
        if factor == 1.0:
            assert any(value < e.low for _, value, _, e in runs)

    def test_the_interval_of_the_judge_holds_the_value(self) -> None:
        for seed in range(20):
            y, p = scores(seed=seed)
            error = judge(y, p, np.arange(600), 0.1)["calibration_error"]
            assert error.low <= error.value <= error.high
