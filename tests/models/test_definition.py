"""A model's definition: what follows from its outcome, and every fault of its fields at once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from features.kit.errors import BadInput
from features.outcomes.expansion import EXPANSION
from models.catalog import MODELS, get_model
from models.condition import Condition
from models.definition import RESERVED, BadModel, Model
from models.population import Population


def narrowed(population: Population, **more: object) -> Model:
    # Two themes: what these tests are about is the rows.
    return replace(get_model("churn-risk"), population=population, themes=("firmographic", "commercial"), **more)  # type: ignore[arg-type]


class TestModel:
    @pytest.mark.parametrize("outcome", [{}, {"outcome": None}, {"outcome": "left"}], ids=str)
    def test_without_an_outcome_it_does_not_load(self, outcome: dict[str, Any]) -> None:
        with pytest.raises(BadModel) as refused:
            Model(name="up-sell", title="Up", **outcome)
        (fault,) = refused.value.faults
        assert fault.where == "models/up_sell.py, field outcome"
        assert "CHURN, CONVERSION, EXPANSION" in fault.next_step

    def test_every_fault_is_told_at_once(self) -> None:
        wrong: dict[str, Any] = {
            "name": "Up Sell",
            "title": " ",
            "outcome": "left",
            "horizon_days": -1,
            "exclude": "plan",
            "themes": ("usages",),
            "bands": (("high", 90),),
            "grid_days": 0,
            "capacity_share": 10,
            "holdout_share": -0.1,
        }
        with pytest.raises(BadModel) as refused:
            Model(**wrong)
        assert [fault.where.rpartition(" ")[2] for fault in refused.value.faults] == list(wrong)

    @pytest.mark.parametrize("name", RESERVED)
    def test_a_word_of_the_paths_of_api_and_page_is_no_name(self, name: str) -> None:
        with pytest.raises(BadModel) as refused:
            Model(name=name, title="Up", outcome=EXPANSION)
        (fault,) = refused.value.faults
        assert fault.where == f"models/{name.replace('-', '_')}.py, field name"
        assert f"/v1/{name} of the API or /ui/{name} of the page is something else" in fault.rule

    def test_entity_words_sign_and_horizon_are_the_outcomes(self) -> None:
        model = Model(name="up-sell", title="Up", outcome=EXPANSION)
        assert (model.entity, model.verb, model.crowd, model.sign) == ("account", "expanded", "accounts", 1)
        assert model.horizon_days == EXPANSION.horizon_days
        assert replace(model, horizon_days=30).horizon_days == 30


class TestBands:
    def test_bands_cover_every_percentile(self) -> None:
        for model in MODELS.values():
            assert {model.band_of(p) for p in range(1, 101)} == {name for name, _ in model.bands}


class TestLeadDays:
    def test_a_horizon_that_ends_before_the_renewal_is_no_model(self) -> None:
        with pytest.raises(BadModel, match=r"field lead_days: it is 85\. Rule: 0\.\.83"):
            replace(get_model("churn-risk"), lead_days=85)


class TestPopulation:
    def test_a_model_file_with_a_fault_does_not_load(self) -> None:
        with pytest.raises(BadInput, match=r"models/churn_risk.py, field population, plan: no value"):
            narrowed(Population((Condition("plan", "in"),)))
