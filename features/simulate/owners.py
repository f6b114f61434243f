"""Simulates who looks after an account or a lead, which account belongs to which, and the list of target accounts.

These are columns for people. Nothing else of the company hangs on them, and they are drawn from streams of their own: the other
columns and tables are what they were without them.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from features.simulate import buyers, firms
from features.simulate import parameters as p
from features.simulate.base import Array, Part, World
from features.simulate.population import ACCOUNT_KINDS, Accounts
from features.simulate.records import FIRST_NAMES, LAST_NAMES, LEAD_STATUSES

TIERS = ("1", "2", "3")
CUSTOMERS, OTHERS, LEADS = range(3)
"""The kinds of teams; there is one of each in every region."""


def _sizes(world: World) -> Array:
    """(3, regions) number of people in each team."""
    share = np.bincount(firms.COUNTRY_REGION, firms.COUNTRY_SHARE, len(firms.REGIONS))
    people = [world.accounts / p.ACCOUNTS_A_PERSON] * 2 + [world.leads / p.LEADS_A_PERSON]
    return np.clip(np.ceil(np.outer(people, share / share.sum())), 1, p.TEAM_MOST).astype(np.int64)


def staff(world: World) -> pa.Array:
    """The names of all owners, team by team; no name occurs twice."""
    names = [f"{first.title()} {last.title()}" for last in LAST_NAMES for first in FIRST_NAMES]
    order = world.rng("staff").permutation(len(names))
    return pa.array([names[number] for number in order[: _sizes(world).sum()].tolist()], pa.string())


def _one_of(world: World, team: Array | int, region: Array, draw: Array) -> Array:
    """The number of a person in the team of a region, by a uniform draw."""
    sizes = _sizes(world)
    first = (np.cumsum(sizes) - sizes.ravel()).reshape(sizes.shape)
    return np.asarray(first[team, region] + (draw * sizes[team, region]).astype(np.int64))


def of_accounts(world: World, every: firms.Firms, accounts: Accounts, rows: Part) -> Part:
    """`owner`, `parent_id` and `target_tier` of the version rows of accounts. A new customer goes over to another team."""
    count, account = len(accounts.firm), rows["account_id"]
    region, employees = every.region[accounts.firm], every.employees[accounts.firm]
    luck, nobody = world.rng("account owners").random(count), world.rng("unowned accounts").random(count)
    is_customer = rows["kind"] == ACCOUNT_KINDS.index("customer")
    owner = _one_of(world, np.where(is_customer, CUSTOMERS, OTHERS), region[account], luck[account])
    tier = np.searchsorted(-np.array(p.TARGET_EMPLOYEES), -employees, side="left")
    listed = (world.rng("target accounts").random(count) < p.TARGET_SHARE) & (tier < len(TIERS))
    return {
        "owner": np.where(nobody[account] < p.UNOWNED_SHARE, -1, owner),
        "parent_id": parents(world, accounts)[account],
        "target_tier": np.where(listed, tier, -1)[account],
    }


def parents(world: World, accounts: Accounts) -> Array:
    """(accounts,) the account that each belongs to, one that came before it; -1 for most."""
    count = len(accounts.firm)
    role, luck = world.rng("groups").random(count), world.rng("parents").random(count)
    groups = np.flatnonzero(role < p.GROUP_SHARE)
    groups = groups[np.lexsort((groups, accounts.entered_us[groups]))]
    children = np.flatnonzero((role >= p.GROUP_SHARE) & (role < p.GROUP_SHARE + p.CHILD_SHARE))
    there = np.searchsorted(accounts.entered_us[groups], accounts.entered_us[children], side="left")
    children, there = children[there > 0], there[there > 0]
    found = np.full(count, -1)
    found[children] = groups[(luck[children] * there).astype(np.int64)]
    return found


def of_leads(world: World, every: firms.Firms, leads: buyers.Leads, rows: Part) -> Array:
    """`owner` of the version rows of leads; a new one has none yet."""
    count, lead = len(leads.deal), rows["lead_id"]
    luck, nobody = world.rng("lead owners").random(count), world.rng("unowned leads").random(count)
    owner = _one_of(world, LEADS, every.region[leads.firm][lead], luck[lead])
    is_new = rows["status"] == LEAD_STATUSES.index("open")
    return np.where(is_new | (nobody[lead] < p.UNOWNED_SHARE), -1, owner)
