"""Who may ask the rules: a model, or an outcome by its name with the usual figures."""

from __future__ import annotations

import importlib.util

import pytest

from features.kit.errors import UserMistake
from features.outcomes.asked import AskedOutcome, Usual, get_asked, installed_models
from features.outcomes.churn import CHURN
from features.signals.signal import THEMES
from models.catalog import MODELS


class TestGetAsked:
    def test_a_model_is_found_by_its_name_with_hyphen_or_underscore(self) -> None:
        assert get_asked("churn-risk", MODELS) is get_asked("churn_risk", MODELS) is MODELS["churn-risk"]

    def test_an_outcome_asks_for_itself(self) -> None:
        found = get_asked("churn", MODELS)
        assert found == AskedOutcome(CHURN)
        assert (found.name, found.entity, found.horizon_days) == ("churn", "account", 90)
        assert (found.themes, found.gates, found.population) == (THEMES, Usual(60, 200), None)

    def test_another_name_is_refused_with_those_there_are(self) -> None:
        with pytest.raises(
            UserMistake, match="no model or outcome 'fraud': a model is one of none, an outcome one of churn"
        ):
            get_asked("fraud", {})


class TestInstalledModels:
    def test_they_are_those_of_the_catalog(self) -> None:
        assert installed_models() is MODELS

    def test_without_models_every_outcome_asks_for_itself(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
        assert {name: asked.name for name, asked in installed_models().items()} == {
            name: name for name in ("churn", "conversion", "expansion")
        }
