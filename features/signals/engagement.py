"""Signals of engagement: visits, mails, calls, meetings, and steps towards buying (demo, pricing, form)."""

from __future__ import annotations

import narwhals as nw

from features.signals.aggregations import WEIGHT_UNIT, Distinct, Latest, Total, Value, where
from features.signals.definition import Definition, change, counted, days_since, define, number, ratio, window
from features.signals.signal import Entity

HIGH_INTENT = ["demo_request", "pricing_view", "form_fill", "meeting", "trial_signup"]
WEB = ["web_visit", "pricing_view"]
MAIL = ["email_open", "email_click", "email_reply"]
CONTENT = ["content_download", "webinar", "event"]
TALK = ["call", "meeting"]
ALL = (7, 28, 84)
FROM_US = ["email_sent"]
"""Kinds that we send, also when a source gives no direction."""

KEY: dict[Entity, str] = {"account": "account_id", "lead": "lead_id"}
_NEVER = "never: without touches it is 0"


def _kind(kinds: list[str]) -> Value:
    return lambda: where(nw.col("kind").is_in(kinds))


def _inbound() -> nw.Expr:
    """1 for a contact from their side: of no kind that we send, and not outgoing; an unknown direction counts as
    theirs."""
    ours = where(nw.col("kind").is_in(FROM_US)) + where(nw.col("direction") == "out")
    return where(ours == 0)


def _outbound() -> nw.Expr:
    return where(where(nw.col("kind").is_in(FROM_US)) + where(nw.col("direction") == "out") > 0)


def _counts(entity: Entity, key: str) -> list[Definition]:
    definitions = []
    families: tuple[tuple[str, Value, tuple[int, ...], str, int], ...] = (
        ("inbound_touches", _inbound, ALL, "contacts from their side", 1),
        ("outbound_touches", _outbound, ALL, "contacts from our side", 0),
        ("web_visits", _kind(WEB), ALL, "visits to our site", 1),
        ("mail_responses", _kind(MAIL), ALL, "mails opened, clicked or answered", 1),
        ("content_touches", _kind(CONTENT), ALL, "uses of our content (downloads, webinars, events)", 1),
        ("talks", _kind(TALK), ALL, "calls or meetings", 1),
        ("high_intent_acts", _kind(HIGH_INTENT), ALL, "steps towards buying (demo, pricing, form, meeting)", 1),
    )
    for name, value, windows, label, good in families:
        measure = Total(name, "touches", (key,), value=value)
        for days in windows:
            definitions.append(
                define(
                    f"{name}_{days}d",
                    counted(measure, days),
                    entity=entity,
                    theme="engagement",
                    unit="count",
                    window=window(days),
                    label=f"{label} in the last {days} days",
                    missing=_NEVER,
                    good=good,
                    some=f"There were {{value}} {label} in the last {days} days.",
                    zero=f"There were no {label} in the last {days} days.",
                    like=f"with {{value}} {label} in the last {days} days",
                    topic={"inbound_touches": "inbound", "high_intent_acts": "high_intent"}.get(name, name),
                )
            )
    return definitions


def _shape(entity: Entity, key: str) -> list[Definition]:
    inbound = Total("inbound_touches", "touches", (key,), value=_inbound)
    outbound = Total("outbound_touches", "touches", (key,), value=_outbound)
    intent = Total("high_intent_acts", "touches", (key,), value=_kind(HIGH_INTENT))
    last_inbound = Latest("last_inbound", "touches", (key,), value=_inbound)
    last_intent = Latest("last_high_intent", "touches", (key,), value=_kind(HIGH_INTENT))
    kinds = Distinct("inbound_kinds", "touches", (key,), member="kind", value=_inbound)
    definitions = [
        define(
            "intent_decayed",
            lambda get: number(get(intent, weight="half_life_14d")) / float(WEIGHT_UNIT),
            entity=entity,
            theme="engagement",
            unit="points",
            window=window(84),
            by_clock=True,
            good=1,
            missing=_NEVER,
            topic="high_intent",
            like="whose recent steps towards buying add up to {value}",
            label="steps towards buying, each worth half after 14 days",
            some="Their recent steps towards buying (demo, pricing, form, meeting) add up to {value}; one made 14 days ago counts half.",
            zero="There was no step towards buying (demo, pricing, form, meeting) in the last 84 days.",
        ),
        define(
            "inbound_change_28d",
            lambda get: change(get(inbound, 28), get(inbound, 28, before=28)),
            entity=entity,
            theme="engagement",
            unit="change",
            window=window(56),
            good=1,
            missing="no contact from their side in 56 days",
            like="whose contacts rose by {rise} against the 28 days before",
            like_negative="whose contacts fell by {size} against the 28 days before",
            pair="There were {new} contacts from their side in the last 28 days, {old} in the 28 days before.",
            beside="inbound_touches_28d",
            label="change of contacts from their side, last 28 days against the 28 before",
            some="Contacts from their side rose by {rise} against the 28 days before.",
            zero="There were as many contacts from their side in the last 28 days as in the 28 days before.",
            negative="Contacts from their side fell by {size} against the 28 days before.",
            unknown="There were no contacts from their side in the last 56 days.",
        ),
        define(
            "inbound_per_outbound_84d",
            lambda get: ratio(get(inbound, 84), get(outbound, 84)),
            entity=entity,
            theme="engagement",
            unit="rate",
            window=window(84),
            good=1,
            missing="we made no contact in 84 days",
            topic="inbound",
            like="with {value} contacts from their side for each of ours in the last 84 days",
            unknown="We made no contact in the last 84 days.",
            label="contacts from their side for each of ours in the last 84 days",
            some="They made {value} contacts for each of ours in the last 84 days.",
            zero="They made no contact in the last 84 days.",
        ),
        define(
            "days_since_inbound",
            lambda get: days_since(get(last_inbound)),
            entity=entity,
            theme="engagement",
            unit="days",
            by_clock=True,
            good=-1,
            missing="they never made contact",
            topic="inbound",
            like="that last made contact {value} days ago",
            label="days since they last made contact",
            some="They last made contact {value} days ago.",
            zero="They made contact within the last day.",
            unknown="They have never made contact.",
        ),
        define(
            "days_since_high_intent",
            lambda get: days_since(get(last_intent)),
            entity=entity,
            theme="engagement",
            unit="days",
            by_clock=True,
            good=-1,
            missing="there never was one",
            topic="high_intent",
            like="whose last step towards buying was {value} days ago",
            label="days since the last step towards buying",
            some="Their last step towards buying (demo, pricing, form, meeting) was {value} days ago.",
            zero="They took a step towards buying (demo, pricing, form, meeting) within the last day.",
            unknown="They have not taken a step towards buying (demo, pricing, form, meeting).",
        ),
        define(
            "inbound_kinds_84d",
            lambda get: number(get(kinds, 84)),
            entity=entity,
            theme="engagement",
            unit="count",
            window=window(84),
            good=1,
            missing=_NEVER,
            topic="inbound",
            like="that used {value} ways of contact in the last 84 days",
            label="different kinds of contact from their side in the last 84 days",
            some="They used {value} ways of contact in the last 84 days.",
            zero="They made no contact in the last 84 days.",
        ),
    ]
    if entity == "account":
        people = Distinct("people", "touches", (key, "contact_id"), member="contact_id", value=_inbound)
        for days in ALL:
            definitions.append(
                define(
                    f"people_engaged_{days}d",
                    counted(people, days),
                    entity=entity,
                    theme="engagement",
                    unit="count",
                    window=window(days),
                    good=1,
                    missing=_NEVER,
                    topic="inbound",
                    like=f"with {{value}} people in contact with us in the last {days} days",
                    label=f"people in contact with us in the last {days} days",
                    some=f"{{value}} people were in contact with us in the last {days} days.",
                    zero=f"Nobody was in contact with us in the last {days} days.",
                )
            )
    return definitions


DEFINITIONS: tuple[Definition, ...] = tuple(
    d for entity, key in KEY.items() for d in (*_counts(entity, key), *_shape(entity, key))
)
