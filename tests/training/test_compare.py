"""Two versions on the same rows: the better one is named when the difference is beyond noise, and only then."""

from __future__ import annotations

import datetime as dt
import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from features.kit.clock import from_us
from features.kit.errors import UserMistake
from features.kit.settings import Settings
from features.simulate import simulate
from features.sources.loader import open_source
from models import registry
from models.catalog import get_model
from models.scorer.writer import LinearPart, Origin, Reference, write_scorer
from tests.conftest import NewRegistry
from tests.kit import commands
from tests.kit.company import ACCOUNT_SIGNALS, all_but
from training import linear
from training.compare import beside, compare
from training.errors import TrainingRefused
from training.promote import GATES, PASSED
from training.training_set import Panel, labelled_panel

CHURN = get_model("churn-risk")


def scores(noise: float, n: int = 2500) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(y, p, other): `other` is p with noise on the log-odds."""
    rng = np.random.default_rng(0)
    z = rng.normal(-2, 1.2, n)
    p, other = (1 / (1 + np.exp(-q)) for q in (z, z + rng.normal(0, noise, n)))
    return (rng.random(n) < p).astype(float), p, other


class TestBeside:
    def test_a_difference_beyond_noise_is_named_and_one_within_noise_is_not(self) -> None:
        y, p, noisy = scores(1.0)
        group, value = np.arange(len(y)), np.full(len(y), 1000.0)
        churn = replace(CHURN, profit=None)  # profit has a test of its own and takes longest
        better = beside(churn, y, p, noisy, group, value, 0.1)
        worse = beside(churn, y, noisy, p, group, value, 0.1)
        level = beside(churn, y, p, scores(0.01)[2], group, value, 0.1)
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


def write(folder: Path, panel: Panel, penalty: float, until: int) -> None:
    """A scorer of the linear part alone, which says that it learnt from dates up to `until`."""
    rows = panel.rows
    fitted = linear.fit(rows.take(panel.split.before_test), penalty)
    shapes = fitted.shapes
    part = LinearPart([s.knots for s in shapes], [s.values for s in shapes], [s.missing for s in shapes], fitted.bias)
    write_scorer(
        folder,
        definition=CHURN,
        signals=rows.signals,
        vocabularies=rows.vocabularies,
        reference=Reference(rows.x, rows.y, rows.x[panel.population]),
        linear=part,
        origin=Origin("sample", "0" * 64, "2024-01-01", from_us(until).date().isoformat()),
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, new_registry: NewRegistry) -> tuple[Settings, Path]:
    """Versions 1 and 2 learnt from the same dates with different penalties, version 3 from all dates there are."""
    folder = tmp_path_factory.mktemp("compare")
    settings = new_registry(folder / "home")
    simulate(folder / "company", accounts=250, leads=60, days=730, end=dt.date(2026, 1, 1), usage_events=10_000)
    source = open_source("sample", folder / "company")
    panel = labelled_panel(source, replace(CHURN, exclude=all_but(source, CHURN, *ACCOUNT_SIGNALS)))
    time = panel.rows.time
    assert time is not None
    before, newest = int(time[panel.split.before_test].max()), int(time.max())
    for number, (penalty, until) in enumerate(((0.1, before), (0.003, before), (0.1, newest)), 1):
        write(folder / str(number), panel, penalty, until)
        registry.log_version(settings, CHURN, folder / str(number), parameters={}, metrics={}, tags={GATES: PASSED})
    return settings, folder / "company"


class TestVersions:
    def test_the_command_reports_both_versions(self, made: tuple[Settings, Path]) -> None:
        settings, company = made
        arguments = ["compare", "churn-risk", "--version", "2", "--against", "1", "--source", "sample", "--json"]
        arguments += ["--data", str(company)]
        done = commands.run("training", *arguments, env={**os.environ, "ACCOUNTSCORE_HOME": str(settings.home)})
        assert done.returncode == 0, done.stderr
        report = json.loads(done.stdout.splitlines()[-1])
        assert (report["version"]["version"], report["against"]["version"]) == (2, 1)
        assert "neither learnt from" in done.stderr
        assert report["rows"] > 100
        assert json.loads(Path(report["file"]).read_text()) | {"file": report["file"]} == report
        assert done.stderr.splitlines()[-1] == f"Report: {report['file']}"

    def test_rows_that_one_learnt_from_do_not_judge(self, made: tuple[Settings, Path]) -> None:
        """Version 3 learnt from the newest date: nothing later is left to compare on."""
        settings, company = made
        with pytest.raises(TrainingRefused, match="neither version learnt from"):
            compare(settings, "churn-risk", "sample", company, version=3, against=1)

    def test_nothing_to_compare_with(self, tmp_path: Path, new_registry: NewRegistry) -> None:
        with pytest.raises(UserMistake, match="no champion to compare with"):
            compare(new_registry(tmp_path / "home"), "lead-fit", "sample", tmp_path)
