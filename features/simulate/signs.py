"""Simulates what else shows the health of an account: tickets, touches, and contacts who leave. Each follows the state of its own week."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from features.kit.clock import DAY_US, SECOND_US
from features.simulate import parameters as p
from features.simulate.base import Array, Dice, Part, World, choose, join, late, office_seconds
from features.simulate.buyers import NEVER, Deals, Leads
from features.simulate.customers import Histories, Spells

TICKET_STATUSES = ("open", "pending", "reopened", "closed")
PRIORITIES = ("low", "medium", "high", "urgent")
DIRECTIONS = ("in", "out")
TOUCH_KINDS = tuple(p.LEAD_TOUCHES)


def _hours(values: Array) -> Array:
    return (values * 3600).astype(np.int64) * SECOND_US


def _moments(world: World, dice: Dice, week: Array) -> Array:
    """Moments of working days, mostly, inside the given weeks (which start on Thursdays)."""
    day = choose(dice(), np.array([1.0, 0.9, 0.12, 0.1, 1.0, 1.05, 1.05]), len(week))
    return np.asarray(world.week_us(week) + day * DAY_US + office_seconds(dice(), len(week)) * SECOND_US)


def tickets(world: World, spells: Spells, past: Histories) -> Part:
    """Versions of tickets: opened, answered, escalated, closed, reopened, closed again, rated."""
    dice = Dice(world, "tickets")
    spell, week = _events(world, dice, past.health, p.TICKET_RATE, np.sqrt(np.maximum(past.seats, 1) / 8.0))
    opened = _moments(world, dice, week)
    inside = (opened >= spells.start_us[spell]) & (opened < np.minimum(past.end_day[spell] * DAY_US, world.end_us))
    spell, week, opened = spell[inside], week[inside], opened[inside]
    order = np.lexsort((spell, opened))
    spell, week, opened = spell[order], week[order], opened[order]
    size = len(spell)
    health = past.health[spell, week]
    draw = dice.uniform(6, size)
    escalates, reopens = draw[0] < p.ESCALATED_SHARE[health], draw[1] < p.REOPENED_SHARE[health]
    priority = np.clip(choose(dice(), np.array([0.25, 0.45, 0.22, 0.08]), size) + (escalates & (draw[2] < 0.5)), 0, 3)
    minutes = np.clip(np.exp(dice().normal(np.log(95), 1.1, size)) * (1.4 - 0.25 * priority), 2, 20_000).astype(
        np.int64
    )
    answered = opened + minutes * 60 * SECOND_US
    escalated = answered + _hours(1 + 40 * draw[3])
    closed = np.where(escalates, escalated, answered) + _hours(np.exp(dice().normal(np.log(26), 1.0, size)))
    reopened = closed + _hours(2 + 70 * draw[4])
    closed_again = reopened + _hours(np.exp(dice().normal(np.log(30), 0.8, size)))
    rates = draw[5] < 0.5
    last_closed = np.where(reopens, closed_again, closed)
    rated = last_closed + _hours(1 + 40 * draw[3])
    rating = np.clip(np.round(dice().normal(p.SATISFACTION_MEAN[health] - 0.4 * escalates, 0.8)), 1, 5)
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
            "known_time": late("tickets", us, dice)[chosen],
        }

    never, response = ~everything, minutes.astype(float)
    return join(
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


def _events(world: World, dice: Dice, states: Array, rates: Array, scale: Array | None = None) -> tuple[Array, Array]:
    """Rows and weeks of a Poisson number of events per row and week at the rate of its state."""
    rows, weeks = [], []
    for week in range(states.shape[1]):
        on = np.flatnonzero(states[:, week] >= 0)
        rate = rates[states[on, week]]
        count = dice().poisson(rate if scale is None else rate * scale[on, week])
        rows.append(np.repeat(on, count))
        weeks.append(np.full(int(count.sum()), week))
    return np.concatenate(rows), np.concatenate(weeks)


def account_touches(world: World, spells: Spells, past: Histories, people: People) -> Part:
    """Touches of paying customers."""
    dice = Dice(world, "account touches")
    parts = []
    for kind, rates in p.ACCOUNT_TOUCHES.items():
        spell, week = _events(world, dice, past.health, np.array(rates))
        us = _moments(world, dice, week)
        inside = (us >= spells.start_us[spell]) & (us < past.end_day[spell] * DAY_US)
        account = spells.account[spell[inside]]
        part = _touch(kind, us[inside], account, np.full(len(account), -1), dice)
        parts.append({**part, "contact_id": people.somebody(dice(), account, us[inside])})
    return join(parts)


def lead_touches(world: World, leads: Leads, deals: Deals, account_of: Array) -> Part:
    """Touches of open leads; `account_of` is the lead's account as it was known when the lead came, or -1."""
    dice = Dice(world, "lead touches")
    eager = np.exp(dice().normal(0.0, 0.20, len(leads.deal)))
    intent = deals.intent[leads.deal]
    week_created = world.week_of(leads.created_us)
    intent = np.where(np.arange(world.weeks) >= week_created[:, None], intent, -1)
    age = np.arange(world.weeks) - week_created[:, None]
    scale = eager[:, None] * np.where(age < p.EAGER_WEEKS, p.EAGER_FACTOR, 1.0)
    closed = deals.closed_us[leads.deal]
    parts = []
    for kind, rates in p.LEAD_TOUCHES.items():
        lead, week = _events(world, dice, intent, np.array(rates), scale)
        us = _moments(world, dice, week)
        inside = (us > leads.created_us[lead]) & (us < closed[lead])
        parts.append(_touch(kind, us[inside], account_of[lead[inside]], lead[inside], dice))
    # How the lead came in.
    came = np.flatnonzero(leads.channel != p.CHANNELS.index("outbound"))
    in_week = np.maximum(world.week_of(leads.created_us[came]), deals.start_week[leads.deal[came]])
    came, in_week = came[in_week < world.weeks], in_week[in_week < world.weeks]
    first = deals.intent[leads.deal[came], in_week]
    entry = choose(dice(), p.FIRST_TOUCH_SHARE[np.maximum(first, 0)], len(came))
    for code, name in enumerate(p.FIRST_TOUCHES):
        of = came[(entry == code) & (first >= 0)]
        parts.append(_touch(name, leads.created_us[of], account_of[of], of, dice))
    return join(parts)


def _touch(kind: str, us: Array, account: Array, lead: Array, dice: Dice) -> Part:
    size = len(us)
    return {
        "event_time": us,
        "kind": np.full(size, TOUCH_KINDS.index(kind)),
        "account_id": account,
        "lead_id": lead,
        "direction": np.full(size, 1 if kind in ("email_sent", "call") else 0),
        "known_time": late("touches", us, dice),
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
        """Number of people."""
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


def contacts(world: World, spells: Spells, past: Histories, entered_us: Array) -> tuple[People, Part]:
    """The buying committee of each account; people leave at the rate of the health of the week.

    `entered_us`: when each account entered, at or beyond the end for those that did not.
    """
    dice = Dice(world, "contacts")
    accounts = np.flatnonzero(entered_us < world.end_us)
    account = np.repeat(accounts, 1 + dice().poisson(2.0, len(accounts)))
    size = len(account)
    first = np.diff(account, prepend=-1) != 0
    joins = entered_us[account] + np.where(first, 0, _hours(dice().exponential(24 * 90, size)))
    seniority, department = choose(dice(), p.SENIORITY_SHARE, size), choose(dice(), p.DEPARTMENT_SHARE, size)
    decides = (dice().random(size) < np.array([0.8, 0.6, 0.35, 0.12, 0.03])[seniority]).astype(np.int64)

    # A person leaves when the rates of the weeks, summed since they came, pass an exponential draw.
    patience = dice().exponential(1.0, size)
    left_week = np.full(size, -1)
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
        left_week[part[gone]] = passed[gone].argmax(axis=1)
    left = np.where(left_week >= 0, _moments(world, dice, left_week), NEVER)

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
            "known_time": late("contacts", us, dice)[chosen],
        }

    return people, join([versions(np.ones(size, bool), joins, 0), versions(left < NEVER, left, 1)])
