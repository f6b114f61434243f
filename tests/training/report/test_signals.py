"""Which signals move the score: the scorer's own effects, the largest first."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from models.scorer.scorer import Scorer
from tests.kit.scorers import make_signals, random_rows
from training.report.signals import top_signals


class TestTopSignals:
    def test_the_effects_are_the_scorers_and_their_order_is_that_of_their_size(self, scorer: Scorer) -> None:
        x, y = random_rows(500, seed=9)
        found = top_signals(scorer, x, y, count=8)
        effects, _ = scorer.effects(x)
        size = dict(zip(scorer.names, np.abs(effects).mean(axis=0), strict=True))
        assert [s["signal"] for s in found] == sorted(scorer.names, key=lambda n: -size[n])
        assert sum(s["share"] for s in found) == pytest.approx(1, abs=1e-3)  # type: ignore[misc]
        assert {str(s["label"]) for s in found} <= {s.label for s in make_signals()}
        for signal in found:
            j = scorer.names.index(str(signal["signal"]))
            points: Any = signal["points"]
            assert sum(p["n"] for p in points) == 500
            mean = sum(p["effect"] * p["n"] for p in points) / 500
            assert mean == pytest.approx(float(effects[:, j].mean()), abs=1e-5)
            assert sum(p["rate"] * p["n"] for p in points) == pytest.approx(float(y.sum()), abs=0.01)
