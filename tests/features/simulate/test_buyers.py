"""How leads change from week to week: their intent, and when they buy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from features.simulate import parameters as p
from features.simulate.buyers import conversion_truth
from tests.kit.simulated import world_of


class TestConversionTruth:
    def test_is_foreseen_by_the_truth_of_a_horizon_that_reaches_it(self) -> None:
        quiet, week = world_of(), 40
        channel, args = np.array([p.CHANNELS.index("paid")]), (np.array([3]), np.array([2]))
        changing = replace(quiet, change_day=(quiet.first_week + week + 6) * 7)
        far = conversion_truth(quiet, week, *args, channel, np.array([1.0]))[0]
        near = conversion_truth(changing, week, *args, channel, np.array([1.0]))[0]
        assert near[0] == far[0]
        assert near[1] < far[1]
        assert near[2] < far[2]
