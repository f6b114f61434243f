"""What people read at the end of a command: figures, gates, the verdict, in 80 columns; what comes from data is no markup."""

from __future__ import annotations

from typing import Any

import pytest

from training import console


def estimate(value: float) -> dict[str, float]:
    return {"value": value, "low": value - 0.05, "high": value + 0.05}


def report(**more: Any) -> dict[str, Any]:
    gates = [
        {"name": "signal", "passed": False, "found": "AUC 0.51 (0.46 to 0.56) [not red]", "needed": "above 0.5"},
        {"name": "audit", "passed": True, "found": "no proof of a leak", "needed": "none"},
    ]
    return {
        "model": "churn-risk",
        "version": 3,
        "promoted": False,
        "ready": False,
        "verdict": "no signal found",
        "why": ["signal: x"],
        "metrics": {"auc": estimate(0.51), "empb": {"value": 12345.6, "low": -1.0, "high": float("nan")}},
        "beside": {"rule": {"auc": estimate(0.55)}},
        "one_column_rule": {"signal": "mrr", "rule": "[red]mrr[/], lowest first"},
        "chosen": "trees",
        "rows": {"judged by": 1234},
        "gates": gates,
        "notes": ["One note, " + "long " * 30],
        "page": "/home/report.html",
        "files": "/home/scorer",
        **more,
    }


class TestLearnt:
    def test_figures_gates_notes_and_last_the_verdict(self, capsys: pytest.CaptureFixture[str]) -> None:
        console.learnt(report())
        told = capsys.readouterr()
        assert told.out == ""
        lines = told.err.splitlines()
        assert lines[-2:] == [
            "churn-risk: no signal found; version 3 is not put live (failed: signal).",
            "Report: /home/report.html",
        ]
        assert any(line.split() == ["ROC", "AUC", "0.510", "0.460", "to", "0.560", "0.550"] for line in lines)
        assert "[not red]" in told.err
        assert "[red]mrr[/]" in told.err
        assert "needed:" in told.err
        assert all(len(line) <= 80 for line in lines if not line.startswith("Note: "))
        assert any(line == "Note: One note, " + "long " * 30 for line in lines), "a sentence stays whole in a pipe"

    def test_the_brief_form_has_three_lines(self, capsys: pytest.CaptureFixture[str]) -> None:
        figures = {"auc": estimate(0.8), "precision_at_capacity": estimate(0.42)}
        console.learnt_in_brief(report(metrics=figures, base_rate=0.09))
        assert capsys.readouterr().err.splitlines() == [
            "churn-risk: no signal found; version 3 is not put live (failed: signal).",
            "ROC AUC 0.800 (0.750 to 0.850), best rule with one column 0.550; of 100 on its list, 42 had the outcome; of 100 picked at random, 9.",
            "Report: /home/report.html",
        ]

    @pytest.mark.parametrize(
        ("more", "said"),
        [
            ({"promoted": True, "ready": True, "verdict": "ready", "why": []}, "ready; version 3 is champion."),
            (
                {"version": None, "ready": True, "verdict": "ready", "why": []},
                "ready; the scorer in /home/scorer is for use.",
            ),
            ({"version": None}, "no signal found; the scorer in /home/scorer is not for use."),
            ({"ready": True, "verdict": "ready", "why": []}, "ready; version 3 is not put live."),
        ],
    )
    def test_what_follows_from_the_verdict(self, more: dict[str, Any], said: str) -> None:
        assert console.sentence(report(**more)) == said
