"""What the size of a scorer costs, measured where it was trained."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from models.scorer.scorer import Scorer
from tests.kit.scorers import random_rows
from training.report import speed as module
from training.report.speed import speed


def test_without_rows_there_is_nothing_to_measure(scorer: Scorer) -> None:
    assert speed(scorer, np.empty((0, len(scorer.names)))) == {}


def test_the_figures_follow_from_the_clock(scorer: Scorer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every look at the clock is 0.5 s after the one before: 500,000 us a row, and 5,000 rows in half a second."""
    ticks = itertools.count(step=0.5)
    monkeypatch.setattr(module.clock, "perf_counter", lambda: next(ticks))  # type: ignore[attr-defined]
    monkeypatch.setattr(module, "REPEATS", 3)
    assert speed(scorer, random_rows(20)[0]) == {
        "one_row_with_reasons_us": 500_000.0,
        "rows_per_s": 10_000,
        "rows_with_reasons_per_s": 10_000,
    }


def test_the_quickest_of_some_runs_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    moments = iter([0.0, 5.0, 10.0, 12.0, 20.0, 29.0])  # 5, 2 and 9 seconds
    monkeypatch.setattr(module.clock, "perf_counter", lambda: next(moments))  # type: ignore[attr-defined]
    assert module._quickest(lambda: None) == 2.0
