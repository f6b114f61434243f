"""How customers change from week to week: their health, and whether they leave."""

from __future__ import annotations

import numpy as np
import pytest

from features.simulate import parameters as p
from features.simulate.customers import churn_truth, health_step
from tests.kit.simulated import spells_of, world_of


class TestChangeOfRegime:
    def test_steps_to_worse_health_get_likelier(self) -> None:
        world = world_of(change_day=(world_of().first_week + 20) * 7)
        before, after = health_step(world, 19), health_step(world, 20)
        assert (np.triu(after, 1) >= np.triu(before, 1)).all()
        assert after[2, 3] > before[2, 3]
        assert after.sum(axis=1) == pytest.approx(np.ones(len(p.HEALTH)))


class TestChurnTruth:
    def test_a_renewal_tomorrow_is_as_by_hand(self) -> None:
        """A yearly contract without auto-renewal that ends in the week of as_of: it lapses, or it stays for a year.

        P(30 days) = sum over healths of step[fading] x (1 - exp(-rate)), times the share that does not come back soon;
        leaving early is barred from counting by its 30 days of notice.
        """
        world = world_of()
        week = 53
        start_day = (world.first_week + week) * 7 + 1 - 365
        spells = spells_of(start_day)
        found = churn_truth(world, week, spells, np.array([0]), np.array([3]), np.array([1]))
        by_hand = sum(p.HEALTH_STEP[3][k] * (1 - np.exp(-p.NO_RENEWAL_RATE[2][k])) for k in range(5))
        assert found[0, 0] == pytest.approx(by_hand * (1 - p.RETURN_SOON_CHANCE))
