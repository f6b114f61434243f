"""A table that cannot be read stops the models that read it: the others are scored and published, and the run says so."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from features.kit.errors import BadInput
from features.sources.loader import SHIPPED
from serving.__main__ import app
from serving.batch import live_models
from serving.batch import run as running
from tests.kit.quick_night import few_signals
from tests.kit.running import AS_OF, NOW, Home


@pytest.fixture
def company(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ACCOUNTSCORE_HOME", str(home.path))
    monkeypatch.setenv("ACCOUNTSCORE_NOW", NOW)
    return Path(shutil.copytree(SHIPPED / "sample", tmp_path / "source"))


def batch(home: Home, company: Path, out: Path):  # type: ignore[no-untyped-def]  # of typer, which has no name for it
    data = ["--source", str(company), "--data", str(home.company)]
    return CliRunner().invoke(app, ["batch", *data, "--as-of", AS_OF, "--out", str(out), "--no-history"])


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "panel_parts", few_signals({}))


class TestBrokenTable:
    @pytest.mark.usefixtures("quick")
    def test_models_that_do_not_read_a_broken_table_are_published(
        self, home: Home, company: Path, tmp_path: Path
    ) -> None:
        (company / "tickets.sql").write_text("SELECT *\nFROM nowhere")
        done = batch(home, company, tmp_path / "out")
        assert done.exit_code == 2, done.output
        assert list(json.loads((tmp_path / "out/manifest.json").read_text())["models"]) == ["lead-fit"]
        assert "warning: churn-risk: not scored" in done.stderr
        assert "tickets.sql, line 2" in done.stderr
        said = json.loads((tmp_path / "out/last_run.json").read_text())
        assert (said["exit_code"], said["not_scored"]) == (2, ["churn-risk"])

    @pytest.mark.usefixtures("quick")
    def test_a_broken_table_that_all_models_read_stops_the_run(self, home: Home, company: Path, tmp_path: Path) -> None:
        (company / "subscriptions.sql").write_text("SELECT *\nFROM nowhere")
        done = batch(home, company, tmp_path / "out")
        assert isinstance(done.exception, BadInput)
        assert not (tmp_path / "out/manifest.json").exists()

    @pytest.mark.usefixtures("quick")
    def test_a_broken_table_that_no_model_reads_is_only_a_warning(
        self, home: Home, company: Path, tmp_path: Path
    ) -> None:
        (company / "actions.sql").write_text("SELECT *\nFROM nowhere")
        done = batch(home, company, tmp_path / "out")
        assert done.exit_code == 0, done.output
        assert "warning: Table actions is left out" in done.stderr
        assert len(json.loads((tmp_path / "out/manifest.json").read_text())["models"]) == 2

    @pytest.mark.slow
    def test_without_the_guard_it_is_scored_without_the_table(
        self, home: Home, company: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The sabotaged twin: signals of tickets are missing, and the scorer is refused or takes nothing for what it knew."""
        monkeypatch.setattr(live_models, "blocked_models", lambda *_: {})
        (company / "tickets.sql").write_text("SELECT *\nFROM nowhere")
        done = batch(home, company, tmp_path / "out")
        published = tmp_path / "out/manifest.json"
        models = list(json.loads(published.read_text())["models"]) if published.exists() else []
        assert models != ["lead-fit"] or done.exit_code != 2
