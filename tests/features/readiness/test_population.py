"""How many entities the populations of models have, and whom two of them share."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from features.kit.errors import BadInput
from features.readiness.population import is_readable, members, population_lines
from features.sources.source import Source
from models.catalog import MODELS
from models.population import where
from tests.kit.company import at, make_source

EVERYBODY = MODELS["churn-risk"]
LARGE = replace(EVERYBODY, name="churn-large", population=where("employees").at_least(100))
SMALL = replace(EVERYBODY, name="churn-small", population=where("employees").at_most(99))
NOBODY = replace(EVERYBODY, name="churn-none", population=where("employees").at_least(10_000))
UNREADABLE = replace(EVERYBODY, name="churn-usage", population=where("events_28d").at_least(1))


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    """Three eligible accounts of 10, 100 and an unknown number of employees, and one of our own."""
    sizes: dict[str, dict[str, Any]] = {
        "a": {"employees": 10},
        "b": {"employees": 100},
        "c": {},
        "own": {"kind": "internal"},
    }
    when = at("2024-01-01")
    contracts = [
        {"subscription_id": name, "account_id": name, "event_time": when, "status": "active", "mrr": 1.0}
        for name in sizes
    ]
    accounts = [{"account_id": name, "event_time": when, **more} for name, more in sizes.items()]
    return make_source(tmp_path_factory.mktemp("company"), {"accounts": accounts, "subscriptions": contracts})


def test_members_are_eligible_and_in_the_population(source: Source) -> None:
    found = members(source, [EVERYBODY, LARGE, SMALL])
    assert found.eligible == 3
    assert {name: found.count(name) for name in found.inside} == {"churn-risk": 3, "churn-large": 1, "churn-small": 1}
    assert sorted(found.ids[found.inside["churn-large"]]) == ["b"]


def test_shared_counts_pairs_with_somebody_in_common(source: Source) -> None:
    found = members(source, [EVERYBODY, LARGE, SMALL])
    assert found.shared() == {("churn-risk", "churn-large"): 1, ("churn-risk", "churn-small"): 1}


def test_lines_say_how_many_and_who_cannot_go_live_beside_whom(source: Source) -> None:
    found = list(population_lines(source, [EVERYBODY, LARGE, NOBODY]))
    counted = {line.model: (line.severity, line.rows) for line in found if not line.gate}
    assert counted == {"churn-large": ("info", 1), "churn-none": ("weakens", 0)}
    shared = {line.model: line.found for line in found if line.gate}
    assert shared == {
        "churn-risk": "1 of 3 eligible accounts are also of churn-large (employees is at least 100)",
        "churn-large": "1 of 3 eligible accounts are also of churn-risk (everybody)",
    }


def test_one_model_for_everybody_needs_no_line(source: Source) -> None:
    assert list(population_lines(source, [EVERYBODY])) == []


def test_a_population_over_what_is_not_there_has_no_line_here(source: Source) -> None:
    assert not is_readable(source, UNREADABLE)
    assert list(population_lines(source, [UNREADABLE])) == []
    with pytest.raises(BadInput, match="events_28d"):
        members(source, [UNREADABLE])
