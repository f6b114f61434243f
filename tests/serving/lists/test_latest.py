"""The list row of an entity is its newest score, and says how it changed between two nights."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from features.kit.clock import DAY_US
from serving.lists import latest
from serving.privacy import repository as privacy
from serving.profiles import repository as profiles
from serving.profiles.repository import Profile
from serving.store.connect import Store
from serving.store.tables import latest_scores
from tests.kit.list_rows import NOW_US, put, record

pytestmark = pytest.mark.both_databases


def row_of(store: Store, entity_id: str = "acme", model: str = "churn-risk") -> dict[str, Any]:
    query = select(latest_scores).where(latest_scores.c.entity_id == entity_id, latest_scores.c.model == model)
    with store.read() as connection:
        return dict(connection.execute(query).mappings().one())


def listed(store: Store) -> list[str]:
    with store.read() as connection:
        return sorted(connection.execute(select(latest_scores.c.entity_id)).scalars())


def test_it_is_the_decision_record_with_its_first_reason_and_what_is_at_stake(store: Store) -> None:
    put(store, [{"entity_id": "acme", "probability": 0.37, "value": 48000.0, "score": 94, "band": "high"}])
    found = row_of(store)
    assert (found["probability"], found["score"], found["band"], found["at_stake"]) == (0.37, 94, "high", 17760.0)
    assert (found["first_theme"], found["first_signal"]) == ("usage", "active_users_change_28d")
    assert found["first_text"] == "12 users were active in the last 28 days, 21 in the 28 days before."
    assert (found["entity"], found["as_of"], found["version"], found["no_score"]) == ("account", NOW_US, 1, None)


def test_no_score_takes_the_numbers_away(store: Store) -> None:
    put(store, [{"entity_id": "acme", "as_of_us": NOW_US - DAY_US}])
    put(store, [{"entity_id": "acme", "no_score": "already_leaving"}])
    found = row_of(store)
    assert found["no_score"] == "already_leaving"
    numbers = ("probability", "score", "band", "at_stake", "change", "first_theme", "first_text")
    assert [found[name] for name in numbers] == [None] * len(numbers)


class TestChange:
    def test_it_is_the_difference_of_two_nights(self, store: Store) -> None:
        for day, score in ((2, 50), (1, 60), (0, 45)):
            put(store, [{"entity_id": "acme", "score": score, "as_of_us": NOW_US - day * DAY_US}])
        assert row_of(store)["change"] == -15

    def test_the_first_night_has_none(self, store: Store) -> None:
        put(store, [{"entity_id": "acme"}])
        assert row_of(store)["change"] is None

    def test_between_two_nights_it_is_against_the_last_one(self, store: Store) -> None:
        put(store, [{"entity_id": "acme", "score": 50, "as_of_us": NOW_US - 10}])
        for score in (70, 65):
            put(store, [{"entity_id": "acme", "score": score, "as_of_us": NOW_US - 9, "cause": "webhook"}])
        assert row_of(store)["change"] == 15
        put(store, [{"entity_id": "acme", "score": 55}])  # and the next night is against the night before
        assert row_of(store)["change"] == 5

    def test_storing_a_night_again_changes_nothing(self, store: Store) -> None:
        put(store, [{"entity_id": "acme", "score": 50, "as_of_us": NOW_US - DAY_US}])
        put(store, [{"entity_id": "acme", "score": 60}])
        before = row_of(store)
        put(store, [{"entity_id": "acme", "score": 60}])
        assert row_of(store) == before

    def test_from_no_score_to_a_score_there_is_none(self, store: Store) -> None:
        put(store, [{"entity_id": "acme", "no_score": "already_leaving", "as_of_us": NOW_US - DAY_US}])
        put(store, [{"entity_id": "acme", "score": 60}])
        assert row_of(store)["change"] is None


class TestOrder:
    def test_an_earlier_score_does_not_replace_a_later_one(self, store: Store) -> None:
        put(store, [{"entity_id": "acme", "score": 60}])
        put(store, [{"entity_id": "acme", "score": 10, "as_of_us": NOW_US - 1, "cause": "webhook"}])
        assert row_of(store)["score"] == 60

    def test_a_score_for_a_moment_after_the_clock_is_not_listed(self, store: Store) -> None:
        put(store, [{"entity_id": "acme", "as_of_us": NOW_US + DAY_US}])
        assert listed(store) == []

    def test_each_model_has_its_own(self, store: Store) -> None:
        put(store, [{"entity_id": "acme", "score": 60}])
        put(store, [{"entity_id": "acme", "score": 10, "band": "low", "model": "expansion"}])
        assert (row_of(store)["score"], row_of(store, model="expansion")["score"]) == (60, 10)


class TestProfile:
    def test_copies_are_those_of_the_profile(self, store: Store) -> None:
        put(store, [{"entity_id": "acme", "name": "ACME Ö", "domain": "acme.com", "owner": "j", "renewal_at": 7}])
        found = row_of(store)
        assert (found["name_key"], found["owner"], found["renewal_at"]) == ("acme ö", "j", 7)
        assert found["search_text"] == " acme ö acme.com"

    def test_a_new_profile_renews_them_at_once_in_every_model(self, store: Store) -> None:
        put(store, [{"entity_id": "acme", "name": "Acme"}])
        put(store, [{"entity_id": "acme", "name": "Acme", "model": "expansion"}])
        with store.write() as connection:
            profiles.put(connection, [Profile("account", "acme", NOW_US + 1, name="Zeta", owner="k")])
        for model in ("churn-risk", "expansion"):
            assert (row_of(store, model=model)["name_key"], row_of(store, model=model)["owner"]) == ("zeta", "k")

    def test_an_older_profile_changes_nothing(self, store: Store) -> None:
        put(store, [{"entity_id": "acme", "name": "Acme"}])
        with store.write() as connection:
            profiles.put(connection, [Profile("account", "acme", NOW_US - 1, name="Zeta")])
        assert row_of(store)["name_key"] == "acme"

    def test_a_lead_of_the_same_id_is_left_alone(self, store: Store) -> None:
        put(store, [{"entity_id": "1", "name": "Acme"}, {"entity_id": "1", "name": "Lead", "model": "lead-fit"}])
        assert row_of(store, "1")["name_key"] == "acme"
        assert row_of(store, "1", "lead-fit")["name_key"] == "lead"


class TestHidden:
    """Who must not be seen is on no list, whatever comes first: the protection, or the score."""

    @pytest.mark.parametrize("protect", [privacy.object_to, privacy.erase])
    def test_a_protection_takes_it_off(self, store: Store, protect: Any) -> None:
        put(store, [{"entity_id": "acme", "name": "Acme"}, {"entity_id": "other"}])
        with store.write() as connection:
            protect(connection, "account", "acme", NOW_US)
        assert listed(store) == ["other"]

    @pytest.mark.parametrize("protect", [privacy.object_to, privacy.erase])
    def test_a_score_that_comes_after_it_is_not_listed(self, store: Store, protect: Any) -> None:
        with store.write() as connection:
            protect(connection, "account", "acme", NOW_US)
        put(store, [{"entity_id": "acme"}, {"entity_id": "other"}])
        assert listed(store) == ["other"]

    def test_an_objection_taken_back_is_listed_with_the_next_score(self, store: Store) -> None:
        with store.write() as connection:
            privacy.object_to(connection, "account", "acme", NOW_US)
            privacy.allow(connection, "account", "acme", NOW_US)
        put(store, [{"entity_id": "acme"}])
        assert listed(store) == ["acme"]

    def test_retention_takes_off_what_nobody_scored_since(self, store: Store) -> None:
        put(store, [{"entity_id": "old", "as_of_us": NOW_US - DAY_US}, {"entity_id": "new"}])
        with store.write() as connection:
            done = privacy.forget_before(connection, NOW_US)
        assert listed(store) == ["new"]
        assert done["latest_scores"] == 1


def test_the_sabotaged_twin_without_a_look_at_protections_it_is_listed(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(latest, "not_to_score", lambda *_: set())
    with store.write() as connection:
        privacy.object_to(connection, "account", "acme", NOW_US)
    put(store, [{"entity_id": "acme"}])
    assert listed(store) == ["acme"]


def test_the_row_of_an_older_record_is_read_too() -> None:
    """Its reasons are an empty list where there is no score."""
    assert latest.row(record("acme", no_score="already_leaving"))["first_text"] is None
