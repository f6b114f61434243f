"""Simulates contracts and bills of paying customers: versions of subscriptions, deals, invoices."""

from __future__ import annotations

import numpy as np

from features.kit.clock import DAY_US, SECOND_US
from features.simulate import parameters as p
from features.simulate.base import Array, Dice, Part, World, add_months, join, late, taken
from features.simulate.customers import EARLY, FREE, LAPSE, NEVER_DAY, NOTICE, STAYS, Histories, Spells, renewal_day

STATUSES = ("trial", "active", "notice", "ended")
PLANS = ("starter", "team", "business", "enterprise", "free")
PLAN_FROM_SEATS = np.array([5, 20, 80])
SEAT_PRICE = np.array([45.0, 40.0, 36.0, 32.0, 0.0])
PRODUCTS = ("workspace", "analytics")
ADD_ON_PRICE_SHARE = 0.3
INVOICE_STATUSES = ("open", "failed", "paid", "void")
STAGES = ("discovery", "proposal", "renewal", "won", "lost")
DEAL_STATUSES = ("open", "won", "lost")
DEAL_KINDS = ("new", "expansion", "renewal")
RENEWAL_OPENS_DAYS = 60
_TRIAL, _START, _SEATS, _RENEWAL, _NOTICE, _END = range(6)


def plan_of(seats: Array) -> Array:
    """The plan for each number of seats, as a code into PLANS."""
    return np.searchsorted(PLAN_FROM_SEATS, seats, side="right")


def price_level(world: World, term_start_day: Array) -> Array:
    """Terms that begin after the change of regime pay the risen price."""
    risen = term_start_day >= (world.change_week + world.first_week) * 7
    return np.where(risen, 1.0 + p.PRICE_RISE, 1.0)


def monthly(world: World, spells: Spells, spell: Array, seats: Array, term_start_day: Array) -> Array:
    """Recurring revenue a month in currency units."""
    price = SEAT_PRICE[plan_of(seats)] * (1.0 - spells.discount[spell])
    return np.asarray(np.round(seats * price * price_level(world, term_start_day), 2))


def renewals(world: World, spells: Spells, past: Histories) -> tuple[Array, Array, Array]:
    """All renewals inside the window or before it: spell, number of the term that ended, day."""
    start_day = spells.start_us // DAY_US
    until = np.minimum(past.end_day, world.end_day)
    found = []
    number = 1
    on = np.arange(len(start_day))
    while len(on):
        day = renewal_day(start_day[on], spells.term[on], np.full(len(on), number))
        keep = day < until[on]
        on, day = on[keep], day[keep]
        found.append((on, np.full(len(on), number), day))
        number += 1
    if not found:
        return on, on, on
    spell, term, ends = (np.concatenate(column) for column in zip(*found, strict=True))
    return spell, term, ends


def subscriptions(world: World, spells: Spells, past: Histories, trial_us: Array) -> Part:
    """Versions of each contract; `trial_us` is when the trial before it began, -1 without one.

    The id of the main contract of spell i is 2 i, that of its add-on 2 i + 1.
    """
    count = len(spells.account)
    every = np.arange(count)
    r_spell, _, r_day = renewals(world, spells, past)
    trials = np.flatnonzero(trial_us >= 0)
    noticed = np.flatnonzero(past.notice_us >= 0)
    ended = np.flatnonzero(past.end_day < NEVER_DAY)
    grown = (
        [np.concatenate(column) for column in zip(*past.grown, strict=True)]
        if past.grown
        else [np.zeros(0, np.int64)] * 4
    )
    # A change on the very day that a contract ends would come after its end.
    grown = [column[grown[1] < past.end_day[grown[0]] * DAY_US] for column in grown]
    pieces = [
        (trials, trial_us[trials], _TRIAL, spells.seats_at_start[trials]),
        (every, spells.start_us, _START, spells.seats_at_start),
        (r_spell, r_day * DAY_US, _RENEWAL, np.full(len(r_spell), -1)),
        (grown[0], grown[1], _SEATS, grown[3]),
        (noticed, past.notice_us[noticed], _NOTICE, np.full(len(noticed), -1)),
        (ended, past.end_day[ended] * DAY_US, _END, np.full(len(ended), -1)),
    ]
    spell = np.concatenate([piece[0] for piece in pieces]).astype(np.int64)
    us = np.concatenate([piece[1] for piece in pieces]).astype(np.int64)
    kind = np.concatenate([np.full(len(piece[0]), piece[2]) for piece in pieces])
    seats = np.concatenate([piece[3] for piece in pieces]).astype(np.int64)
    order = np.lexsort((kind, us, spell))
    spell, us, kind, seats = spell[order], us[order], kind[order], seats[order]

    position = np.arange(len(spell))
    seats = seats[np.maximum.accumulate(np.where(seats >= 0, position, 0))]
    first = np.searchsorted(spell, every)
    done = np.cumsum(kind == _RENEWAL)
    terms_done = done - (done - (kind == _RENEWAL))[first[spell]]
    term_start = np.where(
        terms_done > 0,
        renewal_day(spells.start_us[spell] // DAY_US, spells.term[spell], np.maximum(terms_done, 1)),
        spells.start_us[spell] // DAY_US,
    )
    mrr = monthly(world, spells, spell, seats, term_start)
    to_free = (kind == _END) & (past.ending[spell] == FREE)
    paid = (kind != _TRIAL) & (kind != _END)
    said = past.notice_us[spell]
    main: Part = {
        "subscription_id": 2 * spell,
        "account_id": spells.account[spell],
        "event_time": us,
        "status": np.select([kind == _TRIAL, to_free, kind == _END, (said >= 0) & (us >= said)], [0, 1, 3, 2], 1),
        "mrr": np.where(paid, mrr, 0.0),
        "plan": np.where(to_free, PLANS.index("free"), plan_of(seats)),
        "product": np.zeros(len(spell), np.int64),
        "seats": seats.astype(float),
        "discount": spells.discount[spell].astype(float),
        "term_months": p.TERMS_MONTHS[spells.term[spell]].astype(float),
        "term_end": np.where(
            to_free | (kind == _TRIAL),
            -1,
            renewal_day(spells.start_us[spell] // DAY_US, spells.term[spell], terms_done + 1) * DAY_US,
        ),
        "auto_renew": np.where(spells.auto_renew[spell], 1, 0),
    }
    return join([main, _add_ons(world, spells, past, main)])


def _add_ons(world: World, spells: Spells, past: Histories, main: Part) -> Part:
    """The second product: as the main contract, from its start to its end or until it is dropped."""
    spell = main["subscription_id"] // 2
    dropped = past.add_on_drop_us[spell]
    keep = (
        spells.add_on[spell]
        & (main["status"] != STATUSES.index("trial"))
        & ((dropped < 0) | (main["event_time"] < dropped))
    )
    rows = dict(taken(main, keep))
    ends = np.flatnonzero(spells.add_on & (past.add_on_drop_us >= 0))
    at_end = {
        name: values[np.searchsorted(rows["subscription_id"], 2 * ends, side="right") - 1]
        for name, values in rows.items()
    }
    at_end["event_time"] = past.add_on_drop_us[ends]
    at_end["status"] = np.full(len(ends), STATUSES.index("ended"))
    at_end["mrr"] = np.zeros(len(ends))
    rows = join([rows, at_end])
    rows["subscription_id"] = rows["subscription_id"] + 1
    rows["product"] = np.ones(len(rows["event_time"]), np.int64)
    rows["mrr"] = np.round(rows["mrr"] * ADD_ON_PRICE_SHARE, 2)
    over = rows["plan"] == PLANS.index("free")
    rows["status"] = np.where(over, STATUSES.index("ended"), rows["status"])
    rows["plan"] = np.where(over, 0, rows["plan"])
    return rows


def customer_deals(world: World, spells: Spells, past: Histories, first_id: int) -> Part:
    """Renewals of yearly contracts, opened 60 days before, and expansions of larger accounts that sales closed."""
    rng = world.rng("customer deals")
    start_day = spells.start_us // DAY_US
    spell, number, day = renewals(world, spells, past)
    keep = (spells.term[spell] == 2) & (day >= world.start_day)
    won_spell, won_day = spell[keep], day[keep]
    leaves = np.flatnonzero((spells.term == 2) & np.isin(past.ending, (NOTICE, LAPSE, FREE)))
    # The next renewal of those that stay beyond the end, or leave in the middle of a term.
    nxt = np.ones(len(start_day), np.int64)
    np.maximum.at(nxt, spell, number + 1)
    others = np.flatnonzero((spells.term == 2) & np.isin(past.ending, (STAYS, EARLY)))
    others_day = renewal_day(start_day[others], spells.term[others], nxt[others])
    which = np.concatenate([won_spell, leaves, others])
    due = np.concatenate([won_day, past.end_day[leaves], others_day])
    status = np.concatenate(
        [np.full(len(won_spell), 1), np.full(len(leaves), 2), np.where(past.ending[others] == EARLY, 2, 0)]
    )
    opened = (due - RENEWAL_OPENS_DAYS) * DAY_US + 9 * 3600 * SECOND_US
    said = np.where(status == 2, past.notice_us[which], -1)
    closed = np.where(said >= 0, said, due * DAY_US)
    week = np.clip(world.week_of(opened), 0, world.weeks - 1)
    amount = 12.0 * monthly(
        world, spells, which, np.maximum(past.seats[which, week].astype(np.int64), 1), opened // DAY_US
    )
    is_open = opened >= world.start_day * DAY_US
    account = spells.account[which]
    # Renewals are opened at nine: of two on one day the account says which comes first, never how they end.
    identity = np.empty(len(which), np.int64)
    identity[np.lexsort((account, opened))] = first_id + np.arange(len(which))
    # Sales sees no renewal where the notice came before it was opened.
    is_open &= opened < closed
    end = (status > 0) & is_open
    parts = [
        _deal(identity[is_open], opened[is_open], account[is_open], 2, 0, 2, amount[is_open]),
        _deal(identity[end], closed[end], account[end], np.where(status[end] == 1, 3, 4), status[end], 2, amount[end]),
    ]
    grown = (
        [np.concatenate(column) for column in zip(*past.grown, strict=True)]
        if past.grown
        else [np.zeros(0, np.int64)] * 4
    )
    by_time = np.lexsort((grown[0], grown[1]))
    grown = [column[by_time] for column in grown]
    by_sales = (grown[3] > grown[2]) & (grown[3] >= 15) & (rng.random(len(grown[0])) < 0.6)
    by_sales &= grown[1] < past.end_day[grown[0]] * DAY_US
    who, when, before, after = (column[by_sales] for column in grown)
    more = 12.0 * (after - before) * SEAT_PRICE[plan_of(after)]
    identity = first_id + len(which) + np.arange(len(who))
    parts.append(_deal(identity, when, spells.account[who], 3, 1, 1, np.asarray(more, float)))
    return join(parts)


def _deal(
    identity: Array, us: Array, account: Array, stage: Array | int, status: Array | int, kind: int, amount: Array
) -> Part:
    size = len(identity)
    return {
        "opportunity_id": identity,
        "event_time": us,
        "account_id": account,
        "lead_id": np.full(size, -1),
        "stage": np.broadcast_to(stage, size),
        "status": np.broadcast_to(status, size),
        "kind": np.full(size, kind),
        "amount": amount,
    }


def invoices(world: World, spells: Spells, past: Histories) -> Part:
    """A bill a month for monthly contracts, a quarter for the others; how it is paid follows the health at its issue."""
    dice = Dice(world, "invoices")
    step = np.minimum(p.TERMS_MONTHS[spells.term], 3)
    start_day = spells.start_us // DAY_US
    until = np.minimum(past.end_day, world.end_day)
    found = []
    number, on = 0, np.arange(len(start_day))
    while len(on):
        day = add_months(start_day[on], step[on] * number)
        keep = day < until[on]
        on, day = on[keep], day[keep]
        inside = day >= world.start_day
        found.append((on[inside], np.full(int(inside.sum()), number), day[inside]))
        number += 1
    spell, number_of, day = (np.concatenate(column) for column in zip(*found, strict=True))
    order = np.lexsort((spell, day))
    spell, number_of, day = spell[order], number_of[order], day[order]
    size = len(spell)
    issued = np.maximum(day * DAY_US + 6 * 3600 * SECOND_US, spells.start_us[spell])
    week = world.week_of(issued)
    health = past.health[spell, week]
    seats = past.seats[spell, week].astype(np.int64)
    terms_done = number_of * step[spell] // p.TERMS_MONTHS[spells.term[spell]]
    term_start = renewal_day(start_day[spell], spells.term[spell], terms_done)
    share = 1.0 + ADD_ON_PRICE_SHARE * (
        spells.add_on[spell] & ((past.add_on_drop_us[spell] < 0) | (past.add_on_drop_us[spell] > issued))
    )
    amount = np.round(monthly(world, spells, spell, seats, term_start) * step[spell] * share, 2)
    allowed_days = np.where(spells.term[spell] == 0, 14, 30)
    due = issued + allowed_days * DAY_US
    draw = dice.uniform(4, size)
    is_late = draw[0] < p.LATE_PAYER_SHARE[health]
    paid = np.where(
        is_late,
        due + (np.exp(dice().normal(np.log(12.0), 0.7, size)) * 86_400).astype(np.int64) * SECOND_US,
        issued + ((0.1 + 0.9 * draw[1]) * allowed_days * 86_400).astype(np.int64) * SECOND_US,
    )
    fails = draw[2] < p.FAILED_PAYMENT_SHARE[health]
    failed = issued + (1 + 3 * draw[1] * 86_400).astype(np.int64) * SECOND_US
    paid = np.where(fails, np.maximum(paid, failed + (1 + 6 * draw[0] * 86_400).astype(np.int64) * SECOND_US), paid)
    void = draw[3] < 0.004

    def versions(chosen: Array, us: Array, status: Array | int) -> Part:
        return {
            "invoice_id": np.arange(size)[chosen],
            "account_id": spells.account[spell][chosen],
            "event_time": us[chosen],
            "status": np.broadcast_to(status, size)[chosen],
            "amount": amount[chosen],
            "due_time": due[chosen],
            "known_time": late("invoices", us, dice)[chosen],
        }

    everything = np.ones(size, bool)
    return join(
        [
            versions(everything, issued, 0),
            versions(fails & ~void, failed, 1),
            versions(everything, paid, np.where(void, 3, 2)),
        ]
    )
