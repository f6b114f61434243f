"""Simulates the records of a CRM: versions of accounts and leads, the deals of leads, trials, and mail addresses."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from features.kit.clock import DAY_US, SECOND_US
from features.simulate import buyers, contracts, firms
from features.simulate import parameters as p
from features.simulate.base import Array, Dice, Part, World, join, late
from features.simulate.population import ACCOUNT_KINDS, TRIAL_DAYS, Accounts

LEAD_STATUSES = ("open", "working", "qualified", "converted", "disqualified")


def account_rows(world: World, every: firms.Firms, accounts: Accounts) -> Part:
    """Versions of accounts: when each entered, became a customer, grew, or objected to scoring."""
    dice = Dice(world, "account rows")
    count, firm = len(accounts.firm), accounts.firm
    everyone = np.arange(count)
    before = np.where(accounts.customer_us >= 0, ACCOUNT_KINDS.index("prospect"), accounts.kind)
    turned = np.flatnonzero(accounts.customer_us >= 0)
    grows = np.flatnonzero(dice().random(count) < 0.18)
    grown_us = (
        accounts.entered_us[grows]
        + (dice().random(len(grows)) * np.maximum(world.end_us - accounts.entered_us[grows], DAY_US)).astype(np.int64)
        // SECOND_US
        * SECOND_US
    )
    first_employees = firms.hidden(dice(), every.employees[firm].astype(float), 0.12)
    grown_employees = np.maximum(np.round(every.employees[firm[grows]] * (0.85 + 0.5 * dice().random(len(grows)))), 2)
    outs = np.flatnonzero((accounts.opted_out_us > accounts.entered_us) & (accounts.opted_out_us < buyers.NEVER))
    account = np.concatenate([everyone, turned, grows, outs])
    us = np.concatenate([accounts.entered_us, accounts.customer_us[turned], grown_us, accounts.opted_out_us[outs]])
    employees = np.concatenate(
        [first_employees, np.full(len(turned), np.nan), grown_employees, np.full(len(outs), np.nan)]
    )
    set_here = np.repeat([True, False, True, False], [count, len(turned), len(grows), len(outs)])
    # Only news of growth comes late; what makes an account eligible is known when it happens.
    known = np.concatenate([np.full(count + len(turned), -1), late("accounts", grown_us, dice), np.full(len(outs), -1)])
    order = np.lexsort((np.arange(len(us)), us, account))
    account, us, employees = account[order], us[order], employees[order]
    set_here, known = set_here[order], known[order]
    employees = employees[np.maximum.accumulate(np.where(set_here, np.arange(len(us)), 0))]
    customer_us = accounts.customer_us[account]
    industry, revenue = (
        firms.hidden(dice(), every.industry[firm], 0.06),
        firms.hidden(dice(), every.revenue[firm], 0.25),
    )
    country, founded = (
        firms.hidden(dice(), every.country[firm], 0.03),
        firms.hidden(dice(), every.founded_us[firm], 0.2),
    )
    campaign = firms.campaign_of(dice(), accounts.channel)
    return {
        "account_id": account,
        "event_time": us,
        "name": firm[account],
        "domain": firm[account],
        "kind": np.where((customer_us >= 0) & (us >= customer_us), 0, before[account]),
        "founded_time": founded[account],
        "industry": industry[account],
        "region": firms.COUNTRY_REGION[every.country[firm]][account],
        "country": country[account],
        "employees": employees,
        "annual_revenue": revenue[account],
        "channel": accounts.channel[account],
        "campaign_kind": campaign[account],
        "partner": _partner(every, firm, accounts.channel)[account],
        "is_trial": (accounts.trial_us >= 0).astype(np.int64)[account],
        "opted_out": (us >= accounts.opted_out_us[account]).astype(np.int64),
        "known_time": known,
    }


def _partner(every: firms.Firms, firm: Array, channel: Array) -> Array:
    return np.where(channel == p.CHANNELS.index("partner"), firm % len(firms.PARTNERS), -1)


def lead_rows(
    world: World,
    every: firms.Firms,
    leads: buyers.Leads,
    deals: buyers.Deals,
    known_account: Array,
    account_of_deal: Array,
) -> Part:
    """Versions of leads: new, working, qualified, and converted or disqualified with their deal."""
    rng = world.rng("lead rows")
    count, firm, channel = len(leads.deal), leads.firm, leads.channel
    everyone = np.arange(count)
    closed, outcome = deals.closed_us[leads.deal], deals.outcome[leads.deal]
    qualified = deals.qualified_us[leads.deal]
    is_qualified = (qualified > leads.known_us) & (qualified < closed)
    working = leads.known_us + (rng.exponential(50.0, count) * 3600).astype(np.int64) * SECOND_US + SECOND_US
    is_working = (rng.random(count) < 0.75) & (working < closed) & ~(is_qualified & (working >= qualified))
    is_closed = outcome != buyers.OPEN
    thin = np.array([0.15, 0.30, 0.25, 0.10, 0.05, 0.15, 0.25])[channel]
    fixed: Part = {
        "company": np.where(leads.free_mail & (rng.random(count) < 0.4), -1, firm),
        "email": everyone,
        "title": np.where(rng.random(count) < 0.15, -1, leads.seniority * len(p.DEPARTMENTS) + leads.department),
        "department": firms.hidden(rng, leads.department, 0.07),
        "seniority": firms.hidden(rng, leads.seniority, 0.06),
        "industry": firms.hidden(rng, every.industry[firm], 0.6 * thin),
        "region": every.region[firm],
        "country": firms.hidden(rng, every.country[firm], 0.08),
        "employees": firms.hidden(rng, every.employees[firm].astype(float), thin),
        "annual_revenue": firms.hidden(rng, every.revenue[firm], np.minimum(thin * 1.6, 0.9)),
        "channel": channel,
        "campaign_kind": firms.campaign_of(rng, channel),
        "partner": _partner(every, firm, channel),
        "is_trial": leads.is_trial.astype(np.int64),
        "opted_out": leads.opted_out.astype(np.int64),
    }

    def versions(chosen: Array, us: Array, status: Array | int, account: Array) -> Part:
        part = {name: values[chosen] for name, values in fixed.items()}
        return {
            "lead_id": everyone[chosen],
            "event_time": us[chosen],
            "account_id": account[chosen],
            **part,
            "status": np.broadcast_to(status, count)[chosen],
        }

    new = versions(np.ones(count, bool), leads.created_us, 0, known_account)
    new["known_time"] = np.where(leads.known_us > leads.created_us, leads.known_us, -1)
    buys = outcome == buyers.CONVERTED
    return join(
        [
            new,
            versions(is_working, working, 1, known_account),
            versions(is_qualified, qualified, 2, known_account),
            versions(
                is_closed, closed, np.where(buys, 3, 4), np.where(buys, account_of_deal[leads.deal], known_account)
            ),
        ]
    )


def lead_deals(
    world: World, every: firms.Firms, deals: buyers.Deals, account_of_deal: Array, lead_number: Array
) -> Part:
    """Versions of the opportunities of leads. A deal that was never opened has only its winning version, or none."""
    rng = world.rng("lead deals")
    count = len(deals.firm)
    amount = (
        12.0
        * 40.0
        * np.ceil(
            p.SEATS_MEDIAN * np.exp(0.3 * np.log(every.employees[deals.firm] / 120.0) + rng.normal(0.0, 0.7, count))
        )
    )
    known = np.where(deals.firm < world.accounts, deals.firm, -1)
    buys = deals.outcome == buyers.CONVERTED
    opened = deals.opened_us < buyers.NEVER

    def versions(chosen: Array, us: Array, stage: str, status: str, account: Array) -> Part:
        size = int(chosen.sum())
        return {
            "opportunity_id": np.flatnonzero(chosen),
            "event_time": us[chosen],
            "account_id": account[chosen],
            "lead_id": lead_number[deals.first_lead[chosen]],
            "stage": np.full(size, contracts.STAGES.index(stage)),
            "status": np.full(size, contracts.DEAL_STATUSES.index(status)),
            "kind": np.zeros(size, np.int64),
            "amount": amount[chosen],
        }

    return join(
        [
            versions(opened, deals.opened_us, "discovery", "open", known),
            versions(deals.proposal_us < buyers.NEVER, deals.proposal_us, "proposal", "open", known),
            versions(buys, deals.closed_us, "won", "won", account_of_deal),
            versions(opened & (deals.outcome == buyers.DISQUALIFIED), deals.closed_us, "lost", "lost", known),
        ]
    )


def failed_trials(accounts: Accounts, first_id: int) -> Part:
    """Trials that nothing came of: begun, and ended after two weeks."""
    who = np.flatnonzero((accounts.trial_us >= 0) & (accounts.kind != ACCOUNT_KINDS.index("customer")))
    size = len(who)
    twice = np.concatenate([who, who])
    return {
        "subscription_id": first_id + np.tile(np.arange(size), 2),
        "account_id": twice,
        "event_time": accounts.trial_us[twice] + np.repeat([0, TRIAL_DAYS * DAY_US], size),
        "status": np.repeat([contracts.STATUSES.index("trial"), contracts.STATUSES.index("ended")], size),
        "mrr": np.zeros(2 * size),
        "plan": np.zeros(2 * size, np.int64),
        "product": np.zeros(2 * size, np.int64),
        "seats": np.full(2 * size, 3.0),
        "discount": np.zeros(2 * size),
        "term_months": np.full(2 * size, np.nan),
        "auto_renew": np.zeros(2 * size, np.int64),
    }


FIRST_NAMES = firms.words(
    "ana ben cleo dara emil fay gus hana ivo jo kim lea max nia omar pia ravi sam tess uma vic wren yara zoe"
)
LAST_NAMES = firms.words(
    "abel brandt costa dahl eriksen fox grant hale ito jensen khan lund meyer novak ortiz park quist rossi silva tan"
)


def _person(number: int) -> str:
    """A name of its own for each number: the Parquet writer leaves stray bytes after a dictionary with repeated values."""
    place, again = divmod(number, len(FIRST_NAMES) * len(LAST_NAMES))[::-1]
    name = f"{FIRST_NAMES[place % len(FIRST_NAMES)]}.{LAST_NAMES[place // len(FIRST_NAMES)]}"
    return f"{name}{again}" if again else name


def lead_mails(every: firms.Firms, leads: buyers.Leads, lead_number: Array) -> pa.Array:
    """Mail address of each lead, in the order of `leads`: at its company, or at a free provider."""
    free = [firms.FREE_MAIL[n % len(firms.FREE_MAIL)] for n in range(len(leads.deal))]
    return pa.array(
        [
            f"{_person(number)}@{free[number] if is_free else every.domains[firm]}"
            for number, firm, is_free in zip(
                lead_number.tolist(), leads.firm.tolist(), leads.free_mail.tolist(), strict=True
            )
        ],
        pa.string(),
    )


def contact_mails(account: Array, every: firms.Firms, accounts: Accounts) -> pa.Array:
    """Mail address of each contact by number."""
    return pa.array(
        [f"{_person(7 * number)}@{every.domains[of]}" for number, of in enumerate(accounts.firm[account].tolist())],
        pa.string(),
    )
