"""From a source to a registered version: the path that a newcomer takes, on a small simulated company."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from features.kit.settings import Settings
from features.simulate import simulate
from features.sources.loader import open_source
from models import registry
from models.catalog import get_model
from models.champion_pointer import read_pointer
from models.definition import BadModel, Model
from models.scorer.scorer import Scorer
from tests.kit.company import ACCOUNT_SIGNALS, all_but, at, make_source
from training.errors import TrainingRefused
from training.fit import fit_source
from training.training_set import Panel, labelled_panel

pytestmark = pytest.mark.filterwarnings("ignore")  # MLflow's own, about its own types and stores


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("company")
    simulate(folder, accounts=400, leads=1600, days=730, end=dt.date(2026, 1, 1), seed=7)
    return folder


@pytest.fixture(scope="module")
def calendar(company: Path) -> Panel:
    """Of churn-risk, by calendar; of some signals: what it is about is its rows."""
    return labelled_panel(open_source("sample", company), some_signals(company))


def some_signals(company: Path, **more: object) -> Model:
    model = get_model("churn-risk")
    return replace(model, exclude=all_but(open_source("sample", company), model, *ACCOUNT_SIGNALS), **more)  # type: ignore[arg-type]


class TestFit:
    def test_a_version_a_champion_and_a_report(self, company: Path, tmp_path: Path) -> None:
        settings = Settings.from_env({"ACCOUNTSCORE_HOME": str(tmp_path)})
        report = fit_source("churn_risk", "sample", company, trials=1, settings=settings)
        version = registry.get_version(settings, "churn-risk")
        assert report["version"] == version.version == 1
        assert (version.tags or {})["gates"].split(":")[0] == ("passed" if report["promoted"] else "failed")
        pointer = read_pointer(settings.home, "churn-risk")
        assert (pointer is not None) == report["promoted"]
        assert json.loads((Path(str(report["files"])) / "report.json").read_text())["scorer"] == report["scorer"]
        scorer = Scorer.load(Path(str(report["files"])) / "scorer")
        assert f"sha256:{scorer.sha256}" == report["scorer"]
        assert report["metrics"]["auc"]["low"] > 0.6  # type: ignore[index]
        assert scorer.spec.trained_to is not None
        assert scorer.spec.trained_to < report["periods"]["test"]["from"]  # type: ignore[index]

    def test_the_same_trials_give_the_same_scorer(self, company: Path, tmp_path: Path) -> None:
        shas = set()
        for name in ("one", "two"):
            settings = Settings.from_env({"ACCOUNTSCORE_HOME": str(tmp_path / name)})
            shas.add(fit_source("lead-fit", "sample", company, trials=1, settings=settings, register=False)["scorer"])
        assert len(shas) == 1


class TestBeforeRenewal:
    def test_each_account_once_per_term_with_time_to_act(self, company: Path, calendar: Panel) -> None:
        panel = labelled_panel(open_source("sample", company), some_signals(company, lead_days=60))
        away = panel.table["days_to_renewal"].to_numpy()
        assert away.min() >= 60
        assert away.max() < 67
        rows = pd.DataFrame({"id": panel.rows.entity_id, "time": panel.rows.time}).sort_values(["id", "time"])
        again = rows.groupby("id")["time"].diff().dropna()
        assert (again > 60 * 86_400_000_000).all(), "a term is seen once"
        assert len(panel.rows) > 60
        assert "60 to 66 days before" in " ".join(panel.notes)
        # The twin on the calendar grid sees renewals at any distance.
        assert np.nanmin(calendar.table["days_to_renewal"].to_numpy()) < 60

    def test_a_horizon_that_ends_before_the_renewal_is_no_model(self) -> None:
        with pytest.raises(BadModel, match=r"field lead_days: it is 85\. Rule: 0\.\.83"):
            replace(get_model("churn-risk"), lead_days=85)

    def test_a_source_without_terms_is_refused_with_the_next_step(self, tmp_path: Path) -> None:
        accounts = [{"account_id": f"a{i}", "event_time": at("2023-01-01")} for i in range(40)]
        labels = [{"account_id": "a1", "churned": True, "event_time": at("2024-01-05")}]
        usage = [{"account_id": "a0", "event_time": at(d)} for d in ("2023-01-01", "2025-01-01")]
        source = make_source(tmp_path / "s", {"accounts": accounts, "churn_labels": labels, "usage": usage})
        with pytest.raises(TrainingRefused, match=r"offers no signal days_to_renewal.*set lead_days to None"):
            labelled_panel(source, replace(get_model("churn-risk"), lead_days=30))


class TestPanel:
    def test_windows_are_over_and_signals_are_older_than_outcomes(self, company: Path, calendar: Panel) -> None:
        source, definition, panel = open_source("sample", company), get_model("churn-risk"), calendar
        assert panel.rows.time is not None
        last = source.span[1] - dt.timedelta(days=definition.horizon_days + 30)
        assert max(panel.dates) <= last.date()
        assert set(np.unique(panel.rows.y)) == {0.0, 1.0}
        newest = panel.rows.time[panel.split.before_test].max()
        assert set(panel.rows.time[panel.population]) == {newest}

    def test_a_short_history_is_refused_with_what_would_work(self, tmp_path: Path) -> None:
        simulate(tmp_path, accounts=60, leads=200, days=250, end=dt.date(2026, 1, 1), seed=1)
        with pytest.raises(
            TrainingRefused,
            match=r"its history: \d+ days with known outcomes after the warm-up.*horizon of at most \d+ days",
        ):
            labelled_panel(open_source("sample", tmp_path), get_model("churn-risk"))

    def test_a_snapshot_is_split_by_the_order_of_creation(self, tmp_path: Path) -> None:
        rng = np.random.default_rng(0)
        days = [at("2024-01-01") + dt.timedelta(hours=int(h)) for h in range(400)]
        visits = rng.integers(0, 9, 400)
        leads = [
            {
                "lead_id": f"l{i:03}",
                "event_time": day,
                "status": "open",
                "channel": "paid" if visits[i] > 4 else "organic",
            }
            for i, day in enumerate(days)
        ]
        labels = [{"lead_id": f"l{i:03}", "converted": bool(rng.random() < visits[i] / 10)} for i in range(400)]
        panel = labelled_panel(
            make_source(tmp_path / "s", {"leads": leads, "lead_labels": labels}), get_model("lead-fit")
        )
        assert len(panel.rows) == 400
        assert panel.split.in_time
        assert "optimistic" in panel.notes[0]
        test = set(panel.rows.entity_id[panel.split.test])
        assert min(test) > max(panel.rows.entity_id[panel.split.before_test])
