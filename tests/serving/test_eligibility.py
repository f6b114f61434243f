"""Who gets a score of a model that is for a part of the accounts, by what a request brings and what is stored."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from msgspec import UNSET

from features.kit.clock import to_us
from features.outcomes.expansion import EXPANSION
from models.catalog import get_model
from models.champion_pointer import Pointer
from models.population import EVERYBODY, Population, where
from serving.champion import Champion
from serving.scoring.repository import StoredSignals
from serving.scoring.request_parser import parse
from serving.scoring.service import Terms, score
from tests.kit.scorers import make_scorer

NOW = dt.datetime(2026, 3, 1, 6, tzinfo=dt.UTC)
NOW_US = to_us(NOW)
PRO = where("plan").is_in("pro")


def champion_of(folder: Path, population: Population, **more: Any) -> Champion:
    definition = replace(get_model("churn-risk"), population=population, **more)
    scorer = make_scorer(folder, definition=definition, n=600)
    return Champion(definition, Pointer("churn-risk", 3, scorer.sha256, Path(), "2026-01-01"), scorer)


@pytest.fixture(scope="module")
def champion(tmp_path_factory: pytest.TempPathFactory) -> Champion:
    """It reads the plan for its population, and not as an input."""
    return champion_of(tmp_path_factory.mktemp("scorer") / "pro", PRO)


@pytest.fixture(scope="module")
def for_all(tmp_path_factory: pytest.TempPathFactory) -> Champion:
    return champion_of(tmp_path_factory.mktemp("scorer") / "all", EVERYBODY)


def kept(plan: str | None, usual: str = "eligible", own: str | None = None) -> dict[str, StoredSignals]:
    values = {"number_0": 1.5, "word_0": "beta", "plan": plan}
    return {"acme": StoredSignals(NOW_US, usual, 1000.0, values, None, own)}  # type: ignore[arg-type]


def code(champion: Champion, body: str, rows: dict[str, StoredSignals] | None = None) -> tuple[str | None, str]:
    records, reasons = parse(body.encode())
    answer = score(champion, records, reasons, rows or {}, Terms(NOW_US)).answer
    if answer.errors:
        return answer.errors[0].code, str(answer.errors[0].faults[0].found)
    (result,) = answer.results
    assert (result.probability is UNSET) == (result.no_score is not UNSET)
    return (None, "") if result.no_score is UNSET else (result.no_score.code, result.no_score.detail)


class TestAnswer:
    ASK = '{"records": [{"entity_id": "acme"}]}'

    def test_stored_signals_decide_the_population(self, champion: Champion, for_all: Champion) -> None:
        assert code(champion, self.ASK, kept("pro"))[0] is None
        outside = ("outside_population", "The model is for those of whom plan is pro.")
        assert code(champion, self.ASK, kept("free")) == outside
        assert code(champion, self.ASK, kept(None)) == (outside[0], outside[1][:-1] + "; plan is not known.")
        assert code(for_all, self.ASK, kept("free"))[0] is None  # the twin: for everybody

    def test_the_outcome_decides_before_the_population(self, champion: Champion) -> None:
        assert code(champion, self.ASK, kept("free", "not_customer"))[0] == "not_customer"
        assert code(champion, self.ASK, kept("free", "eligible", "already_leaving"))[0] == "already_leaving"

    def test_the_population_of_the_live_version_decides(self, champion: Champion, for_all: Champion) -> None:
        """What was stored for another version's population does not hold for this one."""
        assert code(champion, self.ASK, kept("pro", own="outside_population"))[0] is None
        assert code(champion, self.ASK, kept("free", own="eligible"))[0] == "outside_population"
        assert code(for_all, self.ASK, kept("free", own="outside_population"))[0] is None

    def test_signals_laid_over_the_stored_ones_decide_the_population(self, champion: Champion) -> None:
        ask = '{"records": [{"entity_id": "acme", "signals": {"plan": "%s"}}]}'
        assert code(champion, ask % "pro", kept("free"))[0] is None
        assert code(champion, ask % "free", kept("pro"))[0] == "outside_population"

    def test_signals_of_the_request_decide_the_population(self, champion: Champion, for_all: Champion) -> None:
        ask = '{"records": [{"signals": {"number_0": 1.0%s}}]}'
        assert code(champion, ask % ', "plan": "pro"')[0] is None
        assert code(champion, ask % ', "plan": "free"')[0] == "outside_population"
        assert code(champion, ask % "") == (
            "outside_population",
            "The model is for those of whom plan is pro; plan is not known.",
        )
        # The twin: a signal that neither the scorer nor its population reads is still a fault.
        assert code(for_all, ask % ', "plan": "pro"') == ("bad_signals", "no such signal")
        assert code(champion, ask % ', "plam": "pro"') == ("bad_signals", "no such signal")

    def test_a_population_signal_of_the_wrong_type_is_a_fault(self, champion: Champion) -> None:
        body = '{"records": [{"signals": {"number_0": 1.0, "plan": 3}}]}'
        assert code(champion, body) == ("bad_signals", "a number")

    def test_eligibility_of_the_usual_outcome_does_not_count_for_another_one(self, tmp_path: Path) -> None:
        other = champion_of(tmp_path / "s", EVERYBODY, outcome=EXPANSION)
        assert code(other, self.ASK, kept("pro"))[0] == "unknown_entity"
        assert code(other, self.ASK, kept("pro", "not_customer", own="eligible"))[0] is None
