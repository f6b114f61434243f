"""The fast reader of LightGBM's text gives LightGBM's bits; without it LightGBM itself does."""

from __future__ import annotations

import sys
from pathlib import Path

import lightgbm as lgb
import numpy as np
import pytest

from models.scorer.scorer import Scorer
from models.scorer.trees import parse
from tests.kit.scorers import edge_rows, make_scorer, random_rows


class TestFastReader:
    def test_the_fast_reader_gives_lightgbms_bits_there(self, tmp_path: Path) -> None:
        x, _ = random_rows(1_000)
        made = make_scorer(tmp_path / "s", n=1_000, linear=None, tree_share=1.0, slope=1.3, level=0.0)
        text = (tmp_path / "s" / "booster.txt").read_text()
        rows = edge_rows(parse(text), x.shape[1])
        expected = np.asarray(lgb.Booster(model_str=text).predict(rows, raw_score=True))
        assert np.array_equal(made.log_odds(rows), expected)


class TestFallback:
    def test_lightgbm_gives_the_same_bits(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        x, _ = random_rows(200, seed=8)
        expected = Scorer.load(folder).log_odds(x)
        monkeypatch.setitem(sys.modules, "lignum", None)
        assert np.array_equal(Scorer.load(folder).log_odds(x), expected)
