"""How health shows besides use: tickets, touches, and people who leave. All of it follows the state of its own week."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from features.simulate import parameters as p
from features.simulate.base import DAY_US, SECOND_US, Array, Part, World, choose, join, late, office_seconds
from features.simulate.buyers import NEVER, Deals, Leads
from features.simulate.customers import Histories, Spells

TICKET_STATUSES = ("open", "pending", "reopened", "closed")
PRIORITIES = ("low", "medium", "high", "urgent")
DIRECTIONS = ("in", "out")
TOUCH_KINDS = tuple(p.LEAD_TOUCHES)


def _hours(values: Array) -> Array:
    return (values * 3600).astype(np.int64) * SECOND_US


def _moments(world: World, rng: np.random.Generator, week: Array) -> Array:
    """Moments of working days, mostly, inside the given weeks (which start on Thursdays)."""
    day = choose(rng, np.array([1.0, 0.9, 0.12, 0.1, 1.0, 1.05, 1.05]), len(week))
    return np.asarray(world.week_us(week) + day * DAY_US + office_seconds(rng, len(week)) * SECOND_US)


def tickets(world: World, spells: Spells, past: Histories) -> Part:
    """Versions of tickets: opened, answered, escalated, closed, reopened, closed again, rated."""
    rng = world.rng("tickets")
    spell, week = _events(world, rng, past.health, p.TICKET_RATE, np.sqrt(np.maximum(past.seats, 1) / 8.0))
    opened = _moments(world, rng, week)
    inside = (opened >= spells.start_us[spell]) & (opened < np.minimum(past.end_day[spell] * DAY_US, world.end_us))
    spell, week, opened = spell[inside], week[inside], opened[inside]
    order = np.lexsort((spell, opened))
    spell, week, opened = spell[order], week[order], opened[order]
    size = len(spell)
    health = past.health[spell, week]
    draw = rng.random((6, size))
    escalates, reopens = draw[0] < p.ESCALATED_SHARE[health], draw[1] < p.REOPENED_SHARE[health]
    priority = np.clip(choose(rng, np.array([0.25, 0.45, 0.22, 0.08]), size) + (escalates & (draw[2] < 0.5)), 0, 3)
    minutes = np.clip(np.exp(rng.normal(np.log(95), 1.1, size)) * (1.4 - 0.25 * priority), 2, 20_000).astype(np.int64)
    answered = opened + minutes * 60 * SECOND_US
    escalated = answered + _hours(1 + 40 * draw[3])
    closed = np.where(escalates, escalated, answered) + _hours(np.exp(rng.normal(np.log(26), 1.0, size)))
    reopened = closed + _hours(2 + 70 * draw[4])
    closed_again = reopened + _hours(np.exp(rng.normal(np.log(30), 0.8, size)))
    rates = draw[5] < 0.5
    last_closed = np.where(reopens, closed_again, closed)
    rated = last_closed + _hours(1 + 40 * draw[3])
    rating = np.clip(np.round(rng.normal(p.SATISFACTION_MEAN[health] - 0.4 * escalates, 0.8)), 1, 5)
    everything, none = np.ones(size, bool), np.full(size, np.nan)

    def versions(chosen: Array, us: Array, status: str, is_escalated: Array, answer: Array, score: Array) -> Part:
        return {
            "ticket_id": np.arange(size)[chosen],
            "account_id": spells.account[spell][chosen],
            "event_time": us[chosen],
            "status": np.full(int(chosen.sum()), TICKET_STATUSES.index(status)),
            "priority": priority[chosen],
            "escalated": is_escalated.astype(np.int64)[chosen],
            "first_response_minutes": answer[chosen],
            "satisfaction": score[chosen],
        }

    never, response = ~everything, minutes.astype(float)
    rows = join(
        [
            versions(everything, opened, "open", never, none, none),
            versions(everything, answered, "pending", never, response, none),
            versions(escalates, escalated, "pending", everything, response, none),
            versions(everything, closed, "closed", escalates, response, none),
            versions(reopens, reopened, "reopened", escalates, response, none),
            versions(reopens, closed_again, "closed", escalates, response, none),
            versions(rates, rated, "closed", escalates, response, rating),
        ]
    )
    rows["known_time"] = late(world, "tickets", rows["event_time"], rng)
    return rows


def _events(
    world: World, rng: np.random.Generator, states: Array, rates: Array, scale: Array | None = None
) -> tuple[Array, Array]:
    """Rows and weeks of a Poisson number of events per row and week at the rate of its state."""
    rows, weeks = [], []
    for week in range(states.shape[1]):
        on = np.flatnonzero(states[:, week] >= 0)
        rate = rates[states[on, week]]
        count = rng.poisson(rate if scale is None else rate * scale[on, week])
        rows.append(np.repeat(on, count))
        weeks.append(np.full(int(count.sum()), week))
    return np.concatenate(rows), np.concatenate(weeks)


def account_touches(world: World, spells: Spells, past: Histories, people: People) -> Part:
    """Touches of paying customers."""
    rng = world.rng("account touches")
    parts = []
    for kind, rates in p.ACCOUNT_TOUCHES.items():
        spell, week = _events(world, rng, past.health, np.array(rates))
        us = _moments(world, rng, week)
        inside = (us >= spells.start_us[spell]) & (us < past.end_day[spell] * DAY_US)
        account = spells.account[spell[inside]]
        part = _touch(kind, us[inside], account, np.full(len(account), -1))
        parts.append({**part, "contact_id": people.somebody(rng, account, us[inside])})
    return join(parts)


def lead_touches(world: World, leads: Leads, deals: Deals, account_of: Array) -> Part:
    """Touches of open leads; `account_of` is the lead's account as it was known when the lead came, or -1."""
    rng = world.rng("lead touches")
    eager = np.exp(rng.normal(0.0, 0.20, len(leads.deal)))
    intent = deals.intent[leads.deal]
    week_created = world.week_of(leads.created_us)
    intent = np.where(np.arange(world.weeks) >= week_created[:, None], intent, -1)
    age = np.arange(world.weeks) - week_created[:, None]
    scale = eager[:, None] * np.where(age < p.EAGER_WEEKS, p.EAGER_FACTOR, 1.0)
    closed = deals.closed_us[leads.deal]
    parts = []
    for kind, rates in p.LEAD_TOUCHES.items():
        lead, week = _events(world, rng, intent, np.array(rates), scale)
        us = _moments(world, rng, week)
        inside = (us > leads.created_us[lead]) & (us < closed[lead])
        parts.append(_touch(kind, us[inside], account_of[lead[inside]], lead[inside]))
    # How the lead came in.
    came = np.flatnonzero(leads.channel != p.CHANNELS.index("outbound"))
    in_week = np.maximum(world.week_of(leads.created_us[came]), deals.start_week[leads.deal[came]])
    came, in_week = came[in_week < world.weeks], in_week[in_week < world.weeks]
    first = deals.intent[leads.deal[came], in_week]
    entry = choose(rng, p.FIRST_TOUCH_SHARE[np.maximum(first, 0)], len(came))
    for code, name in enumerate(p.FIRST_TOUCHES):
        of = came[(entry == code) & (first >= 0)]
        parts.append(_touch(name, leads.created_us[of], account_of[of], of))
    return join(parts)


def _touch(kind: str, us: Array, account: Array, lead: Array) -> Part:
    size = len(us)
    return {
        "event_time": us,
        "kind": np.full(size, TOUCH_KINDS.index(kind)),
        "account_id": account,
        "lead_id": lead,
        "direction": np.full(size, 1 if kind in ("email_sent", "call") else 0),
    }


@dataclass
class People:
    """Contacts of accounts, sorted by account; numbers are given by the time they came."""

    account: Array
    number: Array
    joined_us: Array
    left_us: Array

    @property
    def size(self) -> int:
        return len(self.account)

    def somebody(self, rng: np.random.Generator, account: Array, us: Array) -> Array:
        """A contact of each account who is there at that time, or -1."""
        lower = np.searchsorted(self.account, account)
        many = np.searchsorted(self.account, account, side="right") - lower
        at = np.minimum(lower + (rng.random(len(account)) * many).astype(np.int64), max(self.size - 1, 0))
        there = (
            (many > 0) & (self.joined_us[at] < us) & (us < self.left_us[at])
            if self.size
            else np.zeros(len(account), bool)
        )
        return np.where(there, self.number[at], -1) if self.size else np.full(len(account), -1)


def contacts(
    world: World, spells: Spells, past: Histories, entered_us: Array, is_customer: Array
) -> tuple[People, Part]:
    """The buying committee of each account; people leave at the rate of the health of the week.

    `entered_us`: when each account entered, at or beyond the end for those that did not.
    """
    rng = world.rng("contacts")
    accounts = np.flatnonzero(entered_us < world.end_us)
    count = np.where(is_customer[accounts], 1 + rng.poisson(2.2, len(accounts)), rng.poisson(0.9, len(accounts)))
    account = np.repeat(accounts, count)
    size = len(account)
    first = np.diff(account, prepend=-1) != 0
    joins = entered_us[account] + np.where(first, 0, _hours(rng.exponential(24 * 90, size)))
    seniority, department = choose(rng, p.SENIORITY_SHARE, size), choose(rng, p.DEPARTMENT_SHARE, size)
    decides = (rng.random(size) < np.array([0.8, 0.6, 0.35, 0.12, 0.03])[seniority]).astype(np.int64)

    # A person leaves when the rates of the weeks, summed since they came, pass an exponential draw.
    patience = rng.exponential(1.0, size)
    left = np.full(size, NEVER)
    order = np.argsort(spells.account, kind="stable")
    sorted_account = spells.account[order]
    lower = np.searchsorted(sorted_account, account)
    owned = np.flatnonzero(np.searchsorted(sorted_account, account, side="right") > lower)
    weeks = np.arange(world.weeks)
    for begin in range(0, len(owned), 100_000):
        part = owned[begin : begin + 100_000]
        health = past.health[order[lower[part]]]
        counts = (health >= 0) & (weeks > world.week_of(joins[part])[:, None])
        passed = np.cumsum(np.where(counts, p.CONTACT_LEAVES_RATE[health], 0.0), axis=1) > patience[part][:, None]
        gone = passed.any(axis=1)
        left[part[gone]] = _moments(world, rng, passed[gone].argmax(axis=1))

    people = People(account, np.argsort(np.argsort(joins, kind="stable")), joins, left)

    def versions(chosen: Array, us: Array, has_left: int) -> Part:
        return {
            "contact_id": people.number[chosen],
            "event_time": us[chosen],
            "account_id": account[chosen],
            "email": people.number[chosen],
            "title": seniority[chosen] * len(p.DEPARTMENTS) + department[chosen],
            "department": department[chosen],
            "seniority": seniority[chosen],
            "is_decision_maker": decides[chosen],
            "has_left": np.full(int(chosen.sum()), has_left),
        }

    rows = join([versions(np.ones(size, bool), joins, 0), versions(left < NEVER, left, 1)])
    rows["known_time"] = late(world, "contacts", rows["event_time"], rng)
    return people, rows


def late_touches(world: World, rows: Part) -> Part:
    rows["known_time"] = late(world, "touches", rows["event_time"], world.rng("late touches"))
    return rows
