"""Who the accounts are, when they came, and how often each was a paying customer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from features.kit.clock import DAY_US, SECOND_US
from features.simulate import buyers, customers, firms, usage
from features.simulate import parameters as p
from features.simulate.base import Array, World, choose, office_seconds, pick

ACCOUNT_KINDS = ("customer", "prospect", "partner", "internal", "test", "competitor")
STANDING, SIGN_UP, TRIAL_ONLY, PROSPECT, PARTNER, INTERNAL, TEST, COMPETITOR = range(8)
"""Roles of the accounts that do not come from a lead; shares in `parameters.ROLE_SHARE`."""
_KIND_OF_ROLE = np.array([0, 0, 1, 1, 2, 3, 4, 5])
TRIAL_DAYS = 14
ROUNDS = 5
"""How often an account may be a paying customer at most."""


@dataclass
class Accounts:
    """One entry per account: first those without a lead, then those that leads became, by time."""

    firm: Array
    kind: Array
    """Kind at the end; accounts that were prospects before have `customer_us`."""
    entered_us: Array
    customer_us: Array
    """When it became a customer after it entered; -1 when it entered as what it is."""
    channel: Array
    trial_us: Array
    opted_out_us: Array
    first_spell: customers.Spells


def accounts_of_deals(world: World, deals: buyers.Deals) -> Array:
    """Number of the account that each deal belongs to or became; -1 for those that never bought."""
    account = np.where(deals.firm < world.accounts, deals.firm, -1)
    new = np.flatnonzero((deals.outcome == buyers.CONVERTED) & (account < 0))
    new = new[np.lexsort((new, deals.closed_us[new]))]
    account[new] = world.accounts + np.arange(len(new))
    return np.asarray(account)


def draw_accounts(
    world: World, every: firms.Firms, role: Array, deals: buyers.Deals, account_of_deal: Array
) -> Accounts:
    """All accounts and their first time as customers.

    Each quantity has its own stream, and accounts stand in order of time behind those without a lead: so what is drawn
    for an account never depends on how many came after it.
    """

    def stream(what: str) -> np.random.Generator:
        return world.rng(f"accounts {what}")

    bought = np.flatnonzero(deals.outcome == buyers.CONVERTED)
    count = world.accounts + int((account_of_deal >= world.accounts).sum())
    firm = np.arange(count)
    firm[account_of_deal[bought]] = deals.firm[bought]
    base = world.accounts
    start_us = world.start_day * DAY_US
    clock = office_seconds(stream("clock"), count) * SECOND_US

    kind = np.zeros(count, np.int64)
    kind[:base] = _KIND_OF_ROLE[role]
    channel = every.channel[firm].copy()
    tenure_days = np.clip(stream("tenure").exponential(480.0, count), 8, 1500).astype(np.int64)
    sign_up_day = (
        world.start_day + 1 + (stream("sign-up").random(count) * (world.end_day - world.start_day - 1)).astype(np.int64)
    )
    paid_us = np.full(count, -1)
    standing = np.flatnonzero(np.isin(role, (STANDING, INTERNAL, TEST)))
    paid_us[standing] = (world.start_day - tenure_days[standing]) * DAY_US + clock[standing]
    signs_up = np.flatnonzero(role == SIGN_UP)
    paid_us[signs_up] = sign_up_day[signs_up] * DAY_US + clock[signs_up]
    tries = stream("trial").random(count) < 0.45
    trial_us = np.full(count, -1)
    early = sign_up_day - TRIAL_DAYS > world.start_day
    with_trial = signs_up[(tries & early)[signs_up]]
    trial_us[with_trial] = paid_us[with_trial] - TRIAL_DAYS * DAY_US
    only = np.flatnonzero(np.isin(role, (TRIAL_ONLY, COMPETITOR)))
    trial_us[only] = sign_up_day[only] * DAY_US + clock[only]

    entered = start_us - (stream("entry").random(count) * 500 * DAY_US).astype(np.int64) // SECOND_US * SECOND_US
    entered[standing] = paid_us[standing]
    entered[signs_up] = np.where(trial_us[signs_up] >= 0, trial_us[signs_up], paid_us[signs_up])
    entered[only] = trial_us[only]
    customer_us = np.full(count, -1)
    customer_us[with_trial] = paid_us[with_trial]

    became = account_of_deal[bought]
    known = became < base
    kind[became] = 0
    channel[became[~known]] = deals.channel[bought[~known]]
    paid_us[became] = (
        deals.closed_us[bought]
        + (stream("signing").random(count)[became] * 47 * 3600).astype(np.int64) * SECOND_US
        + 3600 * SECOND_US
    )
    customer_us[became[known]] = deals.closed_us[bought[known]]
    entered[became[~known]] = deals.closed_us[bought[~known]]

    draw = stream("objection").random(count)
    later = (
        entered
        + (stream("objection time").random(count) * np.maximum(world.end_us - entered, DAY_US)).astype(np.int64)
        // SECOND_US
        * SECOND_US
    )
    opted_out_us = np.where(draw < 0.008, entered, np.where(draw < 0.014, later, buyers.NEVER))

    payer = np.flatnonzero((paid_us >= 0) & (paid_us < world.end_us))
    of = firm[payer]
    seats = p.SEATS_MEDIAN * np.exp(
        0.3 * np.log(every.employees[of] / 120.0) + stream("seats").normal(0.0, p.SEATS_SIGMA * 0.85, count)[payer]
    )
    seats = np.clip(np.ceil(seats), 1, p.SEATS_MAX).astype(np.int64)
    term = choose(stream("term"), p.TERM_SHARE, count)[payer]
    effect = (
        p.SEATS_EFFECT * np.log(seats / 8.0)
        + p.INDUSTRY_EXIT_EFFECT[every.industry[of]]
        + p.CHANNEL_EXIT_EFFECT[channel[payer]]
    )
    gives = stream("has discount").random(count)[payer] < np.where(term == 2, 0.55, 0.1)
    luck = stream("health").random(count)[payer]
    health = np.where(paid_us[payer] < start_us, pick(luck, p.STANDING_HEALTH), pick(luck, p.FIRST_HEALTH))
    spells = customers.Spells(
        account=payer,
        start_us=paid_us[payer],
        term=term,
        auto_renew=stream("auto-renew").random(count)[payer] < p.AUTO_RENEW_SHARE,
        discount=np.where(gives, np.round(stream("discount").integers(1, 7, count)[payer] * 0.05, 2), 0.0),
        seats_at_start=seats,
        multiplier=np.exp(effect),
        add_on=(stream("add-on").random(count)[payer] < p.ADD_ON_SHARE) & (seats >= 5),
        first_health=health,
        on_grid=kind[payer] == 0,
    )
    return Accounts(firm, kind, entered, customer_us, channel, trial_us, opted_out_us, spells)


def lives(world: World, accounts: Accounts) -> tuple[customers.Spells, customers.Histories]:
    """First spells, then those of accounts that came back, round by round."""
    spells = [accounts.first_spell]
    pasts = [customers.live(world, spells[0], 0)]
    for number in range(1, ROUNDS):
        back = customers.returns(world, spells[-1], pasts[-1], number)
        if back is None:
            break
        spells.append(back)
        pasts.append(customers.live(world, back, number))
    return customers.joined(spells), customers.joined_histories(pasts)


def trials(accounts: Accounts, spells: customers.Spells) -> Array:
    """When the trial before each spell began; -1 for spells without one, and for those after the first."""
    first = np.arange(len(spells.account)) < len(accounts.first_spell.account)
    return np.where(first, accounts.trial_us[spells.account], -1)


def activities(
    world: World, every: firms.Firms, accounts: Accounts, spells: customers.Spells, past: customers.Histories
) -> usage.Activities:
    """Paying spells, the free plans after some of them, and trials."""
    order = np.lexsort((spells.start_us, spells.account))
    next_start = np.full(len(order), buyers.NEVER)
    same = spells.account[order][1:] == spells.account[order][:-1]
    next_start[order[:-1][same]] = spells.start_us[order[1:][same]]
    free = np.flatnonzero(past.ending == customers.FREE)
    free_start = past.end_day[free] * DAY_US
    last_week = np.clip((past.end_day[free] - 1) // 7 - world.first_week, 0, world.weeks - 1)
    tries = np.flatnonzero(accounts.trial_us >= 0)

    def steady(start: Array, end: Array, state: int, seats: Array) -> tuple[Array, Array]:
        weeks = np.arange(world.weeks)
        inside = (weeks >= world.week_of(start)[:, None]) & (weeks <= world.week_of(end - 1)[:, None])
        return np.where(inside, state, -1).astype(np.int8), np.where(inside, seats[:, None], 0).astype(np.int16)

    free_health, free_seats = steady(free_start, next_start[free], 3, np.maximum(past.seats[free, last_week] // 2, 1))
    trial_end = accounts.trial_us[tries] + TRIAL_DAYS * DAY_US
    trial_health, trial_seats = steady(accounts.trial_us[tries], trial_end, 1, np.full(len(tries), 3))
    account = np.concatenate([spells.account, spells.account[free], tries])
    return usage.Activities(
        account=account,
        start_us=np.concatenate([spells.start_us, free_start, accounts.trial_us[tries]]),
        end_us=np.concatenate([past.end_day * DAY_US, next_start[free], trial_end]),
        health=np.concatenate([past.health, free_health, trial_health]),
        seats=np.concatenate([past.seats, free_seats, trial_seats]),
        key_losses=np.concatenate(
            [past.key_losses, np.zeros_like(free_health, np.uint8), np.zeros_like(trial_health, np.uint8)]
        ),
        region=every.region[accounts.firm[account]],
    )
