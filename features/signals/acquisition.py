"""Signals of acquisition: channel, campaign, partner, trial, age of the record, and a lead's company."""

from __future__ import annotations

import narwhals as nw

from features.kit.clock import DAY_US
from features.signals.aggregations import State, where
from features.signals.definition import AS_OF, Definition, define, flag, number
from features.signals.signal import Entity


def _origin(entity: Entity, table: str, noun: str) -> list[Definition]:
    def fact(column: str) -> State:
        return State(column, table, (column,), value=lambda: nw.col(column), how="max")

    channel, campaign = fact("channel"), fact("campaign_kind")
    partner = State("partnered", table, ("partner",), value=lambda: 1 - where(nw.col("partner").is_null()), how="max")
    trial = State("trial", table, ("is_trial",), value=lambda: where(nw.col("is_trial")), how="max")
    created = State("created", table, value=lambda: nw.col("created_us"), how="min")
    return [
        define(
            "channel",
            lambda get: get(channel),
            entity=entity,
            theme="acquisition",
            unit="category",
            topic="origin",
            like="that came through the channel {value}",
            label="channel",
            some=f"The {noun} came through the channel {{value}}.",
            missing="the channel is not recorded",
            unknown="The channel is not known.",
        ),
        define(
            "campaign_kind",
            lambda get: get(campaign),
            entity=entity,
            theme="acquisition",
            unit="category",
            topic="origin",
            like="that came from a campaign of the kind {value}",
            label="kind of campaign",
            some=f"The {noun} came from a campaign of the kind {{value}}.",
            missing="no campaign is recorded",
            unknown="No campaign is on record.",
        ),
        define(
            "has_partner",
            lambda get: flag(get(partner)),
            entity=entity,
            theme="acquisition",
            unit="flag",
            topic="origin",
            label="brought by a partner",
            some=f"The {noun} came through a partner.",
            zero=f"The {noun} did not come through a partner.",
            missing="never: without a partner it is 0",
        ),
        define(
            "started_from_trial",
            lambda get: flag(get(trial)),
            entity=entity,
            theme="acquisition",
            unit="flag",
            topic="origin",
            label="started from a trial or inside the product",
            some=f"The {noun} started from a trial or inside the product.",
            zero=f"The {noun} did not start from a trial.",
            missing="never: unknown is 0",
        ),
        define(
            f"{entity}_age_days",
            lambda get: number((AS_OF - 1 - get(created)) // DAY_US),
            entity=entity,
            theme="acquisition",
            unit="days",
            like="with a record {value} days old",
            zero="The record is less than a day old.",
            label=f"days since the {noun} was created",
            some="The record is {value} days old.",
            topic="relationship_age",
            missing="never: a record exists",
            by_clock=True,
        ),
    ]


def _company_of_lead() -> list[Definition]:
    """Whether the lead's company is a customer, and how many of its leads are open; missing without a company."""
    paying = State(
        "paying",
        "subscriptions",
        via_account=True,
        value=lambda: where(nw.col("status").is_in(["active", "notice"]) & (nw.col("mrr") > 0)),
    )
    others = State(
        "siblings",
        "leads",
        ("account_id",),
        via_account=True,
        value=lambda: where(nw.col("status").is_in(["open", "working", "qualified"])),
    )
    return [
        define(
            "company_is_customer",
            lambda get: flag(get(paying)),
            entity="lead",
            theme="acquisition",
            unit="flag",
            topic="their_company",
            unknown="The lead is linked to no company that we know.",
            label="the lead's company already pays us",
            some="The company is already a customer.",
            zero="The company is not a customer yet.",
            missing="the lead is not linked to a company",
        ),
        define(
            "open_leads_of_company",
            lambda get: number(get(others)),
            entity="lead",
            theme="acquisition",
            unit="count",
            topic="their_company",
            like="with {value} leads of the company open",
            unknown="The lead is linked to no company that we know.",
            label="open leads from the same company",
            some="{value} leads of this company are open.",
            zero="No other lead of this company is open.",
            missing="the lead is not linked to a company",
            good=1,
        ),
    ]


DEFINITIONS: tuple[Definition, ...] = (
    *_origin("account", "accounts", "account"),
    *_origin("lead", "leads", "lead"),
    *_company_of_lead(),
)
