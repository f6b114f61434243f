"""Affine calibration on the log-odds, learnt on rows that the models were not fitted on.

The slope says how far the log-odds can be trusted; it comes from held-back rows, with a level of its own per held-back
period, because a shift of the base rate between periods is not overconfidence. The level is set last, for the refitted
model, on the newest rows whose outcome is known. Both are pulled towards the identity: models fitted by log loss are
nearly calibrated, and two numbers learnt from 100 rows must not undo that.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SLOPE_SD = 0.25
"""Prior standard deviation of the slope around 1."""
LEVEL_SD = 0.2
"""Prior standard deviation of the level around 0, in log-odds."""
SLOPES = (0.2, 3.0)


@dataclass(frozen=True)
class Affine:
    """log-odds -> slope * log-odds + level."""

    slope: float = 1.0
    level: float = 0.0

    def __call__(self, z: np.ndarray) -> np.ndarray:
        return self.slope * z + self.level


def sigmoid(z: np.ndarray) -> np.ndarray:
    """Probability of log-odds, without overflow."""
    positive = z >= 0
    e = np.exp(np.where(positive, -z, z))
    return np.where(positive, 1.0 / (1.0 + e), e / (1.0 + e))


def log_loss(y: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Log loss per row of log-odds."""
    return np.asarray(np.logaddexp(0.0, z) - y * z)


def fit_slope(z: np.ndarray, y: np.ndarray, period: np.ndarray) -> float:
    """The slope that fits held-back log-odds, one level per period; 1 pulled by a prior of `SLOPE_SD`."""
    marks = np.unique(period)
    design = np.column_stack([z, *[(period == m).astype(float) for m in marks]])
    start = np.zeros(design.shape[1])
    start[0] = 1.0
    precision = np.full(design.shape[1], 1e-6)
    precision[0] = 1.0 / SLOPE_SD**2
    return float(np.clip(_fit(design, y, start, precision)[0], *SLOPES))


def fit_level(z: np.ndarray, y: np.ndarray, sd: float = LEVEL_SD) -> float:
    """The shift that fits log-odds; 0 pulled by a prior of `sd`."""
    return float(_fit(np.ones((len(z), 1)), y, np.zeros(1), np.array([1.0 / sd**2]), offset=z)[0])


def _fit(
    design: np.ndarray, y: np.ndarray, prior: np.ndarray, precision: np.ndarray, offset: np.ndarray | None = None
) -> np.ndarray:
    """Newton's method with step halving on the log loss plus a normal prior; (p,) weights."""
    base = np.zeros(len(y)) if offset is None else offset
    weights = prior.astype(float).copy()

    def loss(w: np.ndarray) -> float:
        return float(log_loss(y, base + design @ w).sum() + 0.5 * np.sum(precision * (w - prior) ** 2))

    current = loss(weights)
    for _ in range(50):
        p = sigmoid(base + design @ weights)
        gradient = design.T @ (p - y) + precision * (weights - prior)
        hessian = (design * np.maximum(p * (1 - p), 1e-9)[:, None]).T @ design + np.diag(precision)
        step = np.linalg.solve(hessian, gradient)
        size = 1.0
        while size > 1e-6 and loss(weights - size * step) > current:
            size /= 2
        candidate = weights - size * step
        gain, weights = current - loss(candidate), candidate
        current -= gain
        if gain < 1e-9 * (abs(current) + 1):
            break
    return weights
