"""Small trees in the directions of the model; a trial ends with its time."""

from __future__ import annotations

import time as clock

import numpy as np

from tests.kit.rows import dated_rows, in_time
from training import trees


class TestTrees:
    def test_at_most_8_leaves_and_the_directions_of_the_model(self) -> None:
        rows = dated_rows(2000)
        bag = trees.train(rows, trees.TreeSettings(), [1, 0, 1, 0], 60, [0])
        assert (
            max(
                int(line.split("=")[1])
                for line in bag[0].model_to_string().splitlines()
                if line.startswith("num_leaves")
            )
            <= 8
        )
        grid = np.tile(rows.x[:50], (40, 1))
        grid[:, 0] = np.repeat(np.linspace(-3, 3, 40), 50)
        scores = trees.log_odds(bag, grid).reshape(40, 50)
        assert (np.diff(scores, axis=0) >= -1e-12).all()
        free = trees.log_odds(trees.train(rows, trees.TreeSettings(), [0, 0, 0, 0], 60, [0]), grid).reshape(40, 50)
        assert (np.diff(free, axis=0) < -1e-6).any(), "the twin without directions breaks them"


class TestTrials:
    def test_a_trial_ends_with_its_time(self) -> None:
        rows = dated_rows()
        split = in_time(rows)
        folds = trees.bin_folds(rows, split.folds)
        settings = trees.TreeSettings(learning_rate=0.005)
        _, whole, _ = trees.cross_validate(folds, settings, [0, 0, 0, 0], 0)
        _, short, _ = trees.cross_validate(folds, settings, [0, 0, 0, 0], 0, until=clock.monotonic() - 1)
        assert short <= trees.FEWEST_TREES < whole
