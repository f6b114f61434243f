"""Which signals move the score: the scorer's own effects, the largest first."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from models.scorer.scorer import Scorer
from tests.kit.scorers import make_signals, random_rows
from training.report import signals
from training.report.signals import effects_by_bin, top_signals


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


class TestEffectsByBin:
    def test_they_are_the_scorers_in_the_bins_that_it_keeps(self, scorer: Scorer) -> None:
        x, _ = random_rows(500, seed=9)
        effects, _ = scorer.effects(x)
        found = effects_by_bin(scorer, x)
        assert sum(each.share for each in found) == pytest.approx(1, abs=1e-4)
        for j, (signal, told) in enumerate(zip(scorer.spec.signals, found, strict=True)):
            assert signal.bins is not None
            assert len(told.bins) == len(signal.bins.counts) + 1
            column = x[:, j]
            for place, spread in enumerate(told.bins[:-1]):
                ends = [-np.inf, *signal.bins.edges, np.inf]
                inside = column == place if signal.vocabulary else (column >= ends[place]) & (column < ends[place + 1])
                assert (spread is None) == (not inside.any())
                if spread is not None:
                    assert spread[0] == pytest.approx(float(effects[inside, j].mean()), abs=1e-5)
                    assert spread[1] <= spread[2]
            gone = np.isnan(column)
            last = told.bins[-1]
            assert last is not None
            assert last[0] == pytest.approx(float(effects[gone, j].mean()), abs=1e-5)

    def test_many_rows_are_thinned_evenly(self, scorer: Scorer, monkeypatch: pytest.MonkeyPatch) -> None:
        x, _ = random_rows(500, seed=9)
        monkeypatch.setattr(signals, "MOST_ROWS", 250)
        assert effects_by_bin(scorer, x) == effects_by_bin(scorer, x[::2])
