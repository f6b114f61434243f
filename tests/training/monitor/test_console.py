"""What people read of a watched model: the checks, and last the verdict with its reasons and the path of the report."""

from __future__ import annotations

from typing import Any

import pytest

from training.monitor.console import MOST_SIGNALS, watched


def estimate(value: float) -> dict[str, float]:
    return {"value": value, "low": value - 1, "high": value + 1}


def report(**more: Any) -> dict[str, Any]:
    band = {"band": "high", "rows": 40, "observed": 9, "expected": estimate(20), "beyond_chance": True}
    moved = {
        "signal": "[red]plan[/]",
        "weight": 0.2,
        "psi": None,
        "missing": 0.1,
        "missing_then": 0.2,
        "new_words": 0.3,
        "outside": 0.0,
    }
    return {
        "model": "churn-risk",
        "version": 3,
        "as_of": "2026-01-31T00:00:00+00:00",
        "verdict": "someone should look",
        "why": ["drift: plan: 0.40 (limit: 0.25)"],
        "ripe": {"bands": [band]},
        "pending": {"bands": [{"band": "all", "rows": 1200, "expected": 30.4, "observed_so_far": 2}]},
        "by_action": {"acted_upon": {"rows": 12, "bands": [band]}, "left_alone": {"rows": 0}},
        "signals": [moved, *({**moved, "signal": f"s{n}", "psi": 0.01} for n in range(20))],
        "rows": {"now": 1500},
        "estimated_now": {name: estimate(0.5) for name in ("auc", "precision_at_capacity", "brier")},
        "notes": ["One note."],
        "checks": [{"name": "drift", "state": "look", "found": "plan: 0.40", "limit": "at most 0.25"}],
        "file": "/home/monitor.json",
        **more,
    }


def told(capsys: pytest.CaptureFixture[str], **more: Any) -> list[str]:
    watched(report(**more))
    found = capsys.readouterr()
    assert found.out == "", "stdout is for --json"
    return found.err.splitlines()


def test_the_verdict_comes_last_with_its_reasons_and_the_path(capsys: pytest.CaptureFixture[str]) -> None:
    assert told(capsys)[-3:] == [
        "churn-risk version 3 as of 2026-01-31: someone should look.",
        "  - drift: plan: 0.40 (limit: 0.25)",
        "Report: /home/monitor.json",
    ]
    assert told(capsys, version=None, verdict="fine", why=[])[-2:] == [
        "churn-risk as of 2026-01-31: fine.",
        "Report: /home/monitor.json",
    ]


def test_expected_and_observed_stand_beside_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    lines = [" ".join(line.split()) for line in told(capsys)]
    assert any(line.startswith("ripe high 40 20 (19 to 21) 9 beyond") for line in lines)
    assert any(line.startswith("pending all 1,200 30 2 so far") for line in lines)
    assert "acted upon: 9 outcomes in 12 ripe rows, 20 expected" in lines
    assert not any(line.startswith("left alone") for line in lines), "a part without rows has nothing to say"


def test_the_most_moved_signals_are_shown_as_they_are_called(capsys: pytest.CaptureFixture[str]) -> None:
    lines = told(capsys)
    assert any("[red]plan[/]" in line for line in lines), "what comes from data is no markup"
    shown = [line.split()[0] for line in lines if line.strip().startswith("s") and line.split()[0][1:].isdigit()]
    assert shown == [f"s{n}" for n in range(MOST_SIGNALS - 1)]
