"""Two versions on the same rows: the better one is named when the difference is beyond noise, and only then."""

from __future__ import annotations

import datetime as dt
import json
import os
from pathlib import Path

import numpy as np
import pytest

from features.kit.errors import UserMistake
from features.kit.settings import Settings
from features.simulate import simulate
from features.sources.loader import open_source
from models.catalog import get_model
from tests.conftest import NewRegistry
from tests.kit import commands
from tests.kit.company import ACCOUNT_SIGNALS, all_but
from training.compare import beside, compare
from training.errors import TrainingRefused
from training.fit import fit_source

CHURN = get_model("churn-risk")
pytestmark = [
    pytest.mark.usefixtures("no_pictures"),
]


def scores(noise: float, n: int = 4000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(y, p, other): `other` is p with noise on the log-odds."""
    rng = np.random.default_rng(0)
    z = rng.normal(-2, 1.2, n)
    p, other = (1 / (1 + np.exp(-q)) for q in (z, z + rng.normal(0, noise, n)))
    return (rng.random(n) < p).astype(float), p, other


class TestBeside:
    def test_better_worse_and_level(self) -> None:
        y, p, noisy = scores(1.0)
        group, value = np.arange(len(y)), np.full(len(y), 1000.0)
        better = beside(CHURN, y, p, noisy, group, value, 0.1)
        worse = beside(CHURN, y, noisy, p, group, value, 0.1)
        level = beside(CHURN, y, p, scores(0.01)[2], group, value, 0.1)
        for name in ("auc", "log_loss", "brier"):
            assert better["differences"][name]["verdict"] == "better beyond noise"  # type: ignore[index]
            assert worse["differences"][name]["verdict"] == "worse beyond noise"  # type: ignore[index]
        assert level["differences"]["auc"]["verdict"] == "level"  # type: ignore[index]
        assert level["same_list"] > 0.95 > better["same_list"]  # type: ignore[operator]

    def test_both_are_measured_alike(self) -> None:
        y, p, noisy = scores(1.0)
        found = beside(CHURN, y, p, noisy, np.arange(len(y)), np.full(len(y), 1000.0), 0.1)
        metrics = found["metrics"]
        difference = metrics["version"]["auc"]["value"] - metrics["against"]["auc"]["value"]  # type: ignore[index]
        assert found["differences"]["auc"]["value"] == pytest.approx(difference, abs=2e-6)  # type: ignore[index]
        assert set(metrics["version"]) == set(metrics["against"]) >= {"empb", "value_found_top_decile"}  # type: ignore[index]


class TestVersions:
    @pytest.fixture(scope="class")
    def made(self, tmp_path_factory: pytest.TempPathFactory, new_registry: NewRegistry) -> tuple[Settings, Path]:
        folder = tmp_path_factory.mktemp("compare")
        settings = new_registry(folder / "home")
        simulate(folder / "company", accounts=350, leads=300, days=730, end=dt.date(2026, 1, 1), usage_events=30_000)
        exclude = all_but(open_source("sample", folder / "company"), CHURN, *ACCOUNT_SIGNALS)
        for seed in (0, 1):
            fit_source(
                "churn-risk", "sample", folder / "company", trials=1, seed=seed, settings=settings, exclude=exclude
            )
        return settings, folder / "company"

    def test_through_the_door(self, made: tuple[Settings, Path]) -> None:
        settings, company = made
        arguments = [
            "compare",
            "churn-risk",
            "--version",
            "2",
            "--against",
            "1",
            "--source",
            "sample",
            "--data",
            str(company),
            "--json",
        ]
        done = commands.run("training", *arguments, env={**os.environ, "ACCOUNTSCORE_HOME": str(settings.home)})
        assert done.returncode == 0, done.stderr
        report = json.loads(done.stdout.splitlines()[-1])
        assert (report["version"]["version"], report["against"]["version"]) == (2, 1)
        assert "neither learnt from" in done.stderr
        assert report["rows"] > 100
        assert json.loads(Path(report["file"]).read_text()) | {"file": report["file"]} == report
        assert done.stderr.splitlines()[-1] == f"Report: {report['file']}"

    def test_rows_that_one_learnt_from_do_not_judge(self, made: tuple[Settings, Path], tmp_path: Path) -> None:
        """A history that ends where what was learnt from does: nothing later is left to compare on."""
        settings, _ = made
        simulate(tmp_path / "short", accounts=350, leads=300, days=520, end=dt.date(2025, 5, 1), usage_events=30_000)
        with pytest.raises(TrainingRefused, match="neither version learnt from"):
            compare(settings, "churn-risk", "sample", tmp_path / "short", version=2, against=1)

    def test_nothing_to_compare_with(self, tmp_path: Path) -> None:
        settings = Settings.from_env({"ACCOUNTSCORE_HOME": str(tmp_path)})
        with pytest.raises(UserMistake, match="no champion to compare with"):
            compare(settings, "lead-fit", "sample", tmp_path)
