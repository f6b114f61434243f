"""The report of a run: exit code, a line, JSON, and metrics for Prometheus."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from features.kit.errors import UserMistake
from models.population import OUTSIDE
from serving.batch.report import Report, counted
from serving.batch.run import FinishedRun
from serving.errors import StaleInput

DONE = FinishedRun(
    "abc", Path("out/manifest.json"), {"churn-risk": 10}, {"churn-risk": 7}, {"churn-risk": 2}, ("lead-fit",), 3, 1
)


@pytest.fixture
def report() -> Report:
    return Report("sample", "2026-01-01T00:00:00Z", started=1_000.0)


def test_until_it_is_finished_it_counts_as_failed(report: Report) -> None:
    assert report.exit_code == 1


def test_a_finished_run_is_one_line_and_a_file(report: Report, tmp_path: Path) -> None:
    report.warn("old data")
    report.finished(DONE)
    assert report.line() == "run abc -> out/manifest.json, 1 chunks were there already"
    report.write(tmp_path / "last_run.json", None)
    found = json.loads((tmp_path / "last_run.json").read_text())
    assert found.pop("seconds") > 0
    assert found == {
        "source": "sample",
        "as_of": "2026-01-01T00:00:00Z",
        "started": 1000.0,
        "exit_code": 0,
        "warnings": ["old data"],
        "run_id": "abc",
        "manifest": "out/manifest.json",
        "rows": {"churn-risk": 10},
        "scored": {"churn-risk": 7},
        "outside_population": {"churn-risk": 2},
        "without_champion": ["lead-fit"],
        "queued_write_backs": 3,
        "resumed_chunks": 1,
    }


def test_models_that_were_left_out_make_a_published_run_end_with_2(report: Report) -> None:
    report.finished(DONE)
    report.left_out([])
    assert report.exit_code == 0
    report.left_out(["b", "a"])
    assert report.exit_code == UserMistake.exit_code == 2


def test_metrics_of_a_failure_have_its_exit_code_and_no_queue(report: Report, tmp_path: Path) -> None:
    report.failed(StaleInput("too old"))
    report.write(None, tmp_path / "batch.prom")
    text = (tmp_path / "batch.prom").read_text()
    assert "accountscore_batch_exit_code 6.0" in text
    assert "queued_write_backs" not in text


def test_metrics_of_a_run_count_rows_by_model(report: Report, tmp_path: Path) -> None:
    report.finished(DONE)
    report.write(None, tmp_path / "batch.prom")
    lines = (tmp_path / "batch.prom").read_text().splitlines()
    assert 'accountscore_batch_rows{model="churn-risk"} 10.0' in lines
    assert 'accountscore_batch_scored_rows{model="churn-risk"} 7.0' in lines
    assert "accountscore_batch_queued_write_backs 3.0" in lines


def test_who_has_no_score_is_counted_by_the_reason() -> None:
    codes = {"churn-risk": {"not_customer": 1_200, OUTSIDE: 2}}
    done = replace(DONE, rows={"churn-risk": 1_209}, not_scored=codes)
    said = counted("churn-risk", done, "plan is enterprise")
    assert said == (
        "churn-risk: 7 scored, 1,202 without a score: 1,200 not customer, 2 of them outside its population (plan is enterprise)"
    )
    assert counted("churn-risk", replace(DONE, outside={})) == "churn-risk: 7 scored, 3 without a score"
