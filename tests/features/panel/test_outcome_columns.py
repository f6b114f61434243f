"""A panel tells who is eligible for each outcome that is asked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from features.outcomes.expansion import EXPANSION
from features.outcomes.outcome import ELIGIBLE
from features.panel.build import build_panel
from features.panel.outcome_columns import eligibility_of
from features.sources.source import Source
from tests.kit.company import at, make_source

AS_OF, HORIZON = "2024-03-01", 90
"""The window ends on 2024-05-30."""


def contract(number: int, *versions: tuple[str, str, float]) -> list[dict[str, Any]]:
    return [
        {"subscription_id": f"s{number}", "account_id": "a", "event_time": at(when), "status": status, "mrr": mrr}
        for when, status, mrr in versions
    ]


def company(folder: Path, *contracts: list[dict[str, Any]], end: str = "2025-01-01") -> Source:
    rows: dict[str, Any] = {
        "accounts": [{"account_id": "a", "event_time": at("2023-01-01")}],
        "subscriptions": [row for rows in contracts for row in rows],
        "usage": [{"account_id": "a", "event_time": at(end)}],
    }
    return make_source(folder, rows)


START = ("2023-06-01", "active", 100.0)


class TestEligibility:
    def test_a_panel_tells_it_for_each_outcome(self, tmp_path: Path) -> None:
        from features.kit.errors import UserMistake
        from features.outcomes.churn import CHURN
        from features.outcomes.conversion import CONVERSION

        source = company(tmp_path, contract(1, START, ("2024-02-01", "notice", 100.0)))
        some = replace(EXPANSION, name="another", not_eligible=())
        panel = build_panel(source, "account", [at(AS_OF)], only=[], outcomes=[CHURN, EXPANSION, some])
        told = [eligibility_of(panel, each).to_pylist() for each in (CHURN, EXPANSION, some)]
        assert told == [["already_leaving"], ["already_leaving"], [ELIGIBLE]]
        usual = build_panel(source, "account", [at(AS_OF)], only=[])
        assert usual.column_names == ["entity_id", "as_of", "eligibility", "value"]
        with pytest.raises(UserMistake, match="for churn, not for expansion"):
            eligibility_of(usual, EXPANSION)
        with pytest.raises(UserMistake, match="conversion: no outcome of the entity 'account'"):
            build_panel(source, "account", [at(AS_OF)], only=[], outcomes=[CONVERSION])
