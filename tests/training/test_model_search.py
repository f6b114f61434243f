"""The choice between linear model, trees and blend: the simpler one wins ties."""

from __future__ import annotations

import numpy as np

from training.calibrate import sigmoid
from training.model_search import Held, better_beyond_noise, choose


class TestChoice:
    def test_the_simpler_wins_a_tie(self) -> None:
        rng = np.random.default_rng(0)
        z = rng.normal(size=2000)
        y = (rng.random(2000) < sigmoid(z)).astype(float)
        group, period = np.arange(2000), np.zeros(2000, np.int64)
        tie = Held(group, z, z + rng.normal(0, 1e-3, 2000), period)
        assert choose(tie, y, group).tree_share == 0
        better = Held(group, 0.3 * z, z, period)
        assert choose(better, y, group).tree_share > 0.5

    def test_rows_of_one_account_are_one_voice(self) -> None:
        rng = np.random.default_rng(3)
        gain = np.repeat(rng.normal(0.03, 0.3, 60), 50)
        loss, simpler = np.zeros(3000), gain
        assert better_beyond_noise(loss, simpler, np.arange(3000))
        assert not better_beyond_noise(loss, simpler, np.repeat(np.arange(60), 50), noise=2.0)
