"""Signals of billing: overdue and unpaid invoices, failed payments, days paid late."""

from __future__ import annotations

from typing import Any

import narwhals as nw

from features.kit.clock import DAY_US
from features.signals.aggregations import State, Total, where
from features.signals.definition import AS_OF, Definition, Formula, define, money, number, ratio, window

_T = "invoices"
_owed = nw.col("status").is_in(["open", "failed"])
_late = _owed & (nw.col("due_us") < AS_OF)


def _paid_within(days: int, before: int = 0) -> nw.Expr:
    age = AS_OF - nw.col("event_us")
    return (nw.col("status") == "paid") & (age <= (days + before) * DAY_US) & (age > before * DAY_US)


def _days_late() -> nw.Expr:
    """Whole days between the date due and the payment; early counts as 0."""
    days = (nw.col("event_us") - nw.col("due_us")) // DAY_US
    return nw.when(days > 0).then(days).otherwise(nw.lit(0, nw.Int64))


def _days_paid_late(days: int, before: int = 0) -> State:
    return State(
        f"days_late_{days}_{before}", _T, ("due_time",), value=lambda: where(_paid_within(days, before)) * _days_late()
    )


def _paid(days: int, before: int = 0) -> State:
    return State(f"paid_{days}_{before}", _T, ("due_time",), value=lambda: where(_paid_within(days, before)))


overdue_amount = State("overdue_amount", _T, ("due_time",), value=lambda: where(_late) * nw.col("amount"))
overdue = State("overdue", _T, ("due_time",), value=lambda: where(_late))
oldest_due = State("oldest_due", _T, ("due_time",), value=lambda: nw.when(_late).then(nw.col("due_us")), how="min")
open_amount = State("open_amount", _T, value=lambda: where(_owed) * nw.col("amount"))
failed = Total("failed", _T, value=lambda: where(nw.col("status") == "failed"))

_NONE = "never: without invoices it is 0"


def _billing(name: str, formula: Formula, **words: Any) -> Definition:
    return define(name, formula, theme="billing", **{"missing": _NONE, "good": -1, **words})


DEFINITIONS: tuple[Definition, ...] = (
    _billing(
        "overdue_amount",
        lambda get: money(get(overdue_amount)),
        unit="money",
        topic="unpaid_invoices",
        like="with {value} overdue",
        label="amount overdue",
        some="{value} is overdue.",
        zero="Nothing is overdue.",
        by_clock=True,
    ),
    _billing(
        "overdue_invoices",
        lambda get: number(get(overdue)),
        unit="count",
        topic="unpaid_invoices",
        like="with {value} invoices overdue",
        label="overdue invoices",
        some="{value} invoices are overdue.",
        zero="No invoice is overdue.",
        by_clock=True,
    ),
    _billing(
        "days_overdue",
        lambda get: number((AS_OF - 1 - get(oldest_due)) // DAY_US),
        unit="days",
        by_clock=True,
        topic="unpaid_invoices",
        like="whose oldest unpaid invoice is {value} days overdue",
        zero="The oldest unpaid invoice was due within the last day.",
        label="days that the oldest unpaid invoice is overdue",
        missing="nothing is overdue",
        some="The oldest unpaid invoice is {value} days overdue.",
        unknown="Nothing is overdue.",
    ),
    _billing(
        "open_invoice_amount",
        lambda get: money(get(open_amount)),
        unit="money",
        good=0,
        topic="unpaid_invoices",
        like="with unpaid invoices of {value}",
        label="amount of unpaid invoices",
        some="Invoices of {value} are unpaid.",
        zero="No invoice is unpaid.",
    ),
    _billing(
        "failed_payments_28d",
        lambda get: number(get(failed, 28)),
        unit="count",
        window=window(28),
        like="with {value} payments that failed in the last 28 days",
        label="failed payments in the last 28 days",
        some="{value} payments failed in the last 28 days.",
        zero="No payment failed in the last 28 days.",
    ),
    _billing(
        "failed_payments_84d",
        lambda get: number(get(failed, 84)),
        unit="count",
        window=window(84),
        like="with {value} payments that failed in the last 84 days",
        label="failed payments in the last 84 days",
        some="{value} payments failed in the last 84 days.",
        zero="No payment failed in the last 84 days.",
    ),
    _billing(
        "days_paid_late_84d",
        lambda get: ratio(get(_days_paid_late(84)), get(_paid(84))),
        unit="days",
        window=window(84),
        topic="paid_late",
        like="that paid {value} days late in the last 84 days",
        unknown="No invoice was paid in the last 84 days.",
        label="mean days late of invoices paid in the last 84 days",
        missing="no invoice was paid in 84 days",
        some="Invoices paid in the last 84 days were {value} days late.",
        zero="Invoices of the last 84 days were paid on time.",
    ),
    _billing(
        "days_paid_late_change_84d",
        lambda get: (
            ratio(get(_days_paid_late(84)), get(_paid(84))) - ratio(get(_days_paid_late(84, 84)), get(_paid(84, 84)))
        ),
        unit="days",
        window=window(168),
        topic="paid_late",
        like="that pay {value} days later than in the 84 days before",
        like_negative="that pay {size} days sooner than in the 84 days before",
        unknown="Too few invoices were paid to say whether they pay later than before.",
        label="change of mean days late, last 84 days against the 84 before",
        missing="no invoice was paid in one of the two periods",
        some="They pay {size} days later than in the 84 days before.",
        zero="They pay as promptly in the last 84 days as in the 84 days before.",
        negative="They pay {size} days sooner than in the 84 days before.",
    ),
)
