"""Records of a CRM: deals of leads, trials that come to nothing, and mail addresses of one person each."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from features.kit.clock import DAY_US
from features.simulate import firms
from features.simulate.buyers import CONVERTED, DISQUALIFIED, NEVER, OPEN, Leads
from features.simulate.contracts import DEAL_STATUSES, STAGES, STATUSES
from features.simulate.population import PROSPECT, TRIAL_DAYS, TRIAL_ONLY, accounts_of_deals, draw_accounts
from features.simulate.records import account_rows, failed_trials, lead_deals, lead_mails
from tests.kit.simulated import deals_of, world_of

WORLD = world_of(accounts=20)
EVERY = firms.found(WORLD, 40)
NOBODY = deals_of([], [], [])
ROLES = np.array([TRIAL_ONLY] * 10 + [PROSPECT] * 10)
ACCOUNTS = draw_accounts(WORLD, EVERY, ROLES, NOBODY, accounts_of_deals(WORLD, NOBODY))


class TestLeadDeals:
    def test_only_a_deal_that_was_opened_can_be_lost_and_every_purchase_is_won(self) -> None:
        never = int(NEVER)
        deals = replace(
            deals_of([30, 31, 5, 32], [CONVERTED, DISQUALIFIED, CONVERTED, OPEN], [300, 300, 100, never]),
            opened_us=np.array([100, 100, never, never]),
            proposal_us=np.array([200, never, never, never]),
        )
        account = accounts_of_deals(WORLD, deals)
        rows = lead_deals(WORLD, EVERY, deals, account, np.arange(4))
        found = [
            (int(d), int(us), STAGES[stage], DEAL_STATUSES[status], int(a))
            for d, us, stage, status, a in zip(
                rows["opportunity_id"],
                rows["event_time"],
                rows["stage"],
                rows["status"],
                rows["account_id"],
                strict=True,
            )
        ]
        assert sorted(found) == [
            (0, 100, "discovery", "open", -1),
            (0, 200, "proposal", "open", -1),
            (0, 300, "won", "won", 20),  # the first account behind the twenty of the CRM
            (1, 100, "discovery", "open", -1),
            (1, 300, "lost", "lost", -1),
            (2, 100, "won", "won", 5),  # one of the CRM
        ]


class TestTrials:
    def test_one_that_comes_to_nothing_ends_after_two_weeks(self) -> None:
        rows = failed_trials(ACCOUNTS, first_id=100)
        assert rows["subscription_id"].tolist() == [*range(100, 110)] * 2
        assert [STATUSES[code] for code in rows["status"]] == ["trial"] * 10 + ["ended"] * 10
        begun, ended = rows["event_time"][:10], rows["event_time"][10:]
        assert begun.tolist() == ACCOUNTS.trial_us[:10].tolist()
        assert set(ended - begun) == {TRIAL_DAYS * DAY_US}
        assert not rows["mrr"].any()


class TestAccountRows:
    def test_the_first_version_of_each_is_from_when_it_entered(self) -> None:
        rows = account_rows(WORLD, EVERY, ACCOUNTS)
        first = np.r_[True, np.diff(rows["account_id"]) != 0]
        assert rows["account_id"][first].tolist() == list(range(20))
        assert rows["event_time"][first].tolist() == ACCOUNTS.entered_us.tolist()
        assert (rows["known_time"][first] == -1).all(), "only news of growth comes late"

    def test_a_prospect_is_a_customer_from_its_purchase_on(self) -> None:
        bought = WORLD.end_us - 50 * DAY_US
        deals = deals_of([15], [CONVERTED], [bought])
        accounts = draw_accounts(WORLD, EVERY, ROLES, deals, accounts_of_deals(WORLD, deals))
        rows = account_rows(WORLD, EVERY, accounts)
        of = rows["account_id"] == 15
        assert (rows["kind"][of] == np.where(rows["event_time"][of] >= bought, 0, 1)).all()
        assert bought in rows["event_time"][of]


class TestMails:
    def test_each_lead_has_an_address_at_its_company_or_a_free_provider(self) -> None:
        size = 1_200
        some = np.zeros(size, np.int64)
        free = np.arange(size) % 3 == 0
        leads = Leads(some, np.arange(size) % 40, some, some, free, some, some, some, some, some)
        found = lead_mails(EVERY, leads, np.arange(size)).to_pylist()
        assert len(set(found)) == size
        domains = [address.partition("@")[2] for address in found]
        assert set(np.array(domains)[free]) <= set(firms.FREE_MAIL)
        assert [domain for domain, is_free in zip(domains, free, strict=True) if not is_free] == [
            EVERY.domains[number % 40] for number in range(size) if number % 3
        ]
