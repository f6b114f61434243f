"""Sums of a list are those of its rows, added up one by one: the same on both databases, and without who may not be shown."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest
from sqlalchemy import insert

from features.kit.clock import DAY_US, from_us
from models.catalog import get_model
from serving.audit_log.entry import Command
from serving.lists import repository, summary
from serving.lists.filters import read
from serving.lists.summary import Summary, Sums
from serving.notes import repository as notes
from serving.notes.repository import Note
from serving.overrides import repository as overrides
from serving.overrides.repository import Override
from serving.privacy import repository as privacy
from serving.privacy.cache import Directives
from serving.store.connect import Store
from serving.store.listed import forget_listed
from serving.store.tables import latest_scores
from tests.kit.list_rows import NOW_US, put

pytestmark = pytest.mark.both_databases
CHURN, LEADS = get_model("churn-risk"), get_model("lead-fit")
JANE = Command("key:1", "jane", "person")


def made(count: int) -> list[dict[str, Any]]:
    rng = random.Random(5)
    rows = []
    for n in range(count):
        row: dict[str, Any] = {"entity_id": f"a/{n:03d}", "value": rng.choice((None, 1000.0 * n))}
        row["segments"] = {"region": rng.choice(("emea", "amer")), "plan": f"plan {n % 15}"}
        if n % 11 == 0:
            del row["segments"]["region"]
        row["renewal_at"] = rng.choice((None, NOW_US + rng.randint(-40, 500) * DAY_US + 1))
        if n % 7 == 0:
            row["no_score"] = "not_customer"
        else:
            row |= {
                "probability": rng.random(),
                "score": rng.randint(1, 100),
                "theme": rng.choice(("usage", "billing")),
            }
            row["band"] = rng.choice(("high", "medium", "low"))
        rows.append(row)
    return rows


@pytest.fixture
def filled(store: Store) -> Store:
    rows = made(200)
    before = [{**row, "as_of_us": NOW_US - DAY_US, "score": 50} for row in rows if "score" in row]
    put(store, before)
    put(store, rows)
    put(store, [{"entity_id": f"l/{n}", "model": "lead-fit", "probability": 0.25, "band": "high"} for n in range(4)])
    return store


def summed(store: Store, model: Any = CHURN, now_us: int = NOW_US) -> Summary:
    with store.read() as connection:
        return summary.summary(connection, model, Directives.load(connection, now_us), now_us)


def listed(store: Store, **filters: Any) -> list[Any]:
    """The rows of the list that a link with these filters shows."""
    pairs = [(name.replace("__", "."), each) for name, given in filters.items() for each in given.split(",")]
    query = read(CHURN, pairs, ["region", "plan"]).query
    with store.read() as connection:
        return repository.page(connection, query, None, 1_000, NOW_US).rows


def added(rows: list[Any]) -> Sums:
    return Sums(
        len(rows),
        sum(row["probability"] for row in rows),
        sum(row["value"] or 0.0 for row in rows),
        sum(row["at_stake"] or 0.0 for row in rows),
    )


def same(found: Sums, rows: list[Any]) -> bool:
    expected = added(rows)
    pairs = zip(vars(found).values(), vars(expected).values(), strict=True)
    return found.count > 0 and all(one == pytest.approx(other, abs=1e-6) for one, other in pairs)


SCORED = "high,medium,low"


class TestSums:
    def test_each_band_is_the_rows_of_its_list(self, filled: Store) -> None:
        found = summed(filled)
        assert list(found.bands) == ["high", "medium", "low"]
        for band, sums in found.bands.items():
            assert same(sums, listed(filled, band=band))
        assert same(found.total, listed(filled, band=SCORED))
        assert found.without == {"not_customer": len(listed(filled, no_score="not_customer"))}
        assert found.rows == 200

    def test_each_month_is_the_rows_of_its_list(self, filled: Store) -> None:
        found = summed(filled)
        assert len(found.months) > 12
        months = [month for month in found.months if month is not None]
        assert months == sorted(months)
        for month in months:
            year, number = int(month[:4]), int(month[5:])
            after = f"{year + number // 12}-{number % 12 + 1:02d}-01"
            rows = listed(filled, band=SCORED, renewal_from=f"{month}-01", renewal_before=after)
            assert same(found.months[month], rows), month
        assert same(found.months[None], listed(filled, band=SCORED, renewal_known="no"))

    def test_months_are_those_of_the_calendar_in_utc(self, store: Store) -> None:
        last, first = 1_775_001_599_999_999, 1_775_001_600_000_000
        assert [f"{from_us(us):%Y-%m-%d}" for us in (last, first)] == ["2026-03-31", "2026-04-01"]
        put(store, [{"entity_id": str(us), "renewal_at": us} for us in (last, first)])
        assert {month: sums.count for month, sums in summed(store).months.items()} == {
            "2026-03": 1,
            "2026-04": 1,
        }

    def test_each_value_of_a_segment_is_the_rows_of_its_list(self, filled: Store) -> None:
        found = summed(filled).segments
        assert list(found) == ["region", "plan"], "in the order of the model"
        for column, segment in found.items():
            for value, sums in segment.values.items():
                assert same(sums, listed(filled, band=SCORED, **{f"segment__{column}": value})), value
            stakes = [sums.at_stake for sums in segment.values.values()]
            assert stakes == sorted(stakes, reverse=True)

    def test_many_values_are_one_and_unknown_ones_are_told_apart(self, filled: Store) -> None:
        found = summed(filled)
        plan, region = found.segments["plan"], found.segments["region"]
        assert (len(plan.values), plan.more) == (summary.MOST_VALUES, 5)
        assert sum(each.count for each in plan.values.values()) + plan.others.count == found.total.count
        assert plan.unknown.count == 0
        known = sum(each.count for each in region.values.values())
        assert (region.more, region.unknown.count) == (0, found.total.count - known)
        assert region.unknown.count > 0

    def test_themes_and_moves(self, filled: Store) -> None:
        found = summed(filled)
        rows = listed(filled, band=SCORED)
        by_theme = Counter((row["first_theme"], row["band"]) for row in rows)
        assert {(theme, band): n for theme, each in found.themes.items() for band, n in each.items()} == dict(by_theme)
        moved = listed(filled, changed_by=str(summary.MOVED))
        assert found.risen == sum(row["change"] > 0 for row in moved) > 0
        assert found.fallen == sum(row["change"] < 0 for row in moved) > 0

    def test_models_do_not_mix_and_leads_have_no_renewals(self, filled: Store) -> None:
        found = summed(filled, LEADS)
        assert (found.total.count, found.total.expected) == (4, 1.0)
        assert (found.months, found.segments) == ({}, {})

    def test_an_empty_list_is_zeros(self, store: Store) -> None:
        found = summed(store)
        assert (found.rows, found.total) == (0, Sums())
        assert list(found.bands) == ["high", "medium", "low"]

    def test_a_band_of_an_earlier_version_is_counted(self, store: Store) -> None:
        put(store, [{"entity_id": "a", "band": "lukewarm"}])
        assert summed(store).bands["lukewarm"].count == 1


def act(store: Store, *told: tuple[str, str, str, int], known_at: int = NOW_US - DAY_US) -> None:
    """Notes: entity, kind, word, day of the event before now."""
    made = [
        Note(f"{n}", kind, "account", entity_id, word, NOW_US - days * DAY_US, known_at, "us", None)
        for n, (entity_id, kind, word, days) in enumerate(told)
    ]
    with store.write() as connection:
        notes.put(connection, made)


class TestWork:
    def test_acted_upon_is_what_the_list_finds(self, filled: Store) -> None:
        act(filled, ("a/001", "action", "call", 5), ("a/001", "action", "call", 4), ("a/002", "action", "mail", 3))
        put(filled, [{"entity_id": "a/003", "band": "high", "acted_at": NOW_US - DAY_US}])
        found = summed(filled)
        rows = listed(filled, band=SCORED, acted="yes")
        assert len(rows) == 3
        assert found.acted == dict(Counter(row["band"] for row in rows))

    def test_what_came_of_it_counts_outcomes_after_the_first_action(self, filled: Store) -> None:
        act(
            filled,
            ("a/001", "action", "call", 9),
            ("a/001", "action", "mail", 2),
            ("a/001", "outcome", "churned", 5),
            ("a/002", "outcome", "churned", 9),
            ("a/002", "action", "call", 5),
            ("a/003", "outcome", "churned", 5),
        )
        work = summed(filled).work
        assert work.actions == {"call": 2, "mail": 1}
        assert work.outcomes == {"churned": 3}
        assert (work.acted, work.after) == (2, {"churned": 1})

    def test_what_was_told_long_ago_or_is_of_leads_is_not_counted(self, filled: Store) -> None:
        act(filled, ("a/001", "action", "call", 200), known_at=NOW_US - (summary.WORK_DAYS + 1) * DAY_US)
        assert summed(filled).work.actions == {}
        act(filled, ("a/002", "action", "call", 5))
        assert summed(filled).work.actions == {"call": 1}
        assert summed(filled, LEADS).work.actions == {}

    def test_overrides_that_hold_of_listed_ones(self, filled: Store) -> None:
        with filled.write() as connection:
            for n, (entity_id, until) in enumerate(
                (("a/001", None), ("a/002", NOW_US + 1), ("a/003", NOW_US), ("gone", None))
            ):
                override = Override("churn-risk", "account", entity_id, "low", "x", "jane", n, until)
                overrides.put(connection, override)
        assert summed(filled).overrides == {"low": 2}
        assert len(listed(filled, overridden="yes")) == 2


class TestWhoMayNotBeShown:
    """Erased, objecting and deleted entities do not count, in no sum."""

    def hide(self, store: Store, how: str) -> None:
        with store.write() as connection:
            if how == "objected":
                privacy.object_to(connection, "account", "a/001", NOW_US, by=JANE)
            elif how == "erased":
                privacy.erase(connection, "account", "a/001", NOW_US, by=JANE)
            else:
                forget_listed(connection, "account", ["a/001"])

    @pytest.mark.parametrize("how", ["objected", "erased", "deleted"])
    def test_they_leave_every_sum(self, filled: Store, how: str) -> None:
        act(filled, ("a/001", "action", "call", 5), ("a/001", "outcome", "churned", 4))
        with filled.write() as connection:
            overrides.put(connection, Override("churn-risk", "account", "a/001", "low", "x", "jane", 1, None))
        before = summed(filled)
        (gone,) = [row for row in listed(filled, band=SCORED) if row["entity_id"] == "a/001"]
        self.hide(filled, how)
        after = summed(filled)
        assert after.total.count == before.total.count - 1
        assert after.total.expected == pytest.approx(before.total.expected - gone["probability"])
        assert sum(each.count for each in after.months.values()) == after.total.count
        assert sum(each.count for each in after.segments["plan"].values.values()) < before.total.count
        assert (after.acted, after.overrides) == ({}, {})
        if how != "deleted":  # what was told of it stays true of an account that is deleted in the CRM
            assert (after.work.actions, after.work.outcomes, after.work.acted) == ({}, {}, 0)

    def test_the_sabotaged_twin_notes_of_an_objector_would_count_without_the_check(
        self, filled: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        act(filled, ("a/001", "action", "call", 5))
        self.hide(filled, "objected")
        assert summed(filled).work.actions == {}
        monkeypatch.setattr(Directives, "may_not_score", lambda *_: False)
        assert summed(filled).work.actions == {"call": 1}


def test_a_row_without_a_profile_is_in_the_totals_and_of_no_known_segment(store: Store) -> None:
    put(store, [{"entity_id": "a", "segments": {"plan": "team"}}, {"entity_id": "b"}])
    with store.write() as connection:
        row = dict(connection.execute(latest_scores.select().limit(1)).mappings().one())
        connection.execute(insert(latest_scores), [{**row, "entity_id": "c"}])
    found = summed(store)
    assert found.total.count == 3
    assert (found.segments["plan"].values["team"].count, found.segments["plan"].unknown.count) == (1, 2)
