"""Trees and their reasons: LightGBM's values, at the places where trees are easily misread and elsewhere."""

from __future__ import annotations

import lightgbm as lgb
import numpy as np
import pytest

from models.scorer import trees
from models.scorer.trees import TreeError, TreeReasons, merge, parse, tabulate
from tests.kit.scorers import (
    edge_rows,
    odd_rows,
    random_rows,
    train_booster,
)


def contributions(text: str, x: np.ndarray) -> np.ndarray:
    return np.asarray(lgb.Booster(model_str=text).predict(x, pred_contrib=True))


def reasons_of(text: str, k: int) -> TreeReasons:
    forest = parse(text)
    return TreeReasons(forest, tabulate(forest, k), k)


class TestTrees:
    @pytest.mark.parametrize(
        "settings", [{}, {"use_missing": False}, {"zero_as_missing": True}, {"num_leaves": 3}, {"num_leaves": 2}]
    )
    def test_reasons_equal_lightgbm(self, settings: dict[str, object]) -> None:
        x, y = random_rows(1_500)
        text = train_booster(x, y, **settings)  # type: ignore[arg-type]
        reasons = TreeReasons(parse(text), tabulate(parse(text), x.shape[1]), x.shape[1])
        expected = lgb.Booster(model_str=text).predict(odd_rows(), pred_contrib=True)
        found = reasons.effects(odd_rows())
        assert np.abs(found - expected[:, :-1]).max() < 1e-10  # type: ignore[call-overload,index]
        assert abs(reasons.base - expected[0, -1]) < 1e-10  # type: ignore[call-overload,index]

    def test_a_bag_in_one_text_is_the_mean_of_its_members(self) -> None:
        x, y = random_rows(800)
        texts = [train_booster(x, y, seed=s) for s in range(3)]
        merged = lgb.Booster(model_str=merge(texts, 0.8 / 3)).predict(odd_rows(), raw_score=True)
        members = np.mean([lgb.Booster(model_str=t).predict(odd_rows(), raw_score=True) for t in texts], axis=0)
        assert np.abs(np.asarray(merged) - 0.8 * members).max() < 1e-12

    def test_more_than_8_leaves_are_refused(self) -> None:
        x, y = random_rows(800)
        with pytest.raises(TreeError, match="at most 8"):
            merge([train_booster(x, y, num_leaves=31)], 1.0)

    def test_a_tree_that_never_split(self) -> None:
        x, y = random_rows(300)
        text = train_booster(x, y, trees=3, min_data_in_leaf=299)
        reasons = TreeReasons(parse(text), tabulate(parse(text), x.shape[1]), x.shape[1])
        assert np.abs(reasons.effects(x)).max() == 0


class TestEdges:
    @pytest.mark.parametrize("seed", range(3))
    @pytest.mark.parametrize("settings", [{}, {"use_missing": False}, {"zero_as_missing": True}], ids=str)
    def test_reasons_equal_lightgbm_there(self, settings: dict[str, object], seed: int) -> None:
        x, y = random_rows(1_000, seed=seed)
        text = train_booster(x, y, seed=seed, **settings)  # type: ignore[arg-type]
        rows = edge_rows(parse(text), x.shape[1])
        found, expected = reasons_of(text, x.shape[1]).effects(rows), contributions(text, rows)
        assert np.abs(found - expected[:, :-1]).max() < 1e-12

    def test_forgetting_that_zero_is_missing_is_seen(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The sabotaged twin: a reader that takes zero for a number gives other reasons on the same rows."""
        x, y = random_rows(1_000)
        text = train_booster(x, y, zero_as_missing=True)
        rows = edge_rows(parse(text), x.shape[1])
        monkeypatch.setattr(trees, "_MISSING_ZERO", 7)
        assert np.abs(reasons_of(text, x.shape[1]).effects(rows) - contributions(text, rows)[:, :-1]).max() > 1e-3
