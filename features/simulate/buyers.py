"""Leads: a company's intent moves from week to week, shows in touches, and decides when it buys or is given up."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from features.kit.clock import DAY_US, SECOND_US
from features.simulate import parameters as p
from features.simulate.base import Array, Floats, World, chance, choose, pick, propagate, step
from features.simulate.firms import Firms

OPEN, CONVERTED, DISQUALIFIED = 0, 1, 2
NEVER = np.int64(2**60)


@dataclass
class Leads:
    """One entry per lead. `deal` is the company's buying process: leads of one company share one."""

    deal: Array
    firm: Array
    created_us: Array
    known_us: Array
    free_mail: Array
    seniority: Array
    department: Array
    channel: Array
    is_trial: Array
    opted_out: Array


@dataclass
class Deals:
    """One entry per company that might buy; weeks count from the first of the window."""

    firm: Array
    first_lead: Array
    start_week: Array
    multiplier: Array
    channel: Array
    intent: Array
    """int8 (deals, weeks): state in each week from `start_week` to the week of the end; -1 elsewhere."""
    outcome: Array
    closed_us: Array
    qualified_us: Array
    opened_us: Array
    proposal_us: Array
    truth: list[tuple[int, Array, Floats]]
    """Per as_of: week, deals open then, probability by horizon."""


def draw_leads(world: World, firms: Firms, prospects: Array, first_free_firm: int) -> tuple[Leads, Deals]:
    """All leads with the buying processes behind them.

    `prospects` are companies that the CRM knew before; the other leads take firms from `first_free_firm` on. A lead
    planned as the second of a company becomes the first of another one when that company was closed before it came, so
    that nothing about a lead depends on what happens after it came.
    """
    rng = world.rng("leads")
    count = world.leads
    span = world.end_day - world.start_day
    created = np.sort(
        world.start_day * DAY_US + (rng.random(count) * span * DAY_US).astype(np.int64) // SECOND_US * SECOND_US
    )
    channel = choose(rng, p.CHANNEL_SHARE, count)
    free_mail = rng.random(count) < p.FREE_MAIL_SHARE
    seniority = choose(rng, p.SENIORITY_SHARE, count)
    department = choose(rng, p.DEPARTMENT_SHARE, count)
    is_trial = (channel == p.CHANNELS.index("product")) | (rng.random(count) < p.TRIAL_SHARE * 0.5)
    opted_out = rng.random(count) < 0.012
    late_by = np.where(
        rng.random(count) < p.LATE_SHARE["leads"], np.clip(np.exp(rng.normal(np.log(20), 1.0, count)), 1, 240), 0.0
    )
    known = created + (late_by * 3600).astype(np.int64) * SECOND_US

    firm = first_free_firm + np.arange(count)
    business = np.flatnonzero(~free_mail)
    known_company = rng.permutation(business)[: min(len(prospects), int(p.KNOWN_COMPANY_SHARE * count))]
    firm[known_company] = rng.permutation(prospects)[: len(known_company)]
    second = np.zeros(count, bool)
    second[business] = rng.random(len(business)) < p.SECOND_LEAD_SHARE
    second[known_company] = False
    hosts = np.flatnonzero(~free_mail & ~second)
    if not len(hosts):
        second[:] = False

    deal = np.full(count, -1)
    firsts = np.flatnonzero(~second)
    deal[firsts] = np.arange(len(firsts))
    first_intent = pick(rng.random(count), p.FIRST_INTENT[channel])

    def begin(leads: Array, number: int) -> Deals:
        effect = _effect(firms, firm[leads], seniority[leads], department[leads], free_mail[leads], is_trial[leads])
        return run_deals(
            world,
            rng_number=number,
            firm=firm[leads],
            first_lead=leads,
            channel=channel[leads],
            first_intent=first_intent[leads],
            start_week=np.asarray(world.week_of(known[leads])),
            multiplier=np.exp(effect),
        )

    deals = begin(firsts, 0)
    planned = np.flatnonzero(second)
    if len(planned):
        lag = (rng.exponential(p.SECOND_LEAD_MEAN_DAYS, len(planned)) * 86_400).astype(np.int64) * SECOND_US
        position = np.searchsorted(created[hosts], created[planned] - lag, side="right") - 1
        host = hosts[np.maximum(position, 0)]
        joins = (position >= 0) & (created[planned] < deals.closed_us[deal[host]]) & (created[planned] > known[host])
        deal[planned[joins]], firm[planned[joins]] = deal[host[joins]], firm[host[joins]]
        alone = planned[~joins]
        deal[alone] = len(firsts) + np.arange(len(alone))
        deals = _both(deals, begin(alone, 1))

    return Leads(deal, firm, created, known, free_mail, seniority, department, channel, is_trial, opted_out), deals


def _effect(
    firms: Firms, firm: Array, seniority: Array, department: Array, free_mail: Array, is_trial: Array
) -> Floats:
    off_size = np.log(firms.employees[firm] / 150.0)
    return np.asarray(
        p.INDUSTRY_LEAD_EFFECT[firms.industry[firm]]
        + p.SENIORITY_EFFECT[seniority]
        + p.DEPARTMENT_EFFECT[department]
        + p.FREE_MAIL_EFFECT * free_mail
        + p.TRIAL_EFFECT * is_trial
        + np.maximum(p.SIZE_EFFECT * off_size**2, -1.5)
    )


def conversion_rate(world: World, week: int, channel: Array, multiplier: Array) -> Floats:
    """Rate a week by (deal, intent) in a week; the change of regime is here."""
    effect = p.CHANNEL_EFFECT if week < world.change_week else p.CHANNEL_EFFECT_AFTER_CHANGE
    return np.asarray((multiplier * np.exp(effect[channel]))[:, None] * p.CONVERSION_RATE)


def run_deals(
    world: World,
    rng_number: int,
    firm: Array,
    first_lead: Array,
    channel: Array,
    first_intent: Array,
    start_week: Array,
    multiplier: Array,
) -> Deals:
    """Walk all deals through the weeks.

    In each week after the first, one draw decides: buy, be given up, or go on; then the intent takes its step.
    """
    rng = world.rng("deals", rng_number)
    count, weeks = len(firm), world.weeks
    state = first_intent.astype(np.int8)
    intent = np.full((count, weeks), -1, np.int8)
    outcome = np.full(count, OPEN, np.int8)
    closed, qualified, opened, proposal = (np.full(count, NEVER) for _ in range(4))
    given_up = chance(p.DISQUALIFICATION_RATE)
    as_of_weeks = set(world.as_of_weeks())
    truth: list[tuple[int, Array, Floats]] = []

    for week in range(weeks + 1):
        on = np.flatnonzero((start_week < week) & (outcome == OPEN))
        if week in as_of_weeks:
            previous = intent[on, week - 1]
            truth.append(
                (week, on, conversion_truth(world, week, previous, week - start_week[on], channel[on], multiplier[on]))
            )
        if week == weeks:
            break
        here, draw = state[on], rng.random(len(on))
        buys = draw < chance(conversion_rate(world, week, channel[on], multiplier[on]))[np.arange(len(on)), here]
        stale = week - start_week[on] >= p.STALE_WEEKS
        leaves = ~buys & (draw > 1.0 - given_up[here]) | stale
        buys &= ~stale
        moment = world.week_us(np.full(len(on), week)) + rng.integers(0, 7 * 86_400, len(on)) * SECOND_US
        outcome[on[buys]], outcome[on[leaves]] = CONVERTED, DISQUALIFIED
        ended = buys | leaves
        closed[on[ended]] = moment[ended]
        intent[on, week] = here

        first = np.flatnonzero(start_week == week)
        intent[first, week] = state[first]
        # What salespeople notice in a week that a deal stays open, from its intent alone.
        stay, moment, here = on[~ended], moment[~ended], here[~ended]
        seen = rng.random((3, len(stay)))
        for times, rate, draw in ((qualified, p.QUALIFIED_RATE, seen[0]), (opened, p.OPPORTUNITY_RATE, seen[1])):
            now = (times[stay] == NEVER) & (draw < chance(rate)[here])
            times[stay[now]] = moment[now]
        now = (proposal[stay] == NEVER) & (opened[stay] < moment - 2 * DAY_US) & (here == 3) & (seen[2] < 0.3)
        proposal[stay[now]] = moment[now]
        move = np.concatenate([stay, first])
        state[move] = step(rng, state[move], p.INTENT_STEP)

    return Deals(
        firm, first_lead, start_week, multiplier, channel, intent, outcome, closed, qualified, opened, proposal, truth
    )


def conversion_truth(
    world: World, week: int, previous: Array, age_weeks: Array, channel: Array, multiplier: Array
) -> Floats:
    """P(buys within each horizon) given the intent in the week before `week`, by products of weekly matrices.

    A purchase falls on any second of its week alike, so that a horizon that ends inside a week takes that part of it.
    """
    alive = p.INTENT_STEP[previous]
    given_up = chance(p.DISQUALIFICATION_RATE)
    found = np.zeros((len(previous), len(p.HORIZONS_DAYS)))
    for ahead in range(-(-max(p.HORIZONS_DAYS) // 7)):
        alive = np.where((age_weeks + ahead >= p.STALE_WEEKS)[:, None], 0.0, alive)
        buys = chance(conversion_rate(world, week + ahead, channel, multiplier))
        bought = (alive * buys).sum(axis=1)
        for column, horizon in enumerate(p.HORIZONS_DAYS):
            found[:, column] += bought * min(max(horizon - 7 * ahead, 0), 7) / 7
        alive = propagate(alive * (1.0 - buys - given_up), p.INTENT_STEP)
    return found


def _both(one: Deals, two: Deals) -> Deals:
    shift = len(one.firm)
    truth = [
        (week, np.concatenate([a, b + shift]), np.concatenate([x, y]))
        for (week, a, x), (_, b, y) in zip(one.truth, two.truth, strict=True)
    ]
    joined = {
        name: np.concatenate([getattr(one, name), getattr(two, name)])
        for name in Deals.__dataclass_fields__
        if name != "truth"
    }
    return Deals(**joined, truth=truth)
