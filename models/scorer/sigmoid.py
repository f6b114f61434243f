"""The sigmoid that every path uses, with the same last bit on every processor.

`numpy.exp` differs in the last bit between processors with and without AVX-512, and the C library's between systems. A
batch on one machine, an API on another and a replay on a third would then give different numbers. This one is made of
additions, multiplications and divisions alone, each rounded as IEEE 754 says.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

ONE_BY_ONE = 16
"""Up to this many values are computed one after the other: faster than twenty calls of numpy."""
LIMIT = 700.0
"""Log-odds beyond this are taken for this: the probability is 1e-304 from 0 or 1."""
# exp of FreeBSD's msun and fdlibm (e_exp.c, Sun Microsystems 1993, freely usable): the error is below 1 unit in the last place.
_PER_LN2, _LN2_HIGH, _LN2_LOW = 1.44269504088896338700, 6.93147180369123816490e-01, 1.90821492927058770002e-10
_P1, _P2, _P3 = 1.66666666666666019037e-01, -2.77777777770155933842e-03, 6.61375632143793436117e-05
_P4, _P5 = -1.65339022054652515390e-06, 4.13813679705723846039e-08


def sigmoid(z: np.ndarray) -> np.ndarray:
    """Probabilities, 0 to 1, of log-odds of any shape; NaN stays NaN.

    >>> sigmoid(np.array([0.0, 2.0])).tolist()
    [0.5, 0.8807970779778823]
    """
    z = np.ascontiguousarray(z, dtype=np.float64)
    if z.size <= ONE_BY_ONE:
        return np.array([_one(value) for value in z.ravel().tolist()], dtype=np.float64).reshape(z.shape)
    x = np.clip(-z, -LIMIT, LIMIT)
    with np.errstate(invalid="ignore"):  # NaN has no power of two
        k = np.rint(x * _PER_LN2)
        return 1.0 / (1.0 + np.ldexp(_fraction(x, k), np.nan_to_num(k).astype(np.int32)))


def _one(z: float) -> float:
    if math.isnan(z):
        return z
    x = min(max(-z, -LIMIT), LIMIT)
    k = round(x * _PER_LN2)
    return 1.0 / (1.0 + math.ldexp(_fraction(x, float(k)), k))


def _fraction(x: Any, k: Any) -> Any:
    """exp(x) / 2**k, for floats and arrays alike; k is x / ln 2, rounded to a whole number."""
    high, low = x - k * _LN2_HIGH, k * _LN2_LOW
    r = high - low
    t = r * r
    c = r - t * (_P1 + t * (_P2 + t * (_P3 + t * (_P4 + t * _P5))))
    return 1.0 - ((low - (r * c) / (2.0 - c)) - high)


def sigmoid_by_numpy(z: np.ndarray) -> np.ndarray:
    """What versions before 0.3 took: decisions that they recorded replay to its bits, on a processor of the same kind."""
    return 1.0 / (1.0 + np.exp(-np.ascontiguousarray(z, dtype=np.float64)))
