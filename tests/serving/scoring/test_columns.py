"""Rows scored as columns are what each record gives alone, to the bit."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from features.kit.errors import BadInput
from models.catalog import get_model
from models.champion_pointer import Pointer
from models.population import EVERYBODY, Population, where
from serving.champion import Champion
from serving.scoring import columns
from serving.scoring.columns import eligibility_of, require_populations, score_columns, stakes, stored_rows
from serving.scoring.rows import at_stake, signal_rows
from tests.kit.company import make_source
from tests.kit.scored_panels import AS_OF, make_panel, one_by_one, put_live
from tests.kit.scorers import make_scorer


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def champions(home: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Champion, Champion]:
    folder = tmp_path_factory.mktemp("scorers")
    return put_live(home, folder / "one", 1), put_live(home, folder / "two", 2, seed=7)


class TestTable:
    def test_rows_for_the_store_equal_single_scores(self, champions: tuple[Champion, Champion]) -> None:
        panel, quiet = make_panel(AS_OF), {"acc_00007"}
        values = signal_rows(panel)
        found = score_columns(champions[0], panel, 5, quiet).rows(champions[0], values)
        assert found == one_by_one(champions[0], panel, 5, quiet)

    def test_amounts_near_half_a_cent_are_rounded_as_python_does(self, monkeypatch: pytest.MonkeyPatch) -> None:
        rng = np.random.default_rng(0)
        p = np.concatenate([np.full(4_000, 0.5), rng.random(4_000)])
        value = np.concatenate([np.round(rng.lognormal(4, 2, 4_000), 2), rng.lognormal(8, 6, 4_000)])
        expected = [at_stake(a, b) for a, b in zip(p.tolist(), value.tolist(), strict=True)]
        assert stakes(p, value).tolist() == expected
        monkeypatch.setattr(columns, "HALF", 0.0)  # the sabotaged twin
        assert stakes(p, value).tolist() != expected


NOW = dt.datetime(2026, 3, 1, 6, tzinfo=dt.UTC)
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


class TestPanel:
    def test_a_source_without_the_population_signal_is_refused(self, champion: Champion) -> None:
        panel = pa.table({"entity_id": ["a"], "eligibility": ["eligible"], "value": [1.0]})
        with pytest.raises(
            BadInput,
            match=r"field population, plan: the source does not offer the signal. Rule: version 3 is for those of whom plan is pro",
        ):
            eligibility_of(champion, panel)

    def test_populations_are_checked_before_anything_is_scored(
        self, champion: Champion, for_all: Champion, tmp_path: Path
    ) -> None:
        rows = [{"account_id": name, "event_time": NOW - dt.timedelta(days=9), "industry": "retail"} for name in "ab"]
        source = make_source(tmp_path, {"accounts": rows})
        lead = replace(champion, definition=get_model("lead-fit"))
        require_populations(source, [for_all, lead])  # the twins: for everybody; of an entity that is not there
        with pytest.raises(
            BadInput, match=r"for the live models: 1 fault\n.*models/churn_risk.py, field population, plan"
        ):
            require_populations(source, [for_all, champion, lead])

    def test_signals_and_who_gets_a_score_are_kept_together(self, champion: Champion, for_all: Champion) -> None:
        columns = {
            "entity_id": ["a", "b", "c"],
            "eligibility": ["eligible", "eligible", "internal"],
            "value": [1.0] * 3,
        }
        panel = pa.table({**columns, "plan": ["pro", None, "pro"]})
        other = replace(for_all, definition=replace(for_all.definition, name="other"))
        rows, own = stored_rows(panel, signal_rows(panel), NOW, [champion, other], "run")
        assert [row["eligibility"] for row in rows] == columns["eligibility"]
        assert [(r["model"], r["entity_id"], r["code"]) for r in own] == [
            ("churn-risk", "a", "eligible"),
            ("churn-risk", "b", "outside_population"),
            ("churn-risk", "c", "internal"),
            ("other", "a", "eligible"),
            ("other", "b", "eligible"),
            ("other", "c", "internal"),
        ]
