"""The measures that signals of usage are made of."""

from __future__ import annotations

from typing import Any

import narwhals as nw
import pyarrow as pa

from features.signals.aggregations import Wanted
from features.signals.definition import counted
from features.signals.usage_measures import (
    SLOPE_DIVISOR,
    changed_28d,
    events,
    quantity,
    seats,
    usage_signal,
    users,
)


def values(expression: nw.Expr, **columns: list[Any]) -> list[Any]:
    found: list[Any] = nw.from_native(pa.table(columns)).select(f=expression).to_native()["f"].to_pylist()
    return found


def test_an_act_without_a_quantity_counts_as_one() -> None:
    assert values(quantity.value(), quantity=[7, None, 0]) == [7, 1, 0]


def test_seats_count_where_a_contract_is_paid_for() -> None:
    status = ["active", "notice", "trial", "active"]
    assert values(seats.value(), status=status, mrr=[100, 100, 100, 0], seats=[3, 4, 5, 6]) == [3, 4, 0, 0]


def test_a_change_asks_for_two_windows_of_28_days() -> None:
    get = Wanted()
    changed_28d(users)(get)
    assert get.windows == {users: {(0, 4), (4, 8)}}


def test_the_divisor_is_that_of_a_line_over_twelve_weeks() -> None:
    weeks = range(12)
    assert 12 * sum(t * t for t in weeks) - sum(weeks) ** 2 == SLOPE_DIVISOR


def test_a_usage_signal_is_0_without_usage_unless_it_says_otherwise() -> None:
    words = {"unit": "count", "label": "l", "some": "{value}."}
    assert usage_signal("n", counted(events, 28), **words).signal.missing == "never: without usage it is 0"
    assert usage_signal("n", counted(events, 28), missing="nobody", **words).signal.missing == "nobody"
