"""Signals of usage over time: trends over weeks and months, days since use, silence, regularity."""

from __future__ import annotations

from features.signals.definition import (
    Definition,
    change,
    days_since,
    number,
    ratio,
    window,
)
from features.signals.usage_measures import (
    SLOPE_DIVISOR,
    active_days,
    active_weeks,
    changed_28d,
    events,
    features_used,
    first_event,
    last_event,
    silence,
    usage_signal,
    users,
)


def _trends() -> list[Definition]:
    changed = (
        ("active_users", users, "Active users", "{new} users were active"),
        ("events", events, "Acts in the product", "There were {new} acts in the product"),
    )
    found = [
        usage_signal(
            f"{name}_change_28d",
            changed_28d(measure),
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
        usage_signal(
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
        usage_signal(
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
        usage_signal(
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
        usage_signal(
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
        usage_signal(
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
        usage_signal(
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
        usage_signal(
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


DEFINITIONS: tuple[Definition, ...] = (*_trends(), *_rhythm())
