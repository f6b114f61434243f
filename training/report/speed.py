"""Measures how fast a scorer is on this machine."""

from __future__ import annotations

import time as clock
from collections.abc import Callable

import numpy as np

from models.scorer.scorer import Scorer

ROWS = 5_000
REPEATS = 60


def speed(scorer: Scorer, x: np.ndarray) -> dict[str, float]:
    """Microseconds of one row with all its reasons, and rows a second with and without reasons; empty without rows."""
    if not len(x):
        return {}
    rows = np.resize(x, (ROWS, x.shape[1]))
    one = rows[:1]
    scorer.explain(one)
    times = []
    for _ in range(REPEATS):
        began = clock.perf_counter()
        scorer.explain(one)
        times.append(clock.perf_counter() - began)
    plain = _quickest(lambda: scorer.probability(rows))
    explained = _quickest(lambda: scorer.explain(rows))
    return {
        "one_row_with_reasons_us": round(float(np.median(times)) * 1e6, 1),
        "rows_per_s": round(ROWS / plain),
        "rows_with_reasons_per_s": round(ROWS / explained),
    }


def _quickest(work: Callable[[], object], times: int = 3) -> float:
    """Seconds of the quickest of some runs: the first is cold, and others share the machine."""
    found = []
    for _ in range(times):
        began = clock.perf_counter()
        work()
        found.append(clock.perf_counter() - began)
    return min(found)
