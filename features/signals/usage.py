"""Signals of product usage: levels, and shares of users and seats. Trends are in `usage_over_time.py`."""

from __future__ import annotations

from features.signals import usage_over_time
from features.signals.definition import (
    Definition,
    counted,
    flag,
    number,
    ratio,
    window,
)
from features.signals.usage_measures import (
    active_days,
    active_weeks,
    admin_acts,
    errors,
    events,
    features_used,
    lost_key_user,
    new_users,
    quantity,
    seats,
    top_user,
    usage_signal,
    user_weeks,
    users,
)


def _levels() -> list[Definition]:
    found = []
    for days in (7, 28, 84):
        found += [
            usage_signal(
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
            usage_signal(
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
            usage_signal(
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
        usage_signal(
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
        usage_signal(
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
        usage_signal(
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
        usage_signal(
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
        usage_signal(
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
        usage_signal(
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
        usage_signal(
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
        usage_signal(
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
        usage_signal(
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
        usage_signal(
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
        usage_signal(
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


DEFINITIONS: tuple[Definition, ...] = (*_levels(), *_shares(), *usage_over_time.DEFINITIONS)
