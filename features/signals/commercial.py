"""Signals of contracts and deals: revenue, seats, renewal, how they changed, and deals open or lost."""

from __future__ import annotations

from typing import Any

import narwhals as nw

from features.kit.clock import DAY_US
from features.signals.aggregations import Latest, State, Total, Wanted, chosen, where
from features.signals.definition import AS_OF, Definition, Formula, change, days_since, define, flag, money, number

_paid = nw.col("status").is_in(["active", "notice"]) & (nw.col("mrr") > 0)
_T = "subscriptions"

mrr = State("paid_mrr", _T, value=lambda: where(_paid) * nw.col("mrr"))
seats = State("paid_seats", _T, ("seats",), value=lambda: where(_paid) * nw.col("seats"))
contracts = State("paid_contracts", _T, value=lambda: where(_paid))
notices = State("notices", _T, value=lambda: where(_paid & (nw.col("status") == "notice")))
ended = State("ended_contracts", _T, value=lambda: where(nw.col("status") == "ended"))
products = State("paid_products", _T, ("product",), value=lambda: chosen(_paid, nw.col("product")), how="distinct")
plan = State("plan", _T, ("plan",), value=lambda: chosen(_paid, nw.col("plan")), how="max")
since = State("since", _T, value=lambda: chosen(_paid, nw.col("created_us")), how="min")
renewal = State("renewal", _T, ("term_end",), value=lambda: chosen(_paid, nw.col("term_end_us")), how="min")
term = State("term", _T, ("term_months",), value=lambda: chosen(_paid, nw.col("term_months")), how="max")
auto = State("auto", _T, ("auto_renew",), value=lambda: chosen(_paid, where(nw.col("auto_renew"))), how="min")
discount = State("discount", _T, ("discount",), value=lambda: chosen(_paid, nw.col("discount")), how="max")
changes = Total("changes", _T, value=lambda: where(nw.col("status") == "active"))
last_change = Latest("last_change", _T)
open_deals = State("open_deals", "opportunities", ("account_id",), value=lambda: where(nw.col("status") == "open"))
open_amount = State(
    "open_amount",
    "opportunities",
    ("account_id", "amount"),
    value=lambda: where(nw.col("status") == "open") * nw.col("amount"),
)
lost_deals = State(
    "lost_deals",
    "opportunities",
    ("account_id",),
    value=lambda: where((nw.col("status") == "lost") & (AS_OF - nw.col("event_us") <= 364 * DAY_US)),
)

_FREE = "never: without a paid contract it is 0"


def _commercial(name: str, formula: Formula, **words: Any) -> Definition:
    return define(name, formula, theme="commercial", **{"missing": _FREE, **words})


def _changed(measure: State, days: int) -> Formula:
    return lambda get: change(get(measure), get(measure, ago=days))


STEPS = ((0, 28), (28, 56), (56, 84))
"""Days ago: what was paid at the one against the other."""


def _moves(up: bool) -> Formula:
    """Number of four-week steps at whose end a paying account paid more (or less, but not nothing)."""

    def formula(get: Wanted) -> nw.Expr:
        found = []
        for now, before in STEPS:
            new, old = get(mrr, ago=now), get(mrr, ago=before)
            found.append(where((old > 0) & ((new > old) if up else (new > 0) & (new < old))))
        return number(nw.sum_horizontal(*found))

    return formula


def _contract() -> list[Definition]:
    return [
        _commercial(
            "mrr",
            lambda get: money(get(mrr)),
            unit="money",
            like="that pay {value} a month",
            label="recurring revenue a month",
            some="They pay {value} a month.",
            zero="They pay nothing now.",
        ),
        _commercial(
            "plan",
            lambda get: get(plan),
            unit="category",
            like="on the plan {value}",
            label="plan",
            some="They are on the plan {value}.",
            missing="no paid contract, or its plan is not recorded",
            unknown="No paid plan is on record.",
        ),
        _commercial(
            "paid_seats",
            lambda get: number(get(seats)),
            unit="count",
            like="that pay for {value} seats",
            label="paid seats",
            some="They pay for {value} seats.",
            zero="They pay for no seat.",
        ),
        _commercial(
            "paid_contracts",
            lambda get: number(get(contracts)),
            unit="count",
            like="with {value} contracts that they pay for",
            one="They have 1 paid contract.",
            label="paid contracts",
            some="They have {value} paid contracts.",
            zero="They have no paid contract.",
        ),
        _commercial(
            "paid_products",
            lambda get: number(get(products)),
            unit="count",
            like="that pay for {value} products",
            label="products paid for",
            good=1,
            some="They pay for {value} products.",
            zero="They pay for no product.",
        ),
        _commercial(
            "tenure_days",
            lambda get: days_since(get(since)),
            unit="days",
            topic="relationship_age",
            like="that have been paying for {value} days",
            zero="They began to pay within the last day.",
            unknown="They have no paid contract.",
            label="days since the oldest paid contract began",
            by_clock=True,
            some="They have been paying for {value} days.",
            missing="no paid contract",
        ),
        # Rounded towards the past, like every age: a renewal at as_of itself is 0 days away.
        _commercial(
            "days_to_renewal",
            lambda get: number((get(renewal) - AS_OF) // DAY_US),
            unit="days",
            by_clock=True,
            like="up for renewal in {value} days",
            like_negative="whose agreed term ended {size} days ago",
            label="days to the next renewal",
            some="The contract is up for renewal in {value} days.",
            zero="The contract is up for renewal today.",
            negative="The agreed term ended {size} days ago.",
            missing="no paid contract, or its term is not recorded",
            unknown="No date of renewal is on record.",
        ),
        _commercial(
            "term_months",
            lambda get: number(get(term)),
            unit="months",
            like="with a term of {value} months",
            unknown="The length of the term is not on record.",
            label="length of the term",
            some="The term is {value} months.",
            zero="There is no agreed term.",
            missing="no paid contract, or its term is not recorded",
        ),
        _commercial(
            "renews_automatically",
            lambda get: number(get(auto)),
            unit="flag",
            unknown="It is not known whether the contract renews by itself.",
            label="every contract renews by itself",
            some="The contract renews by itself.",
            zero="The contract does not renew by itself.",
            missing="no paid contract",
        ),
        _commercial(
            "discount_share",
            lambda get: number(get(discount)),
            unit="share",
            like="with a discount of {value}",
            unknown="No discount is on record.",
            label="largest discount",
            some="They have a discount of {value}.",
            zero="They have no discount.",
            missing="no paid contract, or its discount is not recorded",
        ),
    ]


def _movement() -> list[Definition]:
    words = {
        84: "in the last 84 days",
        364: "in the last 364 days",
    }
    ago = {84: "twelve weeks ago", 364: "a year (364 days) ago"}
    found = []
    for days in (84, 364):
        found.append(
            _commercial(
                f"mrr_change_{days}d",
                _changed(mrr, days),
                unit="change",
                good=1,
                window=f"at as_of against as_of - {days} d",
                label=f"change of recurring revenue {words[days]}",
                missing="nothing was paid then or now",
                some=f"Recurring revenue rose by {{rise}} {words[days]}.",
                zero=f"Recurring revenue is what it was {days} days ago.",
                negative=f"Recurring revenue fell by {{size}} {words[days]}.",
                unknown=f"Nothing was paid {days} days ago, and nothing is now.",
                like=f"whose recurring revenue rose by {{rise}} {words[days]}",
                like_negative=f"whose recurring revenue fell by {{size}} {words[days]}",
                pair=f"They pay {{new}} a month now and paid {{old}} {ago[days]}.",
                beside="mrr",
                topic="revenue_trend",
            )
        )
    return [
        *found,
        _commercial(
            "seats_change_84d",
            lambda get: change(get(seats), get(seats, ago=84)),
            unit="change",
            good=1,
            window="at as_of against as_of - 84 d",
            topic="revenue_trend",
            like="whose paid seats rose by {rise} in 84 days",
            like_negative="whose paid seats fell by {size} in 84 days",
            pair="They pay for {new} seats now and paid for {old} twelve weeks ago.",
            beside="paid_seats",
            unknown="No seat was paid for 84 days ago, and none is now.",
            label="change of paid seats in the last 84 days",
            missing="no seat was paid for then or now",
            some="Paid seats rose by {rise} in the last 84 days.",
            zero="They pay for as many seats as 84 days ago.",
            negative="Paid seats fell by {size} in the last 84 days.",
        ),
        _commercial(
            "expansions_84d",
            _moves(up=True),
            unit="count",
            good=1,
            window="at as_of against as_of - 28 d, - 56 d and - 84 d",
            topic="revenue_trend",
            like="whose recurring revenue rose in {value} of the last 3 four-week periods",
            label="four-week steps of the last 84 days in which recurring revenue rose",
            missing="never: without a paid contract it is 0",
            some="Recurring revenue rose in {value} of the last 3 four-week periods.",
            zero="Recurring revenue did not rise in the last 84 days.",
        ),
        _commercial(
            "contractions_84d",
            _moves(up=False),
            unit="count",
            good=-1,
            window="at as_of against as_of - 28 d, - 56 d and - 84 d",
            topic="revenue_trend",
            like="whose recurring revenue fell in {value} of the last 3 four-week periods",
            label="four-week steps of the last 84 days in which recurring revenue fell",
            missing="never: without a paid contract it is 0",
            some="Recurring revenue fell in {value} of the last 3 four-week periods.",
            zero="Recurring revenue did not fall in the last 84 days.",
        ),
        _commercial(
            "contract_changes_84d",
            lambda get: number(get(changes, 84)),
            unit="count",
            window="[as_of - 84 d, as_of)",
            topic="contract_change",
            like="whose contracts were changed or renewed {value} times in the last 84 days",
            one="A contract was changed or renewed once in the last 84 days.",
            label="changes and renewals of contracts in the last 84 days",
            missing="never: without contracts it is 0",
            some="Contracts were changed or renewed {value} times in the last 84 days.",
            zero="No contract was changed in the last 84 days.",
        ),
        _commercial(
            "days_since_contract_change",
            lambda get: days_since(get(last_change)),
            unit="days",
            by_clock=True,
            topic="contract_change",
            like="with a contract last changed {value} days ago",
            zero="A contract was changed within the last day.",
            unknown="There is no contract.",
            label="days since a contract last changed",
            some="A contract last changed {value} days ago.",
            missing="there is no contract",
        ),
        _commercial(
            "ended_contracts",
            lambda get: number(get(ended)),
            unit="count",
            good=-1,
            topic="left_before",
            like="with {value} contracts that ended before",
            label="contracts that ended before",
            some="{value} contracts of theirs have ended before.",
            zero="No contract of theirs has ended before.",
        ),
        _commercial(
            "has_left_before",
            lambda get: flag(get(ended)),
            unit="flag",
            good=-1,
            topic="left_before",
            label="ended a contract before",
            some="They have ended a contract before.",
            zero="They have never ended a contract.",
        ),
    ]


def _deals() -> list[Definition]:
    return [
        _commercial(
            "open_deals",
            lambda get: number(get(open_deals)),
            unit="count",
            topic="open_deals",
            like="with {value} deals open",
            label="open deals",
            good=1,
            some="{value} deals with them are open.",
            zero="No deal with them is open.",
            missing="never: without deals it is 0",
        ),
        _commercial(
            "open_deal_amount",
            lambda get: money(get(open_amount)),
            unit="money",
            topic="open_deals",
            like="with open deals worth {value}",
            label="value of open deals",
            good=1,
            some="Open deals with them are worth {value}.",
            zero="No deal with them is open.",
            missing="never: without deals it is 0",
        ),
        _commercial(
            "lost_deals_364d",
            lambda get: number(get(lost_deals)),
            unit="count",
            like="with {value} deals lost in the last 364 days",
            label="deals lost in the last 364 days",
            good=-1,
            window="[as_of - 364 d, as_of)",
            some="{value} deals with them were lost in the last 364 days.",
            zero="No deal with them was lost in the last 364 days.",
            missing="never: without deals it is 0",
        ),
    ]


DEFINITIONS: tuple[Definition, ...] = (*_contract(), *_movement(), *_deals())
