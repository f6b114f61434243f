"""Who the accounts are: those of the CRM, and those that leads became, numbered by time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from features.kit.clock import DAY_US
from features.simulate import firms
from features.simulate import parameters as p
from features.simulate.base import choose
from features.simulate.buyers import CONVERTED, DISQUALIFIED, OPEN
from features.simulate.customers import FREE
from features.simulate.population import (
    ACCOUNT_KINDS,
    COMPETITOR,
    PROSPECT,
    SIGN_UP,
    STANDING,
    TRIAL_DAYS,
    TRIAL_ONLY,
    Accounts,
    accounts_of_deals,
    activities,
    draw_accounts,
    trials,
)
from tests.kit.simulated import deals_of, past_of, world_of

WORLD = world_of(accounts=400)
EVERY = firms.found(WORLD, 410)
ROLES = choose(WORLD.rng("roles"), p.ROLE_SHARE, 400)
NOON = (WORLD.end_day - 100) * DAY_US


def drawn(*bought: int) -> Accounts:
    """The accounts when the companies of these numbers bought, one a day."""
    deals = deals_of(list(bought), [CONVERTED] * len(bought), [NOON + n * DAY_US for n in range(len(bought))])
    return draw_accounts(WORLD, EVERY, ROLES, deals, accounts_of_deals(WORLD, deals))


class TestAccountsOfDeals:
    def test_those_in_the_crm_keep_their_number_and_new_customers_get_one_by_time(self) -> None:
        world = replace(WORLD, accounts=10)
        deals = deals_of([12, 3, 11, 15, 14], [CONVERTED, OPEN, CONVERTED, DISQUALIFIED, OPEN], [200, 0, 100, 50, 0])
        assert accounts_of_deals(world, deals).tolist() == [11, 3, 10, -1, -1]


class TestDrawAccounts:
    def test_each_role_has_its_kind_and_its_trial(self) -> None:
        accounts = drawn()
        kinds = np.array(ACCOUNT_KINDS)[accounts.kind]
        assert set(kinds[np.isin(ROLES, (STANDING, SIGN_UP))]) == {"customer"}
        assert set(kinds[np.isin(ROLES, (TRIAL_ONLY, PROSPECT))]) == {"prospect"}
        assert (accounts.trial_us[np.isin(ROLES, (TRIAL_ONLY, COMPETITOR))] >= 0).all()
        assert (accounts.trial_us[np.isin(ROLES, (STANDING, PROSPECT))] == -1).all()

    def test_a_sign_up_after_a_trial_becomes_a_customer_two_weeks_later(self) -> None:
        accounts = drawn()
        tried = np.flatnonzero((ROLES == SIGN_UP) & (accounts.trial_us >= 0))
        assert len(tried) > 5
        assert (accounts.customer_us[tried] - accounts.trial_us[tried] == TRIAL_DAYS * DAY_US).all()

    def test_a_prospect_that_buys_turns_customer_and_pays_within_two_days(self) -> None:
        prospect = int(np.flatnonzero(ROLES == PROSPECT)[0])
        accounts = drawn(prospect)
        assert ACCOUNT_KINDS[accounts.kind[prospect]] == "customer"
        assert accounts.customer_us[prospect] == NOON
        spell = accounts.first_spell.account.tolist().index(prospect)
        assert NOON < accounts.first_spell.start_us[spell] <= NOON + 2 * DAY_US

    def test_what_is_drawn_for_an_account_does_not_hang_on_who_came_later(self) -> None:
        few, many = drawn(401), drawn(401, 405, 403)
        assert len(many.firm) == len(few.firm) + 2
        for name in ("firm", "kind", "entered_us", "trial_us", "opted_out_us"):
            assert getattr(many, name)[:401].tolist() == getattr(few, name).tolist(), name
        assert many.first_spell.seats_at_start[: len(few.first_spell.account)].tolist() == (
            few.first_spell.seats_at_start.tolist()
        )


class TestActivities:
    def test_paid_use_then_the_free_plan_and_trials_each_have_their_weeks(self) -> None:
        accounts = drawn()
        spells = accounts.first_spell
        leaver = int(np.flatnonzero(spells.start_us < (WORLD.end_day - 200) * DAY_US)[0])
        end_day = np.full(len(spells.account), 10**7)
        end_day[leaver] = WORLD.end_day - 70
        ending = np.zeros(len(spells.account), np.int8)
        ending[leaver] = FREE
        past = past_of(WORLD, spells, end_day=end_day, ending=ending)
        found = activities(WORLD, EVERY, accounts, spells, past)
        tries = int((accounts.trial_us >= 0).sum())
        assert len(found.account) == len(spells.account) + 1 + tries
        free = len(spells.account)
        assert found.start_us[free] == (WORLD.end_day - 70) * DAY_US
        assert found.seats[free].max() == max(int(spells.seats_at_start[leaver]) // 2, 1)
        assert np.count_nonzero(found.health[free] >= 0) == 10  # to the end
        assert (np.count_nonzero(found.health[free + 1 :] >= 0, axis=1) <= 3).all()  # two weeks touch three

    def test_only_a_first_spell_has_a_trial_before_it(self) -> None:
        accounts = drawn()
        first = accounts.first_spell
        twice = replace(first, account=np.concatenate([first.account, first.account]))
        found = trials(accounts, twice)
        assert found[: len(first.account)].tolist() == accounts.trial_us[first.account].tolist()
        assert set(found[len(first.account) :]) == {-1}
