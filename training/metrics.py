"""How good a score is, with 95 % intervals by resampling accounts.

All measures take weights, so that one pass over sorted rows serves every resample. A resample draws each account (all its
rows) a Poisson(1) number of times (Poisson bootstrap: Chamandy et al., 2012, "Estimating uncertainty for massive data
streams"), which is the usual bootstrap without its fixed total.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass

import numpy as np

RESAMPLES = 400
BINS = 10
CHUNK = 4_000_000
"""Weights held in memory at once."""
TINY = 1e-15
BIASED = "calibration_error"
"""The measure that needs `without_bias`."""


@dataclass(frozen=True)
class Estimate:
    """A number and its 95 % interval."""

    value: float
    low: float
    high: float

    def as_dict(self) -> dict[str, float]:
        """`value`, `low` and `high`, rounded to six digits."""
        return {name: round(number, 6) for name, number in asdict(self).items()}


Metric = Callable[[np.ndarray], np.ndarray]
"""(b, n) weights -> (b,) values."""


class Ranking:
    """Rows sorted by score once, ties in blocks; every metric is a function of weights."""

    def __init__(self, y: np.ndarray, p: np.ndarray) -> None:
        self.order = np.argsort(-p, kind="stable")
        self.y = np.asarray(y, dtype=float)[self.order]
        self.p = np.asarray(p, dtype=float)[self.order]
        self.starts = np.flatnonzero(np.r_[True, self.p[1:] != self.p[:-1]])

    def _blocks(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Weight of positives and of all rows per block of tied scores, best score first."""
        w = weights[:, self.order]
        return np.add.reduceat(w * self.y, self.starts, axis=1), np.add.reduceat(w, self.starts, axis=1)

    def auc(self, weights: np.ndarray) -> np.ndarray:
        """Area under the ROC curve; ties count half. NaN when a resample has one class."""
        hits, total = self._blocks(weights)
        misses = total - hits
        above = np.cumsum(hits, axis=1) - hits / 2
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray((above * misses).sum(axis=1) / (hits.sum(axis=1) * misses.sum(axis=1)))

    def average_precision(self, weights: np.ndarray) -> np.ndarray:
        """Area under the precision-recall curve, as steps (average precision)."""
        hits, total = self._blocks(weights)
        with np.errstate(invalid="ignore", divide="ignore"):
            precision = np.cumsum(hits, axis=1) / np.cumsum(total, axis=1)
            return np.asarray(np.nansum(precision * hits, axis=1) / hits.sum(axis=1))

    def precision_along(self, weights: np.ndarray, shares: np.ndarray) -> np.ndarray:
        """(b, m) share of positives among the best rows, for each of the ascending `shares` of the rows."""
        hits, total = self._blocks(weights)
        out = np.empty((len(weights), len(shares)))
        for b in range(len(weights)):
            seen = np.concatenate([[0.0], np.cumsum(total[b])])
            found = np.concatenate([[0.0], np.cumsum(hits[b])])
            taken = shares * seen[-1]
            with np.errstate(invalid="ignore", divide="ignore"):
                out[b] = np.interp(taken, seen, found) / taken
        return out

    def precision_at(self, share: float) -> Metric:
        """Share of positives among the best `share` of the rows; a block of ties across the line counts in part."""
        return lambda weights: self.precision_along(weights, np.array([share]))[:, 0]

    def lift_at(self, share: float) -> Metric:
        """Precision at `share` over the base rate."""
        precision = self.precision_at(share)

        def metric(weights: np.ndarray) -> np.ndarray:
            with np.errstate(invalid="ignore", divide="ignore"):
                return np.asarray(precision(weights) / ((weights[:, self.order] @ self.y) / weights.sum(axis=1)))

        return metric

    def brier(self, weights: np.ndarray) -> np.ndarray:
        """Mean squared difference of probability and outcome."""
        return np.asarray((weights[:, self.order] @ (self.p - self.y) ** 2) / weights.sum(axis=1))

    def log_loss(self, weights: np.ndarray) -> np.ndarray:
        """Mean negative log-likelihood, with probabilities held within [1e-15, 1 - 1e-15]."""
        p = np.clip(self.p, TINY, 1 - TINY)
        loss = -(self.y * np.log(p) + (1 - self.y) * np.log1p(-p))
        return np.asarray((weights[:, self.order] @ loss) / weights.sum(axis=1))

    def calibration_error(self, weights: np.ndarray) -> np.ndarray:
        """Expected calibration error over 10 bins of equal count: mean of |observed rate - mean probability|."""
        w = weights[:, self.order]
        ends = np.cumsum(w, axis=1)
        place = np.minimum((BINS * (ends - w / 2) / np.maximum(ends[:, -1:], TINY)).astype(np.int64), BINS - 1)
        flat = (place + BINS * np.arange(len(w))[:, None]).ravel()
        gap = np.bincount(flat, weights=(w * (self.y - self.p)).ravel(), minlength=BINS * len(w)).reshape(len(w), BINS)
        return np.asarray(np.abs(gap).sum(axis=1) / ends[:, -1])


def resample(
    group: np.ndarray, seed: int, metrics: Mapping[str, Metric], resamples: int = RESAMPLES
) -> dict[str, np.ndarray]:
    """Values of several metrics on the same resamples: name -> (resamples,), so that differences are paired."""
    place = np.unique(group, return_inverse=True)[1].reshape(-1)
    groups = int(place.max()) + 1
    rng = np.random.default_rng(seed)
    step = max(1, CHUNK // max(len(group), 1))
    parts: dict[str, list[np.ndarray]] = {name: [] for name in metrics}
    for first in range(0, resamples, step):
        drawn = rng.poisson(1.0, size=(min(step, resamples - first), groups)).astype(float)
        # A draw without anybody has no value; it is as rare as exp(-groups).
        drawn[drawn.sum(axis=1) == 0] = 1.0
        weights = drawn[:, place]
        for name, metric in metrics.items():
            parts[name].append(metric(weights))
    return {name: np.concatenate(values) for name, values in parts.items()}


def point(metric: Metric, n: int) -> float:
    """The metric on the rows as they are."""
    return float(metric(np.ones((1, n)))[0])


def interval(value: float, draws: np.ndarray) -> Estimate:
    """Percentile interval; draws without a value (one class) are left out."""
    known = draws[np.isfinite(draws)]
    if not len(known):
        return Estimate(value, float("nan"), float("nan"))
    low, high = np.quantile(known, [0.025, 0.975])
    return Estimate(value, float(low), float(high))


def without_bias(value: float, draws: np.ndarray) -> np.ndarray:
    """Resampled calibration errors around the true one, at least 0.

    Luck alone gives even a perfect model an error, and resampling adds as much luck again, so that the draws lie above the
    value, often all of them. Squares add up: the square of the value is that of the truth plus luck, the mean square of the
    draws that plus luck once more. What the draws have too much on average is therefore taken from each of them twice.
    """
    squares = draws**2
    return np.asarray(np.sqrt(np.maximum(squares - 2 * (np.nanmean(squares) - value**2), 0.0)))


def reaching(value: float, draws: np.ndarray) -> Estimate:
    """Percentile interval, made longer where it must be to hold the value as measured, which has its luck in it."""
    found = interval(value, draws)
    return Estimate(value, float(np.minimum(found.low, value)), float(np.maximum(found.high, value)))


def judge(y: np.ndarray, p: np.ndarray, group: np.ndarray, capacity_share: float, seed: int = 0) -> dict[str, Estimate]:
    """Every measure of one score: auc, pr_auc, precision and lift at capacity, brier, log_loss, calibration_error."""
    ranking = Ranking(y, p)
    metrics: dict[str, Metric] = {
        "auc": ranking.auc,
        "pr_auc": ranking.average_precision,
        "precision_at_capacity": ranking.precision_at(capacity_share),
        "lift_at_capacity": ranking.lift_at(capacity_share),
        "brier": ranking.brier,
        "log_loss": ranking.log_loss,
        "calibration_error": ranking.calibration_error,
    }
    draws = resample(group, seed, metrics)
    found = {name: interval(point(metric, len(y)), draws[name]) for name, metric in metrics.items()}
    error = found[BIASED].value
    return found | {BIASED: reaching(error, without_bias(error, draws[BIASED]))}


def auc(y: np.ndarray, p: np.ndarray) -> float:
    """Area under the ROC curve of the rows as they are; NaN with one class."""
    return point(Ranking(y, p).auc, len(y))


def auc_estimate(y: np.ndarray, p: np.ndarray, group: np.ndarray, seed: int = 0) -> Estimate:
    """Area under the ROC curve with its interval by account."""
    ranking = Ranking(y, p)
    return interval(point(ranking.auc, len(y)), resample(group, seed, {"auc": ranking.auc})["auc"])


def auc_difference(y: np.ndarray, p: np.ndarray, other: np.ndarray, group: np.ndarray, seed: int = 0) -> Estimate:
    """AUC of `p` minus AUC of `other`, paired by account."""
    mine, theirs = Ranking(y, p), Ranking(y, other)
    draws = resample(group, seed, {"mine": mine.auc, "theirs": theirs.auc})
    return interval(point(mine.auc, len(y)) - point(theirs.auc, len(y)), draws["mine"] - draws["theirs"])
