"""A model that is for a part of the eligible: whom it learns from, what it says of that, and what its artefact keeps."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pytest

from features.kit.errors import BadInput
from features.readiness.labelled_rows import labelled_rows, observed
from features.simulate import simulate
from features.sources.loader import open_source
from features.sources.source import Source
from models.catalog import get_model
from models.condition import Condition
from models.definition import Model
from models.population import EVERYBODY, Population, where
from models.scorer.artefact import read_files, write_files
from models.scorer.scorer import Scorer
from tests.kit.scorers import make_scorer
from training.training_set import Panel, labelled_panel

LARGER = where("plan").is_in("team", "business")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    folder = tmp_path_factory.mktemp("company")
    simulate(folder, accounts=250, leads=60, days=560, end=dt.date(2026, 1, 1), usage_events=10_000, seed=7)
    return open_source("sample", folder)


def narrowed(population: Population, **more: object) -> Model:
    # Two themes: what these tests are about is the rows.
    return replace(get_model("churn-risk"), population=population, themes=("firmographic", "commercial"), **more)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def everybody(source: Source) -> Panel:
    return labelled_panel(source, narrowed(EVERYBODY))


@pytest.fixture(scope="module")
def part(source: Source) -> Panel:
    return labelled_panel(
        source,
        narrowed(
            LARGER,
        ),
    )


class TestRows:
    def test_only_its_population_is_learnt_from_judged_and_referred_to(self, everybody: Panel, part: Panel) -> None:
        plans = np.array(part.table["plan"].to_pylist())
        assert set(plans) == {"team", "business"}
        # The twin: without a population there are others, and exactly they are left out.
        inside = np.isin(np.array(everybody.table["plan"].to_pylist(), dtype=object), ["team", "business"])
        assert 0 < inside.sum() < len(inside)
        assert part.rows.entity_id.tolist() == everybody.rows.entity_id[inside].tolist()
        assert part.counts["labelled"] + part.counts["outside_population"] == everybody.counts["labelled"]
        newest = part.table.take(part.population)
        assert len(set(newest["as_of"].to_pylist())) == 1
        assert set(newest["plan"].to_pylist()) <= {"team", "business"}

    def test_it_says_whom_it_is_for_and_how_many(self, everybody: Panel, part: Panel) -> None:
        inside, eligible = part.inside
        assert inside == len(set(part.rows.entity_id))
        assert part.notes[0] == (
            f"Learnt from and judged by {inside} of {eligible} eligible accounts; population: plan is team or business."
        )
        assert inside < eligible
        assert "population" not in everybody.notes[0]

    def test_the_value_is_that_of_the_moment(self, source: Source) -> None:
        """An account is in it at the dates at which its signal says so, and no date later."""
        dates = [dt.datetime(2025, m, 1, tzinfo=dt.UTC) for m in (3, 9)]
        table = observed(source, narrowed(where("tenure_days").at_least(200)), dates, ["tenure_days"], "duckdb")
        outside = pc.equal(table["eligibility"], "outside_population").to_numpy()
        eligible = pc.equal(table["eligibility"], "eligible").to_numpy()
        tenure = table["tenure_days"].to_numpy()
        assert (tenure[eligible] >= 200).all()
        assert not (tenure[outside] >= 200).any()
        ids = np.array(table["entity_id"].to_pylist())
        assert set(ids[outside]) & set(ids[eligible]), "nobody grew into it"

    def test_what_it_reads_need_be_no_input(self, source: Source) -> None:
        rows = observed(source, narrowed(LARGER), [dt.datetime(2025, 6, 1, tzinfo=dt.UTC)], ["mrr"], "duckdb")
        assert rows.column_names == ["entity_id", "as_of", "eligibility", "value", "mrr"]
        assert {"eligible", "outside_population"} <= set(rows["eligibility"].to_pylist())


class TestFaults:
    def test_all_at_once_before_anything_is_learnt(self, source: Source) -> None:
        wrong = where("plann").is_in("team") & where("plan").at_least(3)
        with pytest.raises(BadInput, match=r"churn-risk: 2 faults") as told:
            labelled_rows(source, narrowed(wrong))
        assert [f.where for f in told.value.faults] == [
            f"models/churn_risk.py, field population, {name}" for name in ("plann", "plan")
        ]

    def test_a_word_that_the_source_does_not_have(self, source: Source) -> None:
        with pytest.raises(BadInput, match=r"'buisness', which no row has.*Next: write one of business"):
            labelled_rows(source, narrowed(where("plan").is_in("buisness")))

    def test_a_model_file_with_a_fault_does_not_load(self) -> None:
        with pytest.raises(BadInput, match=r"models/churn_risk.py, field population, plan: no value"):
            narrowed(Population((Condition("plan", "in"),)))


class TestArtefact:
    def test_it_keeps_its_population(self, tmp_path: Path) -> None:
        scorer = make_scorer(tmp_path / "s", definition=narrowed(LARGER), n=600)
        assert scorer.spec.narrowed == LARGER
        assert Scorer.load(tmp_path / "s").spec.narrowed == LARGER

    def test_a_version_before_this_one_does_not_score_past_it(self, tmp_path: Path) -> None:
        """Its format is one that 0.1 refuses; a scorer for everybody is written as before, letter for letter."""
        make_scorer(tmp_path / "part", definition=narrowed(LARGER), n=600)
        make_scorer(tmp_path / "all", definition=narrowed(EVERYBODY), n=600)
        formats = {}
        for name in ("part", "all"):
            manifest, spec = (json.loads((tmp_path / name / f).read_text()) for f in ("MANIFEST.json", "scorer.json"))
            formats[name] = (manifest["format"], spec["format"], "population" in spec)
        assert formats == {"part": (3, 3, True), "all": (2, 2, False)}

    def test_a_copy_is_the_same_scorer(self, tmp_path: Path) -> None:
        """Promotion copies a scorer: one whose format is not this version's own stays what it is."""
        scorer = make_scorer(tmp_path / "s", definition=narrowed(LARGER), n=600)
        files, _ = read_files(tmp_path / "s")
        assert write_files(tmp_path / "copy", files) == scorer.sha256
