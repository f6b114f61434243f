"""A registry that is lost is told, and none is made in its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from models import champion_pointer
from serving.errors import RegistryFailed
from serving.registry_sync import sync
from serving.settings import ServingSettings
from tests.kit.scorers import copy_scorer


class TestTheRegistryIsLost:
    @pytest.fixture
    def settings(self, tmp_path: Path) -> ServingSettings:
        copy_scorer(tmp_path / "made", n=600)
        with champion_pointer.locked(tmp_path, "churn-risk"):
            champion_pointer.put_live(tmp_path, "churn-risk", tmp_path / "made", 3)
        return ServingSettings.from_env({"ACCOUNTSCORE_HOME": str(tmp_path)})

    def test_sync_reports_the_lost_registry_and_creates_none(self, settings: ServingSettings) -> None:
        file = settings.base.home / "mlflow.db"
        with pytest.raises(RegistryFailed, match=r"registry is lost.*mlflow.db.*churn-risk is live"):
            sync(settings)
        assert not file.exists()
        file.touch()
        with pytest.raises(RegistryFailed, match="registry is lost"):
            sync(settings)
        assert file.stat().st_size == 0

    def test_an_empty_registry_does_not_know_what_is_live(
        self, settings: ServingSettings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Such as the twin without the first guard makes."""
        monkeypatch.setattr("serving.registry_sync._require_registry", lambda _: None)
        with pytest.raises(RegistryFailed, match="version 3 is live and the registry does not know it"):
            sync(settings)
        assert (settings.base.home / "mlflow.db").stat().st_size
