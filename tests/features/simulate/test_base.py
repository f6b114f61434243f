"""What the parts of the simulation share: months, and the mix of states from week to week."""

from __future__ import annotations

import numpy as np
import pytest

from features.simulate import parameters as p
from features.simulate.base import add_months, propagate


class TestPropagate:
    def test_the_mix_of_states_is_carried_on_as_by_a_matrix_product(self) -> None:
        shares = np.random.default_rng(0).random((100, len(p.HEALTH)))
        assert propagate(shares, p.HEALTH_STEP) == pytest.approx(shares @ p.HEALTH_STEP, abs=1e-15)


class TestMonths:
    @pytest.mark.parametrize(
        ("day", "months", "expected"),
        [
            ("2024-01-31", 1, "2024-02-29"),
            ("2024-01-31", 13, "2025-02-28"),
            ("2024-02-29", 12, "2025-02-28"),
            ("2024-03-15", 3, "2024-06-15"),
        ],
    )
    def test_the_31st_becomes_the_last_day_of_a_shorter_month(self, day: str, months: int, expected: str) -> None:
        found = add_months(np.array([np.datetime64(day, "D").astype(np.int64)]), np.array([months]))
        assert found[0] == np.datetime64(expected, "D").astype(np.int64)
