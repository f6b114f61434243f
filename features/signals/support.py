"""Signals of support: tickets opened, open, escalated and reopened, time to the first answer, ratings."""

from __future__ import annotations

from typing import Any

import narwhals as nw

from features.kit.clock import DAY_US
from features.signals.aggregations import State, Total, where
from features.signals.definition import AS_OF, Definition, Formula, change, days_since, define, number, ratio

_T = "tickets"


def _opened_within(days: int, before: int = 0) -> nw.Expr:
    age = AS_OF - nw.col("created_us")
    return (age <= (days + before) * DAY_US) & (age > before * DAY_US)


def _opened(
    days: int, before: int = 0, extra: nw.Expr | None = None, needs: tuple[str, ...] = (), name: str = "opened"
) -> State:
    condition = _opened_within(days, before) if extra is None else _opened_within(days, before) & extra
    return State(f"{name}_{days}_{before}", _T, needs, value=lambda: where(condition))


unresolved = State("unresolved", _T, value=lambda: where(nw.col("status").is_in(["open", "pending", "reopened"])))
escalated = _opened(84, extra=nw.col("escalated"), needs=("escalated",), name="escalated")
escalated_recent = _opened(28, extra=nw.col("escalated"), needs=("escalated",), name="escalated")
urgent = _opened(84, extra=nw.col("priority").is_in(["high", "urgent"]), needs=("priority",), name="urgent")
answered = _opened(84, extra=nw.col("first_response_minutes") >= 0, needs=("first_response_minutes",), name="answered")
minutes = State(
    "response_minutes",
    _T,
    ("first_response_minutes",),
    value=lambda: where(_opened_within(84)) * nw.col("first_response_minutes"),
)
rated = _opened(84, extra=nw.col("satisfaction") >= 1, needs=("satisfaction",), name="rated")
stars = State("stars", _T, ("satisfaction",), value=lambda: where(_opened_within(84)) * nw.col("satisfaction"))
unhappy = _opened(84, extra=nw.col("satisfaction") <= 2, needs=("satisfaction",), name="unhappy")
reopened = Total("reopened", _T, value=lambda: where(nw.col("status") == "reopened"))
last_opened = State("last_opened", _T, value=lambda: nw.col("created_us"), how="max")
oldest_open = State(
    "oldest_open",
    _T,
    how="min",
    value=lambda: nw.when(nw.col("status").is_in(["open", "pending", "reopened"])).then(nw.col("created_us")),
)

_NONE = "never: without tickets it is 0"


def _support(name: str, formula: Formula, **words: Any) -> Definition:
    return define(name, formula, theme="support", **{"missing": _NONE, **words})


def _now(measure: State) -> Formula:
    return lambda get: number(get(measure))


def _counts() -> list[Definition]:
    found = [
        _support(
            f"tickets_opened_{days}d",
            _now(_opened(days)),
            unit="count",
            window=f"[as_of - {days} d, as_of)",
            topic="tickets_opened",
            like=f"with {{value}} tickets opened in the last {days} days",
            label=f"tickets opened in the last {days} days",
            some=f"{{value}} tickets were opened in the last {days} days.",
            zero=f"No ticket was opened in the last {days} days.",
        )
        for days in (7, 28, 84)
    ]
    return [
        *found,
        _support(
            "tickets_open",
            lambda get: number(get(unresolved)),
            unit="count",
            good=-1,
            topic="tickets_open",
            like="with {value} tickets open",
            label="open tickets",
            some="{value} tickets are open.",
            zero="No ticket is open.",
        ),
        _support(
            "tickets_escalated_28d",
            lambda get: number(get(escalated_recent)),
            unit="count",
            good=-1,
            window="[as_of - 28 d, as_of)",
            like="with {value} tickets of the last 28 days escalated",
            label="escalated tickets of the last 28 days",
            some="{value} tickets of the last 28 days were escalated.",
            zero="No ticket of the last 28 days was escalated.",
        ),
        _support(
            "tickets_escalated_84d",
            lambda get: number(get(escalated)),
            unit="count",
            good=-1,
            window="[as_of - 84 d, as_of)",
            like="with {value} tickets of the last 84 days escalated",
            label="escalated tickets of the last 84 days",
            some="{value} tickets of the last 84 days were escalated.",
            zero="No ticket of the last 84 days was escalated.",
        ),
        _support(
            "tickets_urgent_84d",
            lambda get: number(get(urgent)),
            unit="count",
            good=-1,
            window="[as_of - 84 d, as_of)",
            like="with {value} tickets of the last 84 days marked urgent",
            label="urgent tickets of the last 84 days",
            some="{value} tickets of the last 84 days were urgent.",
            zero="No ticket of the last 84 days was urgent.",
        ),
        _support(
            "tickets_reopened_84d",
            lambda get: number(get(reopened, 84)),
            unit="count",
            good=-1,
            window="[as_of - 84 d, as_of)",
            like="whose tickets were reopened {value} times in the last 84 days",
            one="A ticket was reopened once in the last 84 days.",
            label="times a ticket was reopened in the last 84 days",
            some="Tickets were reopened {value} times in the last 84 days.",
            zero="No ticket was reopened in the last 84 days.",
        ),
        _support(
            "low_ratings_84d",
            lambda get: number(get(unhappy)),
            unit="count",
            good=-1,
            window="[as_of - 84 d, as_of)",
            topic="satisfaction",
            like="with {value} tickets of the last 84 days rated low",
            label="ratings of 1 or 2 for tickets of the last 84 days",
            some="{value} tickets of the last 84 days got a low rating.",
            zero="No ticket of the last 84 days got a low rating.",
        ),
    ]


def _quality() -> list[Definition]:
    return [
        _support(
            "first_response_hours_84d",
            lambda get: ratio(get(minutes), 60 * get(answered)),
            unit="hours",
            good=-1,
            window="[as_of - 84 d, as_of)",
            like="whose tickets of the last 84 days waited {value} hours for an answer",
            unknown="No ticket of the last 84 days was answered.",
            label="mean hours to the first answer to tickets of the last 84 days",
            missing="no ticket of the last 84 days was answered",
            some="Tickets of the last 84 days waited {value} hours for an answer.",
            zero="Tickets of the last 84 days were answered at once.",
        ),
        _support(
            "satisfaction_84d",
            lambda get: ratio(get(stars), get(rated)),
            unit="points",
            good=1,
            window="[as_of - 84 d, as_of)",
            topic="satisfaction",
            like="whose tickets of the last 84 days were rated {value} of 5",
            label="mean rating (1 to 5) of tickets of the last 84 days",
            missing="no ticket of the last 84 days was rated",
            some="Tickets of the last 84 days were rated {value} of 5.",
            unknown="No recent ticket was rated.",
        ),
        _support(
            "tickets_change_28d",
            lambda get: change(get(_opened(28)), get(_opened(28, 28))),
            unit="change",
            good=-1,
            window="[as_of - 56 d, as_of)",
            like="whose tickets rose by {rise} against the 28 days before",
            like_negative="whose tickets fell by {size} against the 28 days before",
            pair="{new} tickets were opened in the last 28 days, {old} in the 28 days before.",
            beside="tickets_opened_28d",
            unknown="No ticket was opened in the last 56 days.",
            label="change of tickets opened, last 28 days against the 28 before",
            missing="no ticket in 56 days",
            some="Tickets rose by {rise} against the 28 days before.",
            zero="As many tickets were opened in the last 28 days as in the 28 days before.",
            negative="Tickets fell by {size} against the 28 days before.",
        ),
        _support(
            "days_since_ticket",
            lambda get: days_since(get(last_opened)),
            unit="days",
            by_clock=True,
            missing="there was never a ticket",
            label="days since the last ticket",
            topic="tickets_opened",
            like="with the last ticket opened {value} days ago",
            some="The last ticket was opened {value} days ago.",
            zero="A ticket was opened within the last day.",
            unknown="They never opened a ticket.",
        ),
        _support(
            "oldest_open_ticket_days",
            lambda get: days_since(get(oldest_open)),
            unit="days",
            by_clock=True,
            good=-1,
            missing="no ticket is open",
            topic="tickets_open",
            like="whose oldest open ticket is {value} days old",
            zero="The oldest open ticket is less than a day old.",
            label="age of the oldest open ticket",
            some="The oldest open ticket is {value} days old.",
            unknown="No ticket is open.",
        ),
    ]


DEFINITIONS: tuple[Definition, ...] = (*_counts(), *_quality())
