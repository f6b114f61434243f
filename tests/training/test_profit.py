"""Money of a list, by hand: value found, gain at capacity, and what an unknown value counts as."""

from __future__ import annotations

import numpy as np
import pytest

from models.catalog import get_model
from training.metrics import Ranking, point
from training.profit import at_capacity, measures, money, profit_of, value_found

CHURN, LEADS, EXPANSION = (get_model(name) for name in ("churn-risk", "lead-fit", "expansion"))
Y, P = np.array([1.0, 0.0, 1.0, 0.0]), np.array([0.9, 0.8, 0.2, 0.1])
VALUE, GROUP = np.array([100.0, 50.0, 300.0, 10.0]), np.arange(4)


class TestMoney:
    def test_an_account_of_unknown_value_counts_as_the_mean_of_the_others(self) -> None:
        found = money(CHURN, np.array([100.0, np.nan, 300.0]))
        assert found is not None
        assert found.tolist() == [100.0, 200.0, 300.0]

    def test_a_lead_of_unknown_value_counts_as_the_mean_contribution(self) -> None:
        found = money(LEADS, np.array([np.nan, 500.0]))
        assert found is not None
        assert found.tolist() == pytest.approx([8000.0, 500.0])

    def test_growth_is_a_tenth_of_the_revenue(self) -> None:
        found = money(EXPANSION, np.array([1000.0]))
        assert found is not None
        assert found.tolist() == pytest.approx([100.0])

    def test_where_no_value_is_known_nothing_is_said(self) -> None:
        nothing = np.full(4, np.nan)
        assert money(CHURN, nothing) is None
        assert measures(CHURN, Y, P, GROUP, nothing) == {}
        assert at_capacity(CHURN, Y, P, GROUP, nothing, 0.5) is None


class TestValueFound:
    @pytest.mark.parametrize(("share", "found"), [(0.25, 100 / 400), (0.5, 100 / 400), (0.75, 1.0), (1.0, 1.0)])
    def test_share_of_the_value_of_those_with_the_outcome(self, share: float, found: float) -> None:
        assert point(value_found(Ranking(Y, P), VALUE, share), 4) == pytest.approx(found)

    def test_ties_count_in_part(self) -> None:
        assert point(value_found(Ranking(Y, np.full(4, 0.5)), VALUE, 0.5), 4) == pytest.approx(0.5)


class TestAtCapacity:
    def test_by_hand(self) -> None:
        """The best two cost 100 each; three in ten of the value of those who would leave are kept."""
        found = at_capacity(CHURN, Y, P, GROUP, VALUE, 0.5)
        assert found is not None
        assert (found["with_outcome"], found["found_at_capacity"], found["share_found_at_capacity"]) == (400, 100, 0.25)
        assert found["gain_at_capacity"]["value"] == pytest.approx(0.3 * 100 - 2 * 100)  # type: ignore[index]
        assert found["expected_gain_at_capacity"] == pytest.approx(0.3 * (0.9 * 100 + 0.8 * 50) - 2 * 100)
        assert found["worth_acting_share"] == 0.0, "0.3 * 0.9 * 100 is less than 100"

    def test_acting_pays_where_what_is_kept_is_more_than_the_cost(self) -> None:
        found = at_capacity(CHURN, Y, P, GROUP, 10 * VALUE, 0.5)
        assert found is not None
        # 0.3 * p * value: 270, 120, 180 and 3, against a cost of 100.
        assert found["worth_acting_share"] == 0.75


def test_each_kind_of_model_has_its_own_profit_or_none() -> None:
    assert [profit_of(model, Y, P, VALUE)[0] for model in (CHURN, LEADS, EXPANSION)] == ["empb", "empa", ""]
