"""A home whose registry has one version of churn-risk, live, with its trials."""

from __future__ import annotations

from pathlib import Path

import pytest

from features.kit.settings import Settings
from models import registry
from models.catalog import get_model
from models.scorer.scorer import Scorer
from tests.conftest import MakeOnce, NewRegistry
from tests.kit.scorers import make_scorer


@pytest.fixture(scope="module")
def settings(make_once: MakeOnce, new_registry: NewRegistry) -> Settings:
    """The module's own copy."""

    def fill(home: Path) -> None:
        made = new_registry(home)
        make_scorer(home / "made", n=400)
        trials = [
            {"kind": "trees", "loss": 0.3, "seconds": 0.1, "trees": 40},
            {"kind": "linear", "loss": 0.4, "seconds": 0.1},
        ]
        version = registry.log_version(
            made, get_model("churn-risk"), home / "made", parameters={}, metrics={"auc": 0.7}, trials=trials
        )
        registry.set_alias(made, "churn-risk", registry.CHAMPION, version.version)
        registry.attach(made, version.run_id, [home / "made" / "scorer.json"], "more")

    settings = Settings.from_env({"ACCOUNTSCORE_HOME": str(make_once("registered", fill))})
    assert registry.by_alias(settings, "churn-risk", registry.CHAMPION) is not None  # the paths in it follow the copy
    return settings


@pytest.fixture(scope="module")
def logged(settings: Settings) -> Scorer:
    """The scorer that was registered."""
    return Scorer.load(settings.home / "made")
