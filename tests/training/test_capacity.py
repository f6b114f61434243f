"""Capacity as people say it, as a share of the list that is judged."""

from __future__ import annotations

import numpy as np
import pytest

from features.kit.clock import DAY_US
from features.kit.errors import UserMistake
from models.catalog import get_model
from training.capacity import Capacity, parse, share_of

CHURN = get_model("churn-risk")  # a horizon of 90 days, 10 % of the list
TODAY = 20_000 * DAY_US


class TestParse:
    @pytest.mark.parametrize(
        ("text", "per_day"),
        [
            ("40 per day", 40 * 5 / 7),  # five working days in seven
            ("10/week", 10 / 7),
            ("120 a month", 120 / (365.25 / 12)),
            ("9.5 per Quarters", 9.5 / (365.25 / 4)),
            ("1000 an year", 1000 / 365.25),
        ],
    )
    def test_a_number_in_a_time(self, text: str, per_day: float) -> None:
        found = parse(text)
        assert found.share is None
        assert found.per_day == pytest.approx(per_day)

    @pytest.mark.parametrize(("text", "share"), [("1", 1.0), ("0.25", 0.25), ("100%", 1.0), (" 2.5 % ", 0.025)])
    def test_a_share(self, text: str, share: float) -> None:
        assert parse(text) == Capacity(share=pytest.approx(share))  # type: ignore[arg-type]

    @pytest.mark.parametrize(
        "text", ["0", "2", "0%", "101%", "many", "", "-1 per day", "0 per day", "10 per fortnight"]
    )
    def test_anything_else_is_told_what_would_do(self, text: str) -> None:
        with pytest.raises(UserMistake, match=r"give a share.*or a number in a time.*day, week, month, quarter, year"):
            parse(text)


class TestOf:
    def test_a_rate_over_the_days_that_the_list_stands(self) -> None:
        assert Capacity(per_day=2.0).of(at_once=600, days=90) == pytest.approx(0.3)

    def test_nobody_can_act_upon_more_than_all(self) -> None:
        assert Capacity(per_day=2.0).of(at_once=10, days=90) == Capacity(per_day=2.0).of(at_once=0, days=90) == 1.0


class TestShareOf:
    def test_without_one_it_is_that_of_the_model(self) -> None:
        assert share_of(None, CHURN, None, dates_apart=True) == 0.10
        assert share_of("25%", CHURN, None, dates_apart=True) == 0.25

    def test_each_date_is_a_list_of_its_own_for_one_horizon(self) -> None:
        time = np.repeat([TODAY, TODAY + 28 * DAY_US], 100)
        assert share_of("7 per week", CHURN, time, dates_apart=True) == pytest.approx(1 * 90 / 100)

    def test_rows_that_come_one_by_one_are_compared_with_how_fast_they_come(self) -> None:
        time = TODAY + np.linspace(0, 10, 200) * DAY_US
        assert share_of("7 per week", CHURN, time, dates_apart=False) == pytest.approx(1 * 10 / 200)

    @pytest.mark.parametrize("time", [None, np.empty(0), np.arange(50)], ids=["no time", "no rows", "an order"])
    def test_a_rate_needs_dates(self, time: np.ndarray | None) -> None:
        with pytest.raises(UserMistake, match=r"needs dates.*give a share"):
            share_of("40 per day", CHURN, time, dates_apart=True)
