"""Contracts and bills: what is paid, version by version, worked out by hand for one customer."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from features.kit.clock import DAY_US
from features.simulate import parameters as p
from features.simulate.base import World, add_months
from features.simulate.contracts import (
    INVOICE_STATUSES,
    PLANS,
    STATUSES,
    invoices,
    monthly,
    plan_of,
    renewals,
    subscriptions,
)
from features.simulate.customers import FREE, NOTICE, Spells
from tests.kit.simulated import past_of, spells_of, world_of

WORLD = world_of()
START = WORLD.end_day - 400
TEAM_8 = 8 * 40.0
"""Eight seats are plan team, at 40 a seat."""


def yearly(day: int = START, **changes: Any) -> Spells:
    return replace(spells_of(day), **changes)


def after(day: int, months: int) -> int:
    return int(add_months(np.array([day]), np.array([months]))[0])


class TestPrices:
    @pytest.mark.parametrize(
        ("seats", "plan"),
        [
            (1, "starter"),
            (4, "starter"),
            (5, "team"),
            (19, "team"),
            (20, "business"),
            (79, "business"),
            (80, "enterprise"),
        ],
    )
    def test_the_plan_follows_the_seats(self, seats: int, plan: str) -> None:
        assert PLANS[int(plan_of(np.array([seats]))[0])] == plan

    def test_a_discount_and_the_risen_price_of_terms_that_begin_after_the_change(self) -> None:
        world = replace(WORLD, change_day=(WORLD.first_week + 20) * 7)
        first = (world.first_week + 20) * 7
        spells = yearly(discount=np.array([0.1]))
        found = monthly(world, spells, np.zeros(2, np.int64), np.array([8, 8]), np.array([first - 1, first]))
        assert found.tolist() == [288.0, 322.56]  # 8 x 40 x 0.9, and that x 1.12


class TestRenewals:
    @pytest.mark.parametrize(("term", "expected"), [(2, [12]), (1, [3, 6, 9, 12]), (0, list(range(1, 14)))])
    def test_each_term_that_ends_before_the_end_is_one(self, term: int, expected: list[int]) -> None:
        """400 days are a year, four quarters, and 13 months."""
        spells = yearly(term=np.array([term]))
        spell, number, day = renewals(WORLD, spells, past_of(WORLD, spells))
        assert spell.tolist() == [0] * len(expected)
        assert number.tolist() == list(range(1, len(expected) + 1))
        assert day.tolist() == [after(START, months) for months in expected]

    def test_a_term_that_ends_with_the_contract_is_none(self) -> None:
        spells = yearly()
        past = past_of(WORLD, spells, end_day=np.array([after(START, 12)]))
        assert [len(column) for column in renewals(WORLD, spells, past)] == [0, 0, 0]


def versions(world: World, spells: Spells, trial_us: int = -1, **past: Any) -> list[tuple[int, str, float]]:
    """Day since the start, status and revenue of each version."""
    found = subscriptions(world, spells, past_of(world, spells, **past), np.array([trial_us]))
    days = (found["event_time"] // DAY_US - START).tolist()
    return [(d, STATUSES[s], m) for d, s, m in zip(days, found["status"], found["mrr"].tolist(), strict=True)]


class TestSubscriptions:
    YEAR = after(START, 12) - START

    def test_a_customer_who_stays_renews(self) -> None:
        assert versions(WORLD, yearly()) == [(0, "active", TEAM_8), (self.YEAR, "active", TEAM_8)]

    def test_a_trial_comes_before_the_contract_and_pays_nothing(self) -> None:
        found = versions(WORLD, yearly(), trial_us=(START - 14) * DAY_US)
        assert found[:2] == [(-14, "trial", 0.0), (0, "active", TEAM_8)]

    def test_after_a_notice_the_contract_pays_until_it_ends(self) -> None:
        gone: dict[str, Any] = {
            "notice_us": np.array([(START + 300) * DAY_US]),
            "end_day": np.array([START + self.YEAR]),
        }
        found = versions(WORLD, yearly(), ending=np.array([NOTICE]), **gone)
        assert found == [(0, "active", TEAM_8), (300, "notice", TEAM_8), (self.YEAR, "ended", 0.0)]

    def test_who_goes_on_for_nothing_is_active_without_revenue(self) -> None:
        spells = yearly()
        end: dict[str, Any] = {"end_day": np.array([START + self.YEAR])}
        assert versions(WORLD, spells, ending=np.array([FREE]), **end)[-1] == (self.YEAR, "active", 0.0)
        rows = subscriptions(WORLD, spells, past_of(WORLD, spells, ending=np.array([FREE]), **end), np.array([-1]))
        assert PLANS[rows["plan"][-1]] == "free"
        assert rows["term_end"].tolist() == [after(START, 12) * DAY_US, -1]

    def test_more_seats_are_a_version_of_their_own(self) -> None:
        more = (np.array([0]), np.array([(START + 100) * DAY_US]), np.array([8]), np.array([20]))
        assert versions(WORLD, yearly(), grown=[more])[1] == (100, "active", 20 * 36.0)

    def test_an_add_on_costs_its_share_until_it_is_dropped(self) -> None:
        spells = yearly(add_on=np.array([True]))
        dropped = np.array([(START + 50) * DAY_US])
        rows = subscriptions(WORLD, spells, past_of(WORLD, spells, add_on_drop_us=dropped), np.array([-1]))
        add_on = rows["product"] == 1
        assert rows["subscription_id"][add_on].tolist() == [1, 1]
        assert rows["mrr"][add_on].tolist() == [96.0, 0.0]  # 0.3 x 320
        assert [STATUSES[s] for s in rows["status"][add_on]] == ["active", "ended"]


class TestInvoices:
    def test_a_yearly_contract_is_billed_by_the_quarter(self) -> None:
        spells = yearly()
        rows = invoices(WORLD, spells, past_of(WORLD, spells))
        issued = rows["status"] == INVOICE_STATUSES.index("open")
        assert (rows["event_time"][issued] // DAY_US).tolist() == [after(START, months) for months in (0, 3, 6, 9, 12)]
        assert rows["amount"][issued].tolist() == [3 * TEAM_8] * 5
        assert (rows["due_time"][issued] - rows["event_time"][issued]).tolist() == [30 * DAY_US] * 5

    def test_each_is_issued_first_and_paid_or_void_in_the_end(self) -> None:
        spells = spells_of(START, 200)
        rows = invoices(WORLD, spells, past_of(WORLD, spells))
        order = np.lexsort((rows["event_time"], rows["invoice_id"]))
        identity, status = rows["invoice_id"][order], rows["status"][order]
        first, last = np.r_[True, np.diff(identity) != 0], np.r_[np.diff(identity) != 0, True]
        assert first.sum() == 1_000
        assert set(status[first]) == {INVOICE_STATUSES.index("open")}
        assert {INVOICE_STATUSES[code] for code in set(status[last])} == {"paid", "void"}

    def test_as_many_are_late_as_the_health_says(self) -> None:
        spells = spells_of(START, 400)
        rows = invoices(WORLD, spells, past_of(WORLD, spells))
        paid = rows["status"] == INVOICE_STATUSES.index("paid")
        late = (rows["event_time"] > rows["due_time"])[paid].mean()
        # 2,000 bills: three standard deviations of a share of 0.1 are 0.02; a few refused payments are late, too.
        assert late == pytest.approx(p.LATE_PAYER_SHARE[2], abs=0.03)
