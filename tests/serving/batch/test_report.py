"""The report of a run: exit code, a line, JSON, and metrics for Prometheus."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from features.kit.errors import BadInput, Fault, UserMistake
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


class TestCard:
    def test_while_it_goes_on(self, report: Report) -> None:
        card = report.card(ended=False)
        assert (card.state, card.started_at, card.ended_at, card.exit_code) == (
            "running",
            "1970-01-01T00:16:40Z",
            None,
            None,
        )

    def test_of_one_that_published(self, report: Report) -> None:
        report.finished(replace(DONE, versions={"churn-risk": 4}, not_scored={"churn-risk": {"outside_population": 2}}))
        report.left_out(["lead-fit"])
        card = report.card()
        assert (card.state, card.exit_code, card.not_scored, card.run_id) == ("published", 2, ["lead-fit"], "abc")
        model = card.models["churn-risk"]
        assert (model.version, model.rows, model.scored, model.no_score) == (4, 10, 7, {"outside_population": 2})

    def test_a_fault_in_the_data_is_told_without_its_value(self, report: Report) -> None:
        fault = Fault(
            where="leads.sql, row 7", found="'jane@acme.com'", rule="a number", next_step="CAST 'jane@acme.com'"
        )
        report.failed(BadInput("source 'crm'", [fault]))
        why = report.card().why
        assert why is not None
        assert why.startswith("leads.sql, row 7: against the rule: a number.")
        assert "jane" not in why

    def test_a_fault_of_ours_and_one_that_was_stopped(self, report: Report) -> None:
        report.crashed(KeyError("jane@acme.com"))
        assert (report.card().state, report.card().why) == (
            "failed",
            "a fault of ours: KeyError; it is in what the command said",
        )
        report.crashed(KeyboardInterrupt())
        assert report.card().why == "it was stopped by hand; the same command goes on where it was"
