"""Estimates AUC, precision at capacity and Brier score before the outcomes are known, and compares them with what came true.

Confidence-based performance estimation (NannyML's CBPE; Guillory et al., 2021, "Predicting with Confidence on Unseen
Distributions"): calibrated probabilities give the expected confusion matrix without a label, and with it the measures. The
estimate sees a change of the population (more hard cases, fewer risks). It does not see a change of what the signals mean; that
shows only when labels ripen. Each estimate therefore has the 95 % interval of what a calibrated model would see, and the
outcomes are held against it.

Where the probabilities are too cautious, as regularised models on little data tend to be, the estimated AUC is too low. On the
sample company churn-risk was estimated at 0.81 to 0.82 on three dates at which 0.84 to 0.86 came true. `spread_of` measures this
on the ripe rows, and `stretched` corrects the estimate. tests/training/monitor/test_run.py does so on the sample company, with
and without a change of regime.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from training.calibrate import fit_slope, sigmoid
from training.metrics import CHUNK, TINY, Estimate, Ranking, point

DRAWS = 400
SPREAD_DRAWS = 100
SURE = (0.025, 0.975)
VERY_SURE = (0.005, 0.995)
"""Ends of the interval outside which a check raises an alarm. There are several checks: at 95 % one in twenty would be a false alarm."""

Draws = Mapping[str, np.ndarray]
"""Measure -> (DRAWS,) values; NaN for the AUC of a draw with one class."""


def expected_auc(p: np.ndarray) -> float:
    """AUC that calibrated probabilities promise: the chance that of two rows, one with the outcome and one without, the
    former has the higher score, ties counted half; pairs of a row with itself are left out. NaN with fewer than two rows.

    >>> round(expected_auc(np.array([0.9, 0.1])), 4)  # (0.9 * 0.9) / (0.9 * 0.9 + 0.1 * 0.1)
    0.9878
    """
    q = np.sort(p)[::-1]
    starts = np.flatnonzero(np.r_[True, q[1:] != q[:-1]])
    hits = np.add.reduceat(q, starts)
    misses = np.add.reduceat(1 - q, starts)
    alone = float((q * (1 - q)).sum())
    won = float(((np.cumsum(hits) - hits / 2) * misses).sum()) - alone / 2
    pairs = float(hits.sum() * misses.sum()) - alone
    return won / pairs if pairs > 0 else float("nan")


def expected(p: np.ndarray, listed: np.ndarray) -> dict[str, float]:
    """Each measure as the probabilities promise it; precision is that of the list at capacity."""
    return {
        "auc": expected_auc(p),
        "precision_at_capacity": float(p @ listed / max(listed.sum(), 1e-12)),
        "brier": float((p * (1 - p)).mean()),
        "base_rate": float(p.mean()),
    }


def came_true(y: np.ndarray, p: np.ndarray, listed: np.ndarray) -> dict[str, float]:
    """Each measure as it came true; the AUC is NaN with one class."""
    return {
        "auc": point(Ranking(y, p).auc, len(y)),
        "precision_at_capacity": float(y @ listed / max(listed.sum(), 1e-12)),
        "brier": float(((p - y) ** 2).mean()),
        "base_rate": float(y.mean()),
    }


def if_calibrated(
    p: np.ndarray, group: np.ndarray, listed: np.ndarray, parts: Mapping[str, np.ndarray], seed: int = 0
) -> Draws:
    """What would come true of calibrated probabilities: each measure, and the outcomes within each mask of `parts`, drawn.

    An account keeps its luck from date to date, because its windows overlap: this widens the intervals, as it should.
    """
    order = np.argsort(-p, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(p[order]) != 0])
    size = np.diff(np.append(starts, len(p)))
    place = np.unique(group, return_inverse=True)[1].reshape(-1)
    masks = np.column_stack([listed, *parts.values()]).astype(float) if parts else listed[:, None]
    rng = np.random.default_rng(seed)
    found: dict[str, list[np.ndarray]] = {}
    step = max(1, CHUNK // max(len(p), 1))
    for first in range(0, DRAWS, step):
        luck = rng.random((min(step, DRAWS - first), int(place.max()) + 1))[:, place]
        y = (luck < p).astype(float)
        hits = np.add.reduceat(y[:, order], starts, axis=1)
        misses = size - hits
        with np.errstate(invalid="ignore", divide="ignore"):
            auc = ((np.cumsum(hits, axis=1) - hits / 2) * misses).sum(axis=1) / (hits.sum(axis=1) * misses.sum(axis=1))
        counts = y @ masks
        drawn = {
            "auc": auc,
            "precision_at_capacity": counts[:, 0] / max(listed.sum(), 1e-12),
            "brier": ((p - y) ** 2).mean(axis=1),
            "base_rate": y.mean(axis=1),
            **{name: counts[:, 1 + i] for i, name in enumerate(parts)},
        }
        for name, values in drawn.items():
            found.setdefault(name, []).append(values)
    return {name: np.concatenate(values) for name, values in found.items()}


def spread_of(p: np.ndarray, y: np.ndarray, group: np.ndarray, seed: int = 0) -> Estimate | None:
    """How far apart the true log-odds lie, in multiples of what was said (1: as said, above 1: the probabilities are too
    cautious); pulled towards 1 by the prior of `training.calibrate.fit_slope`. None with one class."""
    if len(np.unique(y)) < 2:
        return None
    z, rng = log_odds(p), np.random.default_rng(seed)
    place = np.unique(group, return_inverse=True)[1].reshape(-1)
    order = np.argsort(place, kind="stable")
    parts = np.split(order, np.cumsum(np.bincount(place))[:-1])
    draws = np.full(SPREAD_DRAWS, np.nan)
    for n in range(SPREAD_DRAWS):
        rows = np.concatenate([parts[i] for i in rng.integers(0, len(parts), len(parts))])
        if len(np.unique(y[rows])) == 2:
            draws[n] = fit_slope(z[rows], y[rows], np.zeros(len(rows)))
    return Estimate(fit_slope(z, y, np.zeros(len(z))), *span(draws))


def stretched(p: np.ndarray, spread: float) -> np.ndarray:
    """The probabilities with their log-odds `spread` times as far apart, and the mean as it was."""
    z = spread * log_odds(p)
    low, high = -30.0, 30.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if sigmoid(z + middle).mean() < p.mean() else (low, middle)
    return sigmoid(z + low)


def log_odds(p: np.ndarray) -> np.ndarray:
    """(n,) log-odds of probabilities, finite at 0 and 1 too."""
    held = np.clip(p, TINY, 1 - TINY)
    return np.asarray(np.log(held) - np.log1p(-held))


def span(draws: np.ndarray, sure: tuple[float, float] = SURE) -> tuple[float, float]:
    """The interval of the draws that have a value; NaN when none has."""
    known = draws[np.isfinite(draws)]
    if not len(known):
        return float("nan"), float("nan")
    low, high = np.quantile(known, sure)
    return float(low), float(high)


def promised(p: np.ndarray, group: np.ndarray, listed: np.ndarray, seed: int = 0) -> dict[str, Estimate]:
    """Each measure as estimated, with the 95 % interval of what comes true if the model is calibrated."""
    draws = if_calibrated(p, group, listed, {}, seed)
    return {name: Estimate(value, *span(draws[name])) for name, value in expected(p, listed).items()}
