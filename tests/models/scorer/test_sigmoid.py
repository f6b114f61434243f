"""The same bits on every processor, near the truth, and no surprise at the ends."""

from __future__ import annotations

import hashlib
from decimal import Decimal, localcontext

import numpy as np

from models.scorer.sigmoid import LIMIT, ONE_BY_ONE, sigmoid, sigmoid_by_numpy

Z = np.random.default_rng(3).normal(0, 5, 10_000)
SHA256 = "73780040e61f3874deec8152bde946f5d9ccdda8d2fa9b047f812820ce395f61"
"""Of the probabilities of `Z`: computed once, and the same wherever this runs."""


def ulps(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(n,) how many doubles lie between positive numbers."""
    return np.abs(a.view(np.int64) - b.view(np.int64))


def test_the_bits_are_those_of_every_other_processor() -> None:
    assert hashlib.sha256(sigmoid(Z).tobytes()).hexdigest() == SHA256


def test_a_last_bit_would_be_seen() -> None:
    """The twin: what numpy gives is near, and not the same on all processors; it is not these bits on any."""
    found = sigmoid_by_numpy(Z)
    assert ulps(found, sigmoid(Z)).max() <= 4
    assert hashlib.sha256(found.tobytes()).hexdigest() != SHA256


def test_a_row_alone_has_the_bits_that_it_has_among_others() -> None:
    together = sigmoid(Z)
    alone = np.concatenate([sigmoid(Z[i : i + ONE_BY_ONE]) for i in range(0, len(Z), ONE_BY_ONE)])
    assert alone.tobytes() == together.tobytes()


def test_near_the_exact_value() -> None:
    with localcontext() as exact:
        exact.prec = 40
        true = np.array([float(1 / (1 + (-Decimal(z)).exp())) for z in Z[:500].tolist()])
    assert ulps(sigmoid(Z[:500]), true).max() <= 2


def test_the_ends_and_nothing() -> None:
    ends = np.array([np.nan, -np.inf, -1e9, -LIMIT, 0.0, LIMIT, 1e9, np.inf])
    for given in (ends, np.resize(ends, 8 * ONE_BY_ONE)):
        found = sigmoid(given)[:8]
        assert np.isnan(found[0])
        assert found[1] == found[2] == found[3] > 0
        assert found[4] == 0.5
        assert found[5] == found[6] == found[7] == 1.0
    assert sigmoid(np.empty((0, 3))).shape == (0, 3)
    assert sigmoid(np.zeros((2, 3))).shape == (2, 3)
