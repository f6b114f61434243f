"""A signal that a model excludes is not learnt, and no score, reason or nightly run has it."""

from __future__ import annotations

import datetime as dt
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from features.audit.finding import Finding
from features.kit.clock import make_clock, parse_as_of
from features.kit.errors import UserMistake
from features.readiness.labelled_rows import themed
from features.simulate import simulate
from features.sources.loader import open_source
from models import champion_pointer
from models.catalog import get_model
from models.scorer.scorer import Scorer
from serving.batch import run as running
from serving.batch.run import Options
from serving.champion import Champions
from serving.scorer_cache import KeptScorers
from serving.store.connect import open_store
from tests.conftest import NewRegistry
from tests.kit import commands
from tests.kit.company import LEAD_SIGNALS, all_but, at, make_source
from training.fit import fit_source

pytestmark = [
    pytest.mark.usefixtures("no_pictures"),
]
EXCLUDED = ("channel", "inbound_touches_28d")


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("company")
    simulate(folder, accounts=200, leads=900, days=600, end=dt.date(2026, 1, 1), seed=7, usage_events=5_000)
    return folder


def test_an_excluded_signal_is_in_no_scorer_and_no_reason(
    company: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, new_registry: NewRegistry
) -> None:
    settings = new_registry(tmp_path)
    leak = Finding("signal_leaks", "high", ("channel",), "it looks ahead", "leave it out")
    monkeypatch.setattr("training.fit.grave_findings", lambda *given: [leak])
    source, model = open_source("sample", company), get_model("lead-fit")
    kept = {*LEAD_SIGNALS, "inbound_touches_84d"} - {*EXCLUDED}
    exclude = all_but(source, model, *kept)
    report = fit_source("lead-fit", "sample", company, trials=1, settings=settings, exclude=exclude)
    assert report["excluded"] == list(exclude)
    assert {*EXCLUDED} <= {*exclude}
    gates: list[dict[str, Any]] = report["gates"]  # type: ignore[assignment]
    assert next(g for g in gates if g["name"] == "audit")["passed"], "what the model does not have cannot leak into it"
    made = Path(str(report["files"])) / "scorer"
    names = Scorer.load(made).names
    assert not set(EXCLUDED) & set(names)
    assert "inbound_touches_84d" in names, "its sister is there"
    for place in (
        "models.champion_pointer",
        "serving.champion",
    ):  # a small company's model; what it is worth is not asked here
        monkeypatch.setattr(f"{place}.require_not_refused", lambda *given: None)
    with champion_pointer.locked(settings.home, "lead-fit"):
        champion_pointer.put_live(settings.home, "lead-fit", made, 1)
    champions = Champions(settings.home)
    champions.refresh()
    assert commands.run("serving", "migrate", env=os.environ | {"ACCOUNTSCORE_HOME": str(tmp_path)}).returncode == 0
    store = open_store(settings.store_url)
    try:
        done = running.run(
            open_source("sample", company),
            parse_as_of("2025-12-01"),
            tmp_path / "out",
            champions,
            store,
            make_clock("2025-12-02"),
            KeptScorers(settings.home),
            Options(record=False),
        )
    finally:
        store.close()
    assert done
    reasons = {
        reason["signal"]
        for file in (tmp_path / "out").rglob("*.parquet")
        for row in pq.read_table(file).to_pylist()
        for reason in row.get("reasons") or ()
    }
    assert reasons
    assert reasons <= set(names)


def test_without_exclude_the_signals_are_there(company: Path) -> None:
    """The twin."""
    assert set(EXCLUDED) <= {s.name for s in themed(open_source("sample", company), get_model("lead-fit"))}


def test_a_name_that_no_signal_has(company: Path) -> None:
    definition = replace(get_model("lead-fit"), exclude=("chanel", "channel", "zzz"))
    with pytest.raises(
        UserMistake, match=r"no signal is called 'chanel' \(near: channel.*\); no signal is called 'zzz'\. "
    ):
        themed(open_source("sample", company), definition)


def test_a_signal_whose_table_is_absent_is_no_mistake(tmp_path: Path) -> None:
    source = make_source(tmp_path, {"accounts": [{"account_id": "a", "event_time": at("2024-01-01"), "tier": "gold"}]})
    definition = replace(get_model("churn-risk"), exclude=("mrr", "tier", "industry"))
    assert not {"mrr", "tier", "industry"} & {s.name for s in themed(source, definition)}


def test_an_excluded_renewal_still_says_when_to_look(company: Path) -> None:
    from training.training_set import labelled_panel

    source, model = open_source("sample", company), get_model("churn-risk")
    panel = labelled_panel(source, replace(model, lead_days=60, exclude=all_but(source, model, "mrr", "events_28d")))
    assert "days_to_renewal" not in panel.table.column_names
    assert len(panel.rows)
