"""Measures, the columns that they ask for, and the row values that three engines agree on."""

from __future__ import annotations

from typing import Any

import narwhals as nw
import pyarrow as pa
import pytest

from features.signals.aggregations import (
    WEIGHT_UNIT,
    WEIGHTS,
    ActiveDays,
    ActiveWeeks,
    Latest,
    Measure,
    State,
    Total,
    Wanted,
    chosen,
    where,
)


def values(expression: nw.Expr, **columns: list[Any]) -> list[Any]:
    return nw.from_native(pa.table(columns)).select(found=expression).to_native()["found"].to_pylist()


class TestRowValues:
    def test_a_condition_that_is_unknown_counts_as_0(self) -> None:
        assert values(where(nw.col("x") > 1), x=[2, 1, None]) == [1, 0, 0]

    def test_a_value_is_null_where_its_condition_is_not_true(self) -> None:
        assert values(chosen(nw.col("x") > 1, nw.col("y")), x=[2, 1, None], y=[10, 20, 30]) == [10, None, None]


class TestMeasure:
    def test_two_of_one_kind_table_and_name_are_one(self) -> None:
        assert Total("n", "usage") == Total("n", "usage", value=lambda: nw.col("quantity"))
        assert Total("n", "usage") != Latest("n", "usage")
        assert len({Total("n", "usage"), Total("n", "usage"), Total("n", "touches")}) == 2

    def test_is_offered_where_the_source_has_its_table_and_every_column(self) -> None:
        held = {("usage", None), ("usage", "kind")}
        assert Measure("n", "usage", ("kind",)).offered(lambda table, column: (table, column) in held)
        assert not Measure("n", "usage", ("kind", "feature")).offered(lambda table, column: (table, column) in held)
        assert not Measure("n", "touches").offered(lambda table, column: (table, column) in held)


class TestWanted:
    def test_remembers_windows_weights_and_days_ago(self) -> None:
        get, total, state = Wanted(), Total("n", "usage"), State("mrr", "subscriptions")
        get(total, 28)
        get(total, 28, before=28)
        get(total, weight="slope")
        get(state)
        get(state, ago=84)
        assert get.windows == {total: {(0, 4), (4, 8)}}
        assert get.weighted == {total: {"slope"}}
        assert get.states == {state: {0, 84}}
        assert get.measures == {total, state}

    @pytest.mark.parametrize(("days", "before"), [(10, 0), (28, 3), (91, 0), (0, 0), (28, 63)])
    def test_a_window_is_whole_weeks_and_84_days_deep_at_most(self, days: int, before: int) -> None:
        with pytest.raises(ValueError, match="n: windows are whole weeks, at most 84 days deep"):
            Wanted()(Total("n", "usage"), days, before=before)

    def test_measures_of_a_kind_are_of_exactly_this_kind_by_name(self) -> None:
        get = Wanted()
        for measure in (ActiveDays("b", "usage"), ActiveDays("a", "usage"), ActiveWeeks("c", "usage")):
            get(measure, 28)
        get(ActiveDays("a", "touches"), 28)
        assert [m.name for m in get.of(ActiveDays, "usage")] == ["a", "b"]


class TestWeights:
    def test_the_half_life_halves_every_two_weeks(self) -> None:
        halved = WEIGHTS["half_life_14d"]
        assert halved[:5:2] == (WEIGHT_UNIT, WEIGHT_UNIT // 2, WEIGHT_UNIT // 4)
        assert halved[1] == round(WEIGHT_UNIT * 0.70710678)

    def test_the_newest_week_of_a_slope_is_11_and_the_oldest_0(self) -> None:
        assert WEIGHTS["slope"] == (11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0)
