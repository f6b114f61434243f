"""The registry gives back what it was given: a version, its scorer, its aliases, and a run with its trials and data."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

from features.kit.errors import AccountscoreError, UserMistake
from features.kit.file_lock import file_lock
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


@contextmanager
def another_fit_first(settings: Settings) -> Iterator[None]:
    """Just before MLflow inserts a row for data, another connection inserts one for the same data."""
    file = registry.file_of(settings)
    assert file is not None
    late = []

    def insert(_connection: Any, _cursor: Any, statement: str, values: Any, *_: Any) -> None:
        if "INSERT INTO datasets" in statement and not late:
            late.append(values)
            with closing(sqlite3.connect(file)) as other, other:
                other.execute(statement, (uuid.uuid4().hex, *values[1:]))

    event.listen(Engine, "before_cursor_execute", insert)
    try:
        yield
    finally:
        event.remove(Engine, "before_cursor_execute", insert)
    assert late


class TestTwoFitsOnTheSameData:
    """As the demo trains two models at once."""

    def note_data(self, settings: Settings, fingerprint: str) -> Any:
        spec = SimpleNamespace(source="sample", data_fingerprint=fingerprint, trained_from=None, trained_to=None)
        with registry._mlflow(settings) as mlflow:
            with (
                mlflow.start_run(experiment_id=registry._experiment(mlflow, settings)) as run,
                another_fit_first(settings),
            ):
                registry._log_dataset(mlflow, cast(Scorer, SimpleNamespace(spec=spec)))
            return mlflow.MlflowClient().get_run(run.info.run_id).inputs.dataset_inputs

    def test_who_comes_second_shares_the_row_of_the_first(self, settings: Settings, logged: Scorer) -> None:
        (found,) = self.note_data(settings, "a" * 64)
        assert (found.dataset.name, found.dataset.digest) == ("sample", "a" * 36)

    def test_asked_once_mlflow_fails(self, settings: Settings, logged: Scorer, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(registry, "ATTEMPTS", 1)
        with pytest.raises(Exception, match="UNIQUE constraint failed: datasets"):
            self.note_data(settings, "b" * 64)


class TestNew:
    """A registry that is not there yet is made by the first to ask; MLflow alone fails when two do."""

    def test_two_processes_that_begin_together_both_have_it(self, tmp_path: Path) -> None:
        asking = (
            "import pathlib, sys; from features.kit.settings import Settings; from models import registry; "
            "print(registry.versions(Settings.from_env({'ACCOUNTSCORE_HOME': sys.argv[1]}), 'churn-risk'))"
        )
        command = [sys.executable, "-W", "ignore", "-c", asking, str(tmp_path / "home")]
        both = [subprocess.Popen(command, stdout=-1, stderr=-1, text=True) for _ in range(2)]
        said = [process.communicate(timeout=120) for process in both]
        assert [process.returncode for process in both] == [0, 0], said
        assert [out.strip() for out, _ in said] == ["[]", "[]"]

    def test_who_comes_second_waits_for_the_first(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        settings = Settings.from_env({"ACCOUNTSCORE_HOME": str(tmp_path)})
        monkeypatch.setattr(registry, "LOCK_SECONDS", 0.1)
        with (
            file_lock(tmp_path / ".mlflow.db.lock", 1.0, AccountscoreError("held")),
            pytest.raises(AccountscoreError, match="is being made by another process"),
        ):
            registry.versions(settings, "churn-risk")
        assert not (tmp_path / "mlflow.db").exists()
