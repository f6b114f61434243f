"""Drift of each signal and of the score against training, by the population stability index (PSI).

The index is the sum over bins of (now - then) * ln(now / then), Jeffreys' symmetrised divergence (Siddiqi, 2006, "Credit Risk
Scorecards"). The counts of training are kept in the scorer (`models.scorer.artefact_schema.Bins`), so that no training data are
needed. "Missing" is a bin of its own, and so is "any other word". Without drift the index is about (1/n + 1/m) times a
chi-squared variable of (bins - 1) degrees of freedom (Yurdakul & Naranjo, 2020, "Statistical properties of the population
stability index"); its 99 % quantile counts as noise here.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass

import numpy as np
import pyarrow as pa

from models.scorer.artefact_schema import SignalSpec
from models.scorer.scorer import Scorer
from training.monitor.live_rows import LiveRows

FEWEST_TO_NAME = 5
"""A new word is named when so many entities have it: a rarer one may be somebody's name."""
MOST_NAMED = 5
NOISE = 0.99
SCORE_BINS = 10
PRIOR = 0.5
"""Entities added to each bin, so that an empty one has a logarithm."""


@dataclass(frozen=True)
class SignalDrift:
    """One signal now against training; shares are of the entities, 0 to 1."""

    signal: str
    theme: str
    weight: float
    """Mean absolute effect now, as a share of that of all signals."""
    psi: float | None
    """None when the scorer has no bins of it."""
    noise: float
    """What the index would reach by chance once in a hundred times."""
    missing: float
    missing_then: float
    new_words: float
    """Share with a word that the scorer does not know, beyond the share that rare words had in training."""
    outside: float
    """Share with a number outside the range of training."""
    named: tuple[str, ...]
    """New words that several entities have, the most frequent first."""

    def as_dict(self) -> dict[str, object]:
        """JSON-ready values by field, numbers rounded to four digits."""
        return {k: round(v, 4) if isinstance(v, float) else v for k, v in asdict(self).items()}


def psi(now: np.ndarray, then: np.ndarray) -> tuple[float, float]:
    """Population stability index of two (bins,) arrays of counts, and what noise alone reaches once in a hundred times.

    >>> same, noise = psi(np.array([100, 200]), np.array([1000, 2000]))
    >>> round(same, 4), round(noise, 3)
    (0.0, 0.024)
    >>> round(psi(np.array([1000, 9000]), np.array([5000, 5000]))[0], 2)
    0.88
    """
    from scipy.stats import chi2

    used = (now + then) > 0
    now, then = now[used].astype(float), then[used].astype(float)
    if len(now) < 2 or not now.sum() or not then.sum():
        return 0.0, 0.0
    a, b = (counts + PRIOR for counts in (now, then))
    a, b = a / a.sum(), b / b.sum()
    found = float(((a - b) * np.log(a / b)).sum())
    return found, float(chi2.ppf(NOISE, len(now) - 1) * (1 / now.sum() + 1 / then.sum()))


def signal_drifts(scorer: Scorer, watched: LiveRows) -> list[SignalDrift]:
    """Every signal of the scorer on the rows of `watched`, the largest index first."""
    effects = np.abs(scorer.explain(watched.x)[1]).mean(axis=0)
    weights = effects / max(effects.sum(), 1e-12)
    found = [
        _drift(spec, watched.x[:, j], watched.table[spec.name], float(weights[j]))
        for j, spec in enumerate(scorer.spec.signals)
    ]
    return sorted(found, key=lambda d: (-(d.psi or 0.0), d.signal))


def _drift(spec: SignalSpec, x: np.ndarray, column: pa.ChunkedArray, weight: float) -> SignalDrift:
    gone = np.isnan(x)
    new, outside = 0.0, 0.0
    named: tuple[str, ...] = ()
    index: float | None = None
    noise = 0.0
    if spec.bins is not None:
        index, noise = psi(_counts(spec, x), np.array([*spec.bins.counts, spec.bins.missing_count]))
    if spec.vocabulary is not None:
        other = float((x == len(spec.vocabulary)).mean())
        new, named = other - _others_then(spec), _named(spec.vocabulary, column)
    elif spec.low is not None and spec.high is not None:
        outside = float(((x < spec.low) | (x > spec.high)).mean())
    return SignalDrift(
        spec.name,
        spec.theme,
        weight,
        index,
        noise,
        float(gone.mean()),
        spec.missing_share,
        max(new, 0.0),
        outside,
        named,
    )


def _counts(spec: SignalSpec, x: np.ndarray) -> np.ndarray:
    """Entities per bin of training, the missing ones last."""
    assert spec.bins is not None
    gone = np.isnan(x)
    size = len(spec.bins.counts)
    if spec.vocabulary is not None:
        place = x[~gone].astype(np.int64)
    else:
        place = np.searchsorted(np.array(spec.bins.edges), x[~gone], side="right")
    return np.append(np.bincount(place, minlength=size), gone.sum())


def _others_then(spec: SignalSpec) -> float:
    """Share of the training rows whose word was too rare for the vocabulary."""
    if spec.bins is None or len(spec.bins.counts) != len(spec.vocabulary or ()) + 1:
        return 0.0
    return spec.bins.counts[-1] / max(sum(spec.bins.counts) + spec.bins.missing_count, 1)


def _named(vocabulary: list[str], column: pa.ChunkedArray) -> tuple[str, ...]:
    known = set(vocabulary)
    counts = Counter(word for word in column.to_pylist() if word is not None and word not in known)
    return tuple(word for word, count in counts.most_common(MOST_NAMED) if count >= FEWEST_TO_NAME)


def score_drift(scorer: Scorer, p: np.ndarray) -> dict[str, float]:
    """The index of the scores over tenths of the reference population, and the mean probability then and now.

    The reference population has no count of its own; it is taken for as large as the present one.
    """
    cuts = np.array(scorer.spec.quantiles)[SCORE_BINS - 1 :: SCORE_BINS]
    counts = np.bincount(np.searchsorted(cuts, p, side="right"), minlength=SCORE_BINS)
    found, noise = psi(counts, np.full(SCORE_BINS, len(p) / SCORE_BINS))
    return {
        "psi": round(found, 4),
        "noise": round(noise, 4),
        "mean_probability": round(float(p.mean()), 6),
        "base_rate_of_training": round(scorer.spec.base_rate, 6),
    }
