"""What is written is the model that was asked for, and its population is kept with it."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace
from pathlib import Path

import lightgbm as lgb
import numpy as np
import pytest

from features.simulate import simulate
from features.sources.loader import open_source
from features.sources.source import Source
from models.catalog import get_model
from models.definition import Model
from models.population import EVERYBODY, Population, where
from models.scorer.scorer import Scorer
from models.scorer.writer import write_scorer
from tests.kit.scorers import make_scorer, random_rows, random_shapes, train_booster
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
def part(source: Source) -> Panel:
    return labelled_panel(
        source,
        narrowed(
            LARGER,
        ),
    )


class TestWritten:
    def test_the_written_model_is_the_blend_that_was_asked_for(self, tmp_path: Path) -> None:
        x, y = random_rows(600)
        shapes, text = random_shapes(x), train_booster(x, y)
        made = make_scorer(tmp_path / "s", n=600, boosters=[text], linear=shapes, tree_share=0.3, slope=1.2, level=0.05)
        linear = np.full(len(x), shapes.bias)
        for j in range(x.shape[1]):
            gone = np.isnan(x[:, j])
            if len(shapes.knots[j]):
                value = np.interp(np.nan_to_num(x[:, j]), shapes.knots[j], shapes.values[j])
            else:
                value = np.asarray(shapes.values[j])[np.nan_to_num(x[:, j]).astype(int)]
            linear += np.where(gone, shapes.missing[j], value)
        trees = np.asarray(lgb.Booster(model_str=text).predict(x, raw_score=True))
        assert np.abs(made.log_odds(x) - (1.2 * (0.7 * linear + 0.3 * trees) + 0.05)).max() < 1e-9


class TestFolder:
    def test_writing_into_a_folder_that_exists(self, folder: Path) -> None:
        with pytest.raises(FileExistsError):
            make_scorer(folder)
        assert write_scorer  # type: ignore[truthy-function]


class TestPopulation:
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
