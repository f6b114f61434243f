"""A scorer gives a row the same bits in any batch, its effects sum to its score, and using it imports nothing heavy."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from models.scorer.bins import FEW
from models.scorer.reason_texts import say
from models.scorer.scorer import Scorer
from models.scorer.sigmoid import sigmoid
from models.scorer.trees import TreeReasons
from tests.kit.scorers import (
    make_scorer,
    odd_rows,
    random_rows,
)


class TestScores:
    def test_any_batch_gives_a_row_the_same_bits(self, scorer: Scorer) -> None:
        x = odd_rows()
        together = scorer.probability(x)
        assert np.array_equal(together, np.concatenate([scorer.probability(x[i : i + 1]) for i in range(len(x))]))
        assert np.array_equal(together, np.concatenate([scorer.probability(x[i : i + 7]) for i in range(0, len(x), 7)]))
        order = np.random.default_rng(0).permutation(len(x))
        assert np.array_equal(together[order], scorer.probability(x[order]))

    def test_effects_sum_to_the_log_odds(self, scorer: Scorer) -> None:
        effects, base = scorer.effects(odd_rows())
        assert np.abs(effects.sum(axis=1) + base - scorer.log_odds(odd_rows())).max() < 1e-9

    def test_the_ends_of_the_range_have_the_first_and_last_percentile_and_band(self, scorer: Scorer) -> None:
        low, high = np.array([0.0, 1.0]), scorer.percentile(np.array([0.0, 1.0]))
        assert high.tolist() == [1, 100]
        assert scorer.band(low) == ["low", "high"]

    def test_effects_sum_with_the_linear_part_or_the_trees_alone(self, tmp_path: Path) -> None:
        linear = make_scorer(tmp_path / "linear", n=400, boosters=[], tree_share=0.0)
        trees = make_scorer(tmp_path / "trees", n=400, linear=None, tree_share=1.0)
        for made in (linear, trees):
            effects, base = made.effects(odd_rows())
            assert np.abs(effects.sum(axis=1) + base - made.log_odds(odd_rows())).max() < 1e-9

    def test_sigmoid_does_not_warn_at_the_ends(self) -> None:
        with np.errstate(over="raise"):
            assert sigmoid(np.array([0.0])).tolist() == [0.5]


class TestSentence:
    def test_it_is_what_is_said_without_preparation(self, scorer: Scorer) -> None:
        for signal in scorer.spec.signals:
            values = [None, True, 0.0, -1.0, 1, 2.5, 1e300] if signal.vocabulary is None else [None, "alpha", "unseen"]
            for value in values:
                assert scorer.sentence(signal.name, value) == say(scorer.spec, signal, value)


class TestAnyBatch:
    def test_effects_have_the_same_bits(self, scorer: Scorer) -> None:
        x, _ = random_rows(1_200, seed=5)
        together = scorer.effects(x)[0]
        for size in (1, 7, TreeReasons.FEW + 1, FEW + 1, TreeReasons.MANY - 1, TreeReasons.MANY, TreeReasons.CHUNK + 1):
            parts = [scorer.effects(x[i : i + size])[0] for i in range(0, len(x), size)]
            assert np.array_equal(np.concatenate(parts), together)

    @pytest.mark.parametrize("rows", [0, 1, 5, 400])
    def test_explain_gives_the_bits_of_log_odds_and_effects(self, scorer: Scorer, rows: int) -> None:
        x = random_rows(400, seed=5)[0][:rows]
        log_odds, effects = scorer.explain(x)
        assert np.array_equal(log_odds, scorer.log_odds(x))
        assert np.array_equal(effects, scorer.effects(x)[0])
        assert np.array_equal(sigmoid(log_odds), scorer.probability(x))


class TestLight:
    def test_scoring_imports_nothing_heavy(self, folder: Path) -> None:
        code = (
            "import sys; from pathlib import Path; from models.champion_pointer import read_pointer; from models.scorer.scorer import Scorer;"
            f"s = Scorer.load(Path({str(folder)!r})); s.explain(s.encode_records([{{}}])[0]);"
            "heavy = 'lightgbm pandas sklearn mlflow numba duckdb pyarrow narwhals scipy alembic'.split();"
            "sys.exit(' '.join(m for m in heavy if m in sys.modules) or 0)"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
