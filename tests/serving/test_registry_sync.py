"""A registry that is lost is told, and none is made in its place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import ClassVar

import pytest

from features.kit.settings import Settings
from models import card, champion_pointer, registry, standing
from models.catalog import get_model
from serving.errors import RegistryFailed
from serving.registry_sync import sync
from serving.settings import ServingSettings
from tests.conftest import NewRegistry
from tests.kit.scorers import copy_scorer, make_scorer


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


class TestWhatPeopleAreShown:
    REPORT: ClassVar = {"verdict": "ready", "verdict_code": "ready", "ready": True, "metrics": {"auc": {"value": 0.84}}}

    def registered(self, settings: Settings, folder: Path, seed: int, attached: bytes | None) -> int:
        """A version that another home fitted: its number."""
        scorer, model = folder / f"made-{seed}", get_model("churn-risk")
        make_scorer(scorer, seed=seed, n=300, boosters=[], tree_share=0.0)
        tags = {"gates": "passed", "verdict": "ready"}
        version = registry.log_version(settings, model, scorer, parameters={}, metrics={}, tags=tags)
        if attached is not None:
            (folder / "report.json").write_bytes(attached)
            registry.attach(settings, version.run_id, [folder / "report.json"])
        registry.set_alias(settings, "churn-risk", registry.CHAMPION, version.version)
        return version.version

    def test_the_card_of_a_champion_that_was_fitted_elsewhere_is_fetched(
        self, tmp_path: Path, new_registry: NewRegistry, caplog: pytest.LogCaptureFixture
    ) -> None:
        settings = new_registry(tmp_path / "home")
        serving = ServingSettings.from_env({"ACCOUNTSCORE_HOME": str(tmp_path / "home")})
        first = self.registered(settings, tmp_path, 1, json.dumps(self.REPORT).encode())
        sync(serving)
        found = card.read_card(settings.home, get_model("churn-risk"), first)
        assert found is not None
        assert (found.version, found.sentence, found.metrics["auc"].value) == (first, "Ready.", 0.84)
        second = self.registered(settings, tmp_path, 2, b"[broken")
        assert "put live in place of" in "".join(sync(serving)), "a broken report keeps no champion from going live"
        assert "champion.not_shown" in caplog.text
        stands = standing.read(settings.home, "churn-risk")
        assert stands is not None
        assert [(e.action, e.version, e.instead_of) for e in stands.events] == [
            ("synced", second, first),
            ("synced", first, None),
        ]
        assert {v.version: v.aliases for v in stands.versions}[second] == ["champion"]
