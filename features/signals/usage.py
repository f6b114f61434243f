"""What people do in the product."""

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
    counted,
    days_since,
    define,
    flag,
    number,
    ratio,
    window,
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


def _usage(name: str, formula: Formula, **words: Any) -> Definition:
    return define(name, formula, theme="usage", **{"missing": _ZERO, **words})


def _changed(measure: Measure) -> Formula:
    return lambda get: change(get(measure, 28), get(measure, 28, before=28))


def _levels() -> list[Definition]:
    found = []
    for days in (7, 28, 84):
        found += [
            _usage(
                f"active_users_{days}d",
                counted(users, days),
                unit="count",
                window=window(days),
                good=1,
                topic="usage_level",
                like=f"with {{value}} users active in the last {days} days",
                label=f"active users in the last {days} days",
                some=f"{{value}} users were active in the last {days} days.",
                zero=f"Nobody used the product in the last {days} days.",
            ),
            _usage(
                f"events_{days}d",
                counted(events, days),
                unit="count",
                window=window(days),
                good=1,
                topic="usage_level",
                like=f"with {{value}} acts in the product in the last {days} days",
                label=f"acts in the product in the last {days} days",
                some=f"There were {{value}} acts in the product in the last {days} days.",
                zero=f"The product was not used in the last {days} days.",
            ),
        ]
    for days in (28, 84):
        found.append(
            _usage(
                f"features_used_{days}d",
                counted(features_used, days),
                unit="count",
                window=window(days),
                good=1,
                topic="usage_level",
                like=f"that used {{value}} features in the last {days} days",
                label=f"features used in the last {days} days",
                some=f"{{value}} features were used in the last {days} days.",
                zero=f"No feature was used in the last {days} days.",
            )
        )
    found += [
        _usage(
            "quantity_28d",
            lambda get: number(get(quantity, 28)),
            unit="count",
            window=window(28),
            good=1,
            topic="usage_level",
            like="that processed a volume of {value} in the last 28 days",
            label="volume processed in the last 28 days",
            some="A volume of {value} was processed in the last 28 days.",
            zero="No volume was processed in the last 28 days.",
        ),
        _usage(
            "active_days_28d",
            lambda get: number(get(active_days, 28)),
            unit="count",
            window=window(28),
            good=1,
            topic="usage_level",
            like="that used the product on {value} of the last 28 days",
            label="active days of the last 28",
            some="The product was used on {value} of the last 28 days.",
            zero="The product was not used in the last 28 days.",
        ),
        _usage(
            "active_weeks_84d",
            lambda get: number(get(active_weeks, 84)),
            unit="count",
            window=window(84),
            good=1,
            topic="usage_level",
            like="that used the product in {value} of the last 12 weeks",
            label="active weeks of the last 12",
            some="The product was used in {value} of the last 12 weeks.",
            zero="The product was not used in the last 12 weeks.",
        ),
        _usage(
            "admin_acts_28d",
            lambda get: number(get(admin_acts, 28)),
            unit="count",
            window=window(28),
            like="with {value} acts of administrators in the last 28 days",
            one="An administrator acted once in the last 28 days.",
            label="administrators' acts in the last 28 days",
            some="Administrators acted {value} times in the last 28 days.",
            zero="No administrator acted in the last 28 days.",
        ),
        _usage(
            "new_users_28d",
            lambda get: number(get(new_users, 28)),
            unit="count",
            window=window(28),
            good=1,
            like="with {value} users new in the last 28 days",
            label="users first seen in the last 28 days",
            some="{value} users were new in the last 28 days.",
            zero="No user was new in the last 28 days.",
        ),
    ]
    return found


def _shares() -> list[Definition]:
    return [
        _usage(
            "events_per_user_28d",
            lambda get: ratio(get(events, 28), get(users, 28)),
            unit="rate",
            window=window(28),
            good=1,
            topic="usage_level",
            like="with {value} acts per active user in the last 28 days",
            unknown="Nobody was active in the last 28 days.",
            label="acts per active user in the last 28 days",
            missing="nobody was active",
            some="Each active user acted {value} times in the last 28 days.",
        ),
        _usage(
            "stickiness_28d",
            lambda get: ratio(get(user_weeks, 28), 4 * get(users, 28)),
            unit="share",
            window=window(28),
            good=1,
            topic="usage_rhythm",
            like="where {value} of the last 28 days' users were active in an average week",
            unknown="The share of users who come back each week is not known.",
            label="share of users who are active in an average week",
            missing="nobody was active",
            some="In an average week {value} of the last 28 days' users were active.",
        ),
        _usage(
            "seat_use_28d",
            lambda get: ratio(get(users, 28), get(seats)),
            unit="share",
            window=window(28),
            good=1,
            topic="usage_level",
            like="that used {value} of the paid seats in the last 28 days",
            unknown="No seat is paid for.",
            label="share of paid seats used in the last 28 days",
            missing="no seat is paid for",
            some="{value} of the paid seats were used in the last 28 days.",
            zero="No paid seat was used in the last 28 days.",
        ),
        _usage(
            "top_user_share_28d",
            lambda get: ratio(get(top_user), get(events, 28)),
            unit="share",
            window=window(28),
            good=-1,
            like="where one user did {value} of all acts in the last 28 days",
            unknown="The share of the most active user is not known.",
            label="share of the most active user in the last 28 days",
            missing="there was no usage",
            some="One user did {value} of all acts in the last 28 days.",
        ),
        _usage(
            "error_rate_28d",
            lambda get: ratio(get(errors, 28), get(events, 28)),
            unit="share",
            window=window(28),
            good=-1,
            like="where {value} of all acts ended in an error in the last 28 days",
            unknown="The share of acts that end in an error is not known.",
            label="share of acts that ended in an error in the last 28 days",
            missing="there was no usage",
            some="{value} of all acts ended in an error in the last 28 days.",
            zero="No act ended in an error in the last 28 days.",
        ),
        _usage(
            "lost_key_user",
            lambda get: flag(get(lost_key_user)),
            unit="flag",
            window=window(56),
            good=-1,
            unknown="It is not known who used the product most in the month before.",
            label="the most active user of the month before fell silent",
            some="The most active user of the month before was not seen in the last 28 days.",
            zero="The most active user of the month before is still active.",
        ),
    ]


def _trends() -> list[Definition]:
    changed = (
        ("active_users", users, "Active users", "{new} users were active"),
        ("events", events, "Acts in the product", "There were {new} acts in the product"),
    )
    found = [
        _usage(
            f"{name}_change_28d",
            _changed(measure),
            unit="change",
            window=window(56),
            good=1,
            label=f"change of {noun.lower()}, last 28 days against the 28 before",
            missing="no usage in 56 days",
            some=f"{noun} rose by {{rise}} against the 28 days before.",
            zero=f"{noun} were as many in the last 28 days as in the 28 days before.",
            negative=f"{noun} fell by {{size}} against the 28 days before.",
            like=f"whose {noun.lower()} rose by {{rise}} against the 28 days before",
            like_negative=f"whose {noun.lower()} fell by {{size}} against the 28 days before",
            pair=f"{pair} in the last 28 days, {{old}} in the 28 days before.",
            beside=f"{name}_28d",
            topic="usage_trend",
            unknown="The product was not used in the last 56 days.",
        )
        for name, measure, noun, pair in changed
    ]
    found += [
        _usage(
            "events_change_7d",
            lambda get: change(get(events, 7), get(events, 7, before=7)),
            unit="change",
            window=window(14),
            good=1,
            topic="usage_trend",
            like="whose acts in the product rose by {rise} against the week before",
            like_negative="whose acts in the product fell by {size} against the week before",
            pair="There were {new} acts in the product in the last 7 days, {old} in the 7 days before.",
            beside="events_7d",
            unknown="The product was not used in the last two weeks.",
            label="change of acts in the product, last 7 days against the 7 before",
            missing="no usage in 14 days",
            some="Acts in the product rose by {rise} against the week before.",
            zero="Acts in the product were as many in the last week as in the week before.",
            negative="Acts in the product fell by {size} against the week before.",
        ),
        _usage(
            "features_used_change_28d",
            lambda get: change(get(features_used, 28), get(features_used, 28, before=28)),
            unit="change",
            window=window(56),
            good=1,
            topic="usage_trend",
            like="whose number of features used rose by {rise} against the 28 days before",
            like_negative="whose number of features used fell by {size} against the 28 days before",
            pair="{new} features were used in the last 28 days, {old} in the 28 days before.",
            beside="features_used_28d",
            unknown="The product was not used in the last 56 days.",
            label="change of features used, last 28 days against the 28 before",
            missing="no usage in 56 days",
            some="The number of features used rose by {rise} against the 28 days before.",
            zero="As many features were used in the last 28 days as in the 28 days before.",
            negative="The number of features used fell by {size} against the 28 days before.",
        ),
        # The slope over the mean: the share of an average week that is gained or lost per week.
        _usage(
            "events_slope_84d",
            lambda get: ratio(
                12 * (12 * get(events, weight="slope") - 66 * get(events, 84)), SLOPE_DIVISOR * get(events, 84)
            ),
            unit="change",
            window=window(84),
            good=1,
            topic="usage_trend",
            like="whose usage grew each week by {size} of a usual week",
            like_negative="whose usage shrank each week by {size} of a usual week",
            unknown="The product was not used in the last 12 weeks.",
            label="weekly trend of acts in the product over 12 weeks",
            missing="no usage in 84 days",
            some="Usage grew each week by {size} of a usual week, over the last 12 weeks.",
            zero="Usage was level over the last 12 weeks.",
            negative="Usage shrank each week by {size} of a usual week, over the last 12 weeks.",
        ),
    ]
    return found


def _rhythm() -> list[Definition]:
    return [
        _usage(
            "days_since_usage",
            lambda get: days_since(get(last_event)),
            unit="days",
            good=-1,
            by_clock=True,
            topic="usage_level",
            like="that last used the product {value} days ago",
            label="days since the product was last used",
            missing="it was never used",
            some="The product was last used {value} days ago.",
            zero="The product was used within the last day.",
            unknown="The product was never used.",
        ),
        _usage(
            "days_since_first_usage",
            lambda get: days_since(get(first_event)),
            unit="days",
            by_clock=True,
            topic="relationship_age",
            like="that first used the product {value} days ago",
            label="days since the product was first used",
            missing="it was never used",
            zero="The product was first used within the last day.",
            some="The product was first used {value} days ago.",
            unknown="The product was never used.",
        ),
        _usage(
            "longest_silence_84d",
            lambda get: number(get(silence)),
            unit="days",
            window=window(84),
            good=-1,
            by_clock=True,
            topic="usage_level",
            like="whose longest pause of the last 84 days took {value} days",
            label="longest silence since the first use in the last 84 days",
            missing="it was not used in 84 days",
            some="The longest pause of the last 84 days took {value} days.",
            zero="There was no day without usage in the last 84 days.",
            unknown="The product was not used in the last 84 days.",
        ),
        _usage(
            "usage_regularity_28d",
            lambda get: ratio(get(active_days, 28), 7 * get(active_weeks, 28)),
            unit="share",
            window=window(28),
            good=1,
            topic="usage_rhythm",
            like="that used the product on {value} of the days in weeks of use",
            unknown="The regularity of use is not known.",
            label="share of active days within active weeks of the last 28 days",
            missing="it was not used in 28 days",
            some="In weeks of use the product was used on {value} of the days.",
        ),
    ]


DEFINITIONS: tuple[Definition, ...] = (*_levels(), *_shares(), *_trends(), *_rhythm())
