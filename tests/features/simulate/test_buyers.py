"""How leads change from week to week: their intent, and when they buy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from features.simulate import parameters as p
from features.simulate.buyers import conversion_truth
from tests.kit.simulated import world_of


class TestConversionTruth:
    def test_a_deal_in_its_last_week_is_as_by_hand(self) -> None:
        """A lead of 25 weeks that was buying: one draw in the first week, then it is stale.

        P = sum over intents of step[buying] x (1 - exp(-rate)), the whole week lying inside 30 days.
        """
        world = world_of()
        multiplier = np.array([1.0])
        found = conversion_truth(world, 10, np.array([3]), np.array([25]), np.array([0]), multiplier)
        by_hand = sum(p.INTENT_STEP[3][k] * (1 - np.exp(-p.CONVERSION_RATE[k])) for k in range(4))
        assert found[0] == pytest.approx([by_hand] * 3)

    def test_a_change_of_regime_counts_only_in_a_horizon_that_reaches_it(self) -> None:
        quiet, week = world_of(), 40
        channel, args = np.array([p.CHANNELS.index("paid")]), (np.array([3]), np.array([2]))
        changing = replace(quiet, change_day=(quiet.first_week + week + 6) * 7)
        far = conversion_truth(quiet, week, *args, channel, np.array([1.0]))[0]
        near = conversion_truth(changing, week, *args, channel, np.array([1.0]))[0]
        assert near[0] == far[0]
        assert near[1] < far[1]
        assert near[2] < far[2]
