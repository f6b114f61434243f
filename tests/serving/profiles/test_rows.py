"""Profiles of a panel: segments by the models, and one profile for each entity that the source knows."""

from __future__ import annotations

from pathlib import Path

from features.kit.clock import to_us
from models.catalog import get_model
from serving.profiles.repository import Profile
from serving.profiles.rows import profiles_of, segment_names
from serving.scoring.repository import Values
from tests.kit.company import at, make_source

AS_OF = at("2024-05-16")
MODELS = [get_model(name) for name in ("churn-risk", "expansion", "lead-fit")]


def test_segments_are_those_of_the_entitys_models_each_once() -> None:
    assert segment_names("account", MODELS) == ["region", "plan", "industry"]
    assert segment_names("lead", MODELS) == ["region", "channel", "industry"]
    assert segment_names("account", []) == []


def test_a_profile_is_made_of_the_source_and_the_signals(tmp_path: Path) -> None:
    account = {"account_id": "a", "event_time": at("2024-01-01"), "name": "Acme", "owner": "Kim"}
    source = make_source(tmp_path, {"accounts": [account, {**account, "account_id": "b", "name": None}]})
    values: list[Values] = [
        {"region": None, "plan": "pro", "employees": 5.0},
        {"region": "emea", "industry": "media", "country": "DE"},
        {},
    ]
    found = profiles_of(source, "account", AS_OF, ["b", "a", "nobody"], values, MODELS)
    assert found == [
        Profile("account", "b", to_us(AS_OF), owner="Kim", segments={"plan": "pro"}),
        Profile(
            "account", "a", to_us(AS_OF), name="Acme", owner="Kim", segments={"region": "emea", "industry": "media"}
        ),
    ]
    assert profiles_of(source, "account", AS_OF, [], [], MODELS) == []


def test_a_parent_that_is_no_id_is_unknown(tmp_path: Path) -> None:
    """An index of Postgres takes no text of 3,000 characters: one such cell would stop the run of everybody."""
    accounts = [{"account_id": n, "event_time": at("2024-01-01"), "parent_id": n * 250} for n in ("a", "long")]
    found = profiles_of(make_source(tmp_path, {"accounts": accounts}), "account", AS_OF, ["a", "long"], [{}, {}], [])
    assert [each.parent_id for each in found] == ["a" * 250, None]
