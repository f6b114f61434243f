"""Measures of the table `usage`, and paid seats; the signals of usage share them."""

from __future__ import annotations

from typing import Any

import narwhals as nw

from features.signals.aggregations import (
    ActiveDays,
    ActiveWeeks,
    Distinct,
    Earliest,
    Latest,
    LongestSilence,
    LostLeader,
    Measure,
    MemberWeeks,
    Newcomers,
    Peak,
    State,
    Total,
    where,
)
from features.signals.definition import (
    Definition,
    Formula,
    change,
    define,
)

SLOPE_DIVISOR = 12 * 506 - 66**2
"""Least squares over the weeks 0..11: 12 * sum t^2 - (sum t)^2."""


def _quantity() -> nw.Expr:
    return nw.when(nw.col("quantity").is_null()).then(nw.lit(1, nw.Int64)).otherwise(nw.col("quantity"))


def _kind(kind: str) -> nw.Expr:
    return where(nw.col("kind") == kind)


_paid = nw.col("status").is_in(["active", "notice"]) & (nw.col("mrr") > 0)

events = Total("events", "usage")
quantity = Total("quantity", "usage", ("quantity",), value=_quantity)
admin_acts = Total("admin_acts", "usage", ("kind",), value=lambda: _kind("admin"))
errors = Total("errors", "usage", ("kind",), value=lambda: _kind("error"))
users = Distinct("users", "usage", ("user_id",), member="user_id")
user_weeks = MemberWeeks("user_weeks", "usage", ("user_id",), member="user_id")
new_users = Newcomers("new_users", "usage", ("user_id",), member="user_id")
top_user = Peak("top_user", "usage", ("user_id",), member="user_id")
lost_key_user = LostLeader("lost_key_user", "usage", ("user_id",), member="user_id")
features_used = Distinct("features", "usage", ("feature",), member="feature")
active_days = ActiveDays("active_days", "usage")
active_weeks = ActiveWeeks("active_weeks", "usage")
silence = LongestSilence("longest_silence", "usage")
last_event = Latest("last_event", "usage")
first_event = Earliest("first_event", "usage")
seats = State("paid_seats", "subscriptions", ("seats",), value=lambda: where(_paid) * nw.col("seats"))

_ZERO = "never: without usage it is 0"


def usage_signal(name: str, formula: Formula, **words: Any) -> Definition:
    return define(name, formula, theme="usage", **{"missing": _ZERO, **words})


def changed_28d(measure: Measure) -> Formula:
    return lambda get: change(get(measure, 28), get(measure, 28, before=28))
