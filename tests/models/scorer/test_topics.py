"""Signals that say the same are one group: its effect is the sum, and its strongest member speaks."""

from __future__ import annotations

import numpy as np
import pytest

from models.scorer.topics import BLOCK, FEW, Topics, strongest
from tests.kit.signal_specs import signal_spec


def topics() -> Topics:
    """Signals 0 and 1 are one group, 2 stands alone."""
    return Topics([signal_spec("a", topic="x"), signal_spec("b", topic="x"), signal_spec("c", topic="y")])


class TestGroups:
    def test_without_a_topic_it_is_the_name_without_its_window(self) -> None:
        """As scorers of format 1 have it."""
        found = Topics([signal_spec("active_users_28d"), signal_spec("mrr"), signal_spec("active_users_84d")])
        assert found.lists == [[0, 2], [1]]
        assert found.of.tolist() == [0, 1, 0]

    def test_a_column_of_the_company_never_joins_a_signal_of_the_same_name(self) -> None:
        found = Topics([signal_spec("logins_28d"), signal_spec("logins_84d", theme="custom")])
        assert found.lists == [[0], [1]]

    def test_a_group_has_the_sum_of_its_members_in_any_batch(self) -> None:
        effects = np.random.default_rng(0).normal(size=(BLOCK + 3, 3))
        found = topics().sums(effects)
        assert np.array_equal(found, np.column_stack([effects[:, 0] + effects[:, 1], effects[:, 2]]))
        assert np.array_equal(found[-1:], topics().sums(effects[-1:]))


class TestSpoken:
    def test_the_strongest_member_that_pushes_as_the_group_does_speaks(self) -> None:
        # The group has 0.25 - 0.5 = -0.25, so b speaks, the only one that lowers; c has 0.125 of 0.375 in all.
        found = topics().spoken(np.array([[0.25, -0.5, 0.125]]), 2)
        assert found.counts.tolist() == [2]
        assert found.signals.tolist() == [1, 2]
        assert found.effects.tolist() == [-0.25, 0.125]
        assert found.shares.tolist() == pytest.approx([2 / 3, 1 / 3])
        assert found.sizes.tolist() == [2, 0]
        assert (found.members.tolist(), found.parts.tolist()) == ([0, 1], [0.25, -0.5])

    def test_what_has_no_effect_is_left_out(self) -> None:
        found = topics().spoken(np.array([[0.0, 0.0, 1.0], [0.0, 0.0, 0.0], [0.0, 2.0, 0.0]]), 3)
        assert found.counts.tolist() == [1, 0, 1]
        assert found.rows.tolist() == [0, 2]
        assert found.signals.tolist() == [2, 1]
        assert found.sizes.tolist() == [0, 0], "a group with one member that has an effect stands alone"

    def test_at_most_k_are_told(self) -> None:
        found = topics().spoken(np.array([[0.1, 0.1, 0.5]]), 1)
        assert found.signals.tolist() == [2]


class TestStrongest:
    @pytest.mark.parametrize("rows", [1, FEW + 1])
    def test_the_largest_come_first_and_the_earlier_one_in_a_tie(self, rows: int) -> None:
        effects = np.tile([0.1, -0.5, 0.5, 0.0], (rows, 1))
        assert strongest(effects, 3).tolist() == [[1, 2, 0]] * rows
        assert strongest(effects, 9).tolist() == [[1, 2, 0, 3]] * rows

    def test_it_leaves_the_effects_as_they_are(self) -> None:
        effects = np.random.default_rng(0).normal(size=(FEW + 1, 4))
        before = effects.copy()
        strongest(effects, 2)
        assert np.array_equal(effects, before)
