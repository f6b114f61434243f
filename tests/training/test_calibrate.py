"""Calibration undoes what was done to the log-odds, improves the loss, and keeps still on little data."""

from __future__ import annotations

import numpy as np
import pytest

from training.calibrate import fit_level, fit_slope, log_loss, sigmoid


def rows(n: int, slope: float = 1.0, level: float = 0.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """(z, y): scores whose true log-odds are slope * z + level."""
    rng = np.random.default_rng(seed)
    z = rng.normal(-1, 1.5, n)
    return z, (rng.random(n) < sigmoid(slope * z + level)).astype(float)


class TestSlope:
    def test_overconfidence_is_found(self) -> None:
        z, y = rows(20_000, slope=0.5)
        assert fit_slope(z, y, np.zeros(len(z))) == pytest.approx(0.5, abs=0.03)

    def test_a_shift_between_periods_is_no_overconfidence(self) -> None:
        z, _ = rows(20_000)
        period = np.repeat([0, 1], 10_000)
        rng = np.random.default_rng(1)
        y = (rng.random(len(z)) < sigmoid(z + np.where(period == 0, -1.5, 1.5))).astype(float)
        assert fit_slope(z, y, period) == pytest.approx(1.0, abs=0.04)
        # The sabotaged twin: one level for both periods takes the shift for noise and flattens the scores.
        assert fit_slope(z, y, np.zeros(len(z))) < 0.85

    def test_a_few_rows_change_little(self) -> None:
        z, y = rows(30, slope=3.0)
        assert abs(fit_slope(z, y, np.zeros(30)) - 1) < 0.5


class TestLevel:
    def test_the_mean_is_met(self) -> None:
        z, y = rows(20_000, level=0.8)
        assert sigmoid(z + fit_level(z, y)).mean() == pytest.approx(y.mean(), abs=0.002)

    def test_the_loss_improves(self) -> None:
        z, y = rows(2_000, level=0.8)
        assert log_loss(y, z + fit_level(z, y)).mean() < log_loss(y, z).mean()


class TestSigmoid:
    def test_no_overflow(self) -> None:
        assert sigmoid(np.array([-1e4, 0.0, 1e4])).tolist() == [0.0, 0.5, 1.0]
