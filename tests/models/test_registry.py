"""The registry gives back what it was given: a version, its scorer, its aliases, and a run with its trials and data."""

from __future__ import annotations

from pathlib import Path

import pytest

from features.kit.errors import UserMistake
from features.kit.settings import Settings
from models import registry
from models.scorer.scorer import Scorer


class TestRegistry:
    def test_a_version_comes_back_whole(self, settings: Settings, logged: Scorer, tmp_path: Path) -> None:
        fetched = registry.download(settings, registry.get_version(settings, "churn-risk"), tmp_path)
        assert Scorer.load(fetched).sha256 == logged.sha256

    def test_an_alias_can_be_set_and_dropped(self, settings: Settings, logged: Scorer) -> None:
        registry.set_alias(settings, "churn-risk", registry.CHAMPION, 1)
        found = registry.by_alias(settings, "churn-risk", registry.CHAMPION)
        assert found is not None
        assert found.version == 1
        registry.drop_alias(settings, "churn-risk", registry.CHAMPION)
        assert registry.by_alias(settings, "churn-risk", registry.CHAMPION) is None

    def test_versions_that_are_not_there(self, settings: Settings, logged: Scorer) -> None:
        with pytest.raises(UserMistake, match="has no version 9: there are 1"):
            registry.get_version(settings, "churn-risk", 9)
        with pytest.raises(UserMistake, match="training fit lead-fit"):
            registry.get_version(settings, "lead-fit")


class TestRun:
    def test_has_its_trials_inside_its_data_and_its_files(self, settings: Settings, logged: Scorer) -> None:
        import mlflow

        version = registry.get_version(settings, "churn-risk")
        client = mlflow.MlflowClient(settings.tracking_uri, settings.tracking_uri)
        run = client.get_run(version.run_id)
        inside = client.search_runs(
            [run.info.experiment_id], filter_string=f"tags.mlflow.parentRunId = '{version.run_id}'"
        )
        assert {r.data.metrics["loss"] for r in inside} == {0.3, 0.4}
        data = run.inputs.dataset_inputs[0].dataset
        assert (data.name, data.digest) == ("test", "0" * 36)
        assert {f.path for f in client.list_artifacts(version.run_id)} >= {"signals.json", "more"}
        found = client.get_model_version("churn-risk", str(version.version))
        assert found.tags["scorer_sha256"] == logged.sha256
