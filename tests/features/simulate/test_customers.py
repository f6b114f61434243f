"""How customers change from week to week: their health, and whether they leave."""

from __future__ import annotations

import numpy as np
import pytest

from features.simulate import parameters as p
from features.simulate.customers import health_step
from tests.kit.simulated import world_of


class TestChangeOfRegime:
    def test_steps_to_worse_health_get_likelier(self) -> None:
        world = world_of(change_day=(world_of().first_week + 20) * 7)
        before, after = health_step(world, 19), health_step(world, 20)
        assert (np.triu(after, 1) >= np.triu(before, 1)).all()
        assert after[2, 3] > before[2, 3]
        assert after.sum(axis=1) == pytest.approx(np.ones(len(p.HEALTH)))
