"""The formulas that signals share, and what a definition tells of its signal."""

from __future__ import annotations

from typing import Any

import narwhals as nw
import pyarrow as pa
import pytest

from features.kit.clock import DAY_US
from features.signals.aggregations import State, Total
from features.signals.definition import Definition, change, counted, days_since, define, flag, money, ratio, window


def values(expression: nw.Expr, **columns: list[Any]) -> list[Any]:
    return nw.from_native(pa.table(columns)).select(found=expression).to_native()["found"].to_pylist()


def defined(**more: Any) -> Definition:
    words = {"theme": "usage", "unit": "count", "label": "uses", "some": "{value} uses.", "missing": "never"}
    return define("uses_28d", counted(Total("uses", "usage", ("kind",)), 28), **{**words, **more})


class TestFormulas:
    def test_a_change_is_relative_to_the_larger_and_bounded(self) -> None:
        found = values(change(nw.col("new"), nw.col("old")), new=[3, 1, 5, 0, None], old=[1, 3, 0, 0, 1])
        assert found == [pytest.approx(2 / 3), pytest.approx(-2 / 3), 1.0, None, None]

    def test_a_ratio_over_nothing_is_missing(self) -> None:
        assert values(ratio(nw.col("part"), nw.col("whole")), part=[1, 1, 0], whole=[4, 0, 2]) == [0.25, None, 0.0]

    def test_days_since_are_whole_days(self) -> None:
        as_of = 10 * DAY_US
        times = [as_of - 1, 9 * DAY_US, 9 * DAY_US - 1, None]
        assert values(days_since(nw.col("t")), t=times, as_of_us=[as_of] * 4) == [0.0, 0.0, 1.0, None]

    def test_money_is_cents_and_a_flag_keeps_what_is_missing(self) -> None:
        assert values(money(nw.col("cents")), cents=[150, None]) == [1.5, None]
        assert values(flag(nw.col("n")), n=[2, 0, None]) == [1.0, 0.0, None]


class TestDefine:
    def test_its_tables_are_those_of_its_measures(self) -> None:
        both = define(
            "seat_use",
            lambda get: ratio(get(Total("uses", "usage"), 28), get(State("seats", "subscriptions"))),
            theme="usage",
            unit="share",
            label="l",
            some="{value}.",
            missing="m",
        )
        assert both.signal.tables == ("subscriptions", "usage")
        assert both.entity == "account"

    def test_what_has_a_window_moves_by_the_clock_alone(self) -> None:
        assert not defined().signal.by_clock
        assert defined(window=window(28)).signal.by_clock
        assert defined(by_clock=True).signal.by_clock

    def test_good_is_a_sign(self) -> None:
        assert [defined(good=n).signal.good for n in (-3, 0, 7)] == [-1, 0, 1]

    def test_it_is_offered_where_every_column_of_its_measures_is(self) -> None:
        assert defined().offered(lambda table, column: True)
        assert not defined().offered(lambda table, column: column != "kind")
