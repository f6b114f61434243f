"""The registry gives back what it was given, and MLflow's own loader gives the scorer's numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from features.kit.errors import UserMistake
from features.kit.settings import Settings
from models import registry
from models.catalog import get_model
from models.scorer.scorer import Scorer
from tests.conftest import NewRegistry
from tests.kit.scorers import WORDS, make_scorer, make_signals, random_rows


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory, new_registry: NewRegistry) -> Settings:
    return new_registry(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def logged(settings: Settings) -> tuple[Scorer, registry.Version]:
    scorer = make_scorer(settings.home / "made", n=400)
    version = registry.log_version(
        settings, get_model("churn-risk"), settings.home / "made", parameters={"source": "test"}, metrics={"auc": 0.7}
    )
    return scorer, version


@pytest.mark.filterwarnings("ignore")  # MLflow's own, about its own types and stores
class TestRegistry:
    def test_a_version_comes_back_whole(
        self, settings: Settings, logged: tuple[Scorer, registry.Version], tmp_path: Path
    ) -> None:
        scorer, version = logged
        fetched = registry.download(settings, registry.get_version(settings, "churn-risk"), tmp_path)
        assert version.version == 1
        assert Scorer.load(fetched).sha256 == scorer.sha256

    def test_aliases(self, settings: Settings, logged: tuple[Scorer, registry.Version]) -> None:
        registry.set_alias(settings, "churn-risk", registry.CHAMPION, 1)
        found = registry.by_alias(settings, "churn-risk", registry.CHAMPION)
        assert found is not None
        assert found.version == 1
        registry.drop_alias(settings, "churn-risk", registry.CHAMPION)
        assert registry.by_alias(settings, "churn-risk", registry.CHAMPION) is None

    def test_versions_that_are_not_there(self, settings: Settings, logged: tuple[Scorer, registry.Version]) -> None:
        with pytest.raises(UserMistake, match="has no version 9: there are 1"):
            registry.get_version(settings, "churn-risk", 9)
        with pytest.raises(UserMistake, match="training fit lead-fit"):
            registry.get_version(settings, "lead-fit")

    def test_mlflow_gives_the_same_bits(self, settings: Settings, logged: tuple[Scorer, registry.Version]) -> None:
        import mlflow
        import pandas as pd

        scorer, version = logged
        x, _ = random_rows(40, seed=4)
        names = [s.name for s in make_signals()]
        frame = pd.DataFrame(x, columns=names)
        for name in names[-2:]:
            frame[name] = [None if np.isnan(v) else WORDS[int(v)] for v in frame[name]]
        mlflow.set_tracking_uri(settings.tracking_uri)
        loaded = mlflow.pyfunc.load_model(f"models:/churn-risk/{version.version}")
        assert np.array_equal(loaded.predict(frame)["probability"].to_numpy(), scorer.probability(x))
        x[:, 1] = np.nan
        x[:, -1] = np.nan
        fewer = loaded.predict(frame.drop(columns=[names[1], names[-1]]))  # optional, as the signature says
        assert np.array_equal(fewer["probability"].to_numpy(), scorer.probability(x))
