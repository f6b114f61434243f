"""How health shows: tickets and people who leave follow the state of their own week."""

from __future__ import annotations

import numpy as np
import pytest

from features.kit.clock import DAY_US
from features.simulate import parameters as p
from features.simulate.buyers import NEVER
from features.simulate.signs import TICKET_STATUSES, People, account_touches, contacts, tickets
from tests.kit.simulated import past_of, spells_of, world_of

WORLD = world_of()
SPELLS = spells_of(WORLD.start_day + 30, 300)
PAST = past_of(WORLD, SPELLS)


class TestTickets:
    def test_each_is_opened_then_answered_then_closed(self) -> None:
        rows = tickets(WORLD, SPELLS, PAST)
        order = np.lexsort((rows["event_time"], rows["ticket_id"]))
        identity, status = rows["ticket_id"][order], rows["status"][order]
        first, last = np.r_[True, np.diff(identity) != 0], np.r_[np.diff(identity) != 0, True]
        assert first.sum() > 500
        assert {TICKET_STATUSES[code] for code in status[first]} == {"open"}
        assert {TICKET_STATUSES[code] for code in status[last]} == {"closed"}
        second = np.flatnonzero(first) + 1
        assert {TICKET_STATUSES[code] for code in status[second]} == {"pending"}

    def test_there_are_as_many_as_the_rate_of_the_health_says(self) -> None:
        rows = tickets(WORLD, SPELLS, PAST)
        opened = int((rows["status"] == 0).sum())
        weeks = int((PAST.health >= 0).sum())
        expected = weeks * p.TICKET_RATE[2]  # eight seats: the factor is 1
        # Four standard deviations of a Poisson number, and the first week, which is not whole.
        assert abs(opened - expected) < 4 * np.sqrt(expected) + 300 * p.TICKET_RATE[2]

    def test_nobody_opens_one_before_the_contract_or_after_its_end(self) -> None:
        end = np.full(300, WORLD.start_day + 130)
        rows = tickets(WORLD, SPELLS, past_of(WORLD, SPELLS, end_day=end))
        opened = rows["event_time"][rows["status"] == 0]
        assert opened.min() >= SPELLS.start_us[0]
        assert opened.max() < end[0] * DAY_US

    def test_worse_health_has_more_of_them(self) -> None:
        failing = past_of(WORLD, SPELLS, health=np.where(PAST.health >= 0, 4, -1).astype(np.int8))
        more, fewer = (len(tickets(WORLD, SPELLS, past)["ticket_id"]) for past in (failing, PAST))
        assert more > fewer * 1.2


class TestPeople:
    people = People(
        account=np.array([0, 0, 2]),
        number=np.array([10, 11, 12]),
        joined_us=np.array([0, 0, 500]),
        left_us=np.array([100, NEVER, NEVER]),
    )

    @pytest.mark.parametrize(
        ("account", "us", "expected"),
        [(0, 50, {10, 11}), (0, 100, {11, -1}), (1, 50, {-1}), (2, 500, {-1}), (2, 501, {12})],
    )
    def test_somebody_of_the_account_who_is_there_at_that_time(self, account: int, us: int, expected: set[int]) -> None:
        found = self.people.somebody(np.random.default_rng(0), np.full(200, account), np.full(200, us))
        assert set(found.tolist()) == expected

    def test_an_account_without_anybody_has_nobody(self) -> None:
        none = np.zeros(0, np.int64)
        people = People(none, none, none, none)
        assert people.somebody(np.random.default_rng(0), np.array([0, 1]), np.array([5, 5])).tolist() == [-1, -1]


class TestContacts:
    def test_every_account_that_entered_has_somebody_from_its_first_day(self) -> None:
        entered = SPELLS.start_us.copy()
        entered[7] = WORLD.end_us
        people, rows = contacts(WORLD, SPELLS, PAST, entered)
        assert set(people.account) == set(range(300)) - {7}
        first = np.r_[True, np.diff(people.account) != 0]
        assert people.joined_us[first].tolist() == entered[entered < WORLD.end_us].tolist()
        gone = rows["has_left"] == 1
        assert gone.sum() == (people.left_us < NEVER).sum() > 0
        joined_of = dict(zip(people.number.tolist(), people.joined_us.tolist(), strict=True))
        assert all(
            us >= joined_of[who]
            for who, us in zip(rows["contact_id"][gone].tolist(), rows["event_time"][gone].tolist(), strict=True)
        )

    def test_a_touch_of_a_customer_names_only_people_who_are_there(self) -> None:
        people, _ = contacts(WORLD, SPELLS, PAST, SPELLS.start_us)
        rows = account_touches(WORLD, SPELLS, PAST, people)
        named = rows["contact_id"] >= 0
        assert named.any()
        place = np.argsort(people.number)[rows["contact_id"][named]]
        assert (people.account[place] == rows["account_id"][named]).all()
        assert (people.joined_us[place] < rows["event_time"][named]).all()
        assert (rows["event_time"][named] < people.left_us[place]).all()
