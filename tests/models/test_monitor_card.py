"""A look of the monitor by its date: those of this version and of 0.2, which wrote no schema."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from models import card_file, monitor_card
from models.card import CardMeasure
from models.card_file import Unreadable

LOOK = {
    "model": "churn-risk",
    "version": 3,
    "source": "sample",
    "as_of": "2026-11-23T00:00:00+00:00",
    "verdict": "someone should look",
    "why": ["drift: the score: 0.31 (limit: ...)"],
    "checks": [{"name": "drift", "state": "look", "found": "the score: 0.31", "limit": "0.25"}],
    "ripe": {
        "rows": 10,
        "with_outcome": 2,
        "bands": [
            {
                "band": "all",
                "rows": 10,
                "observed": 2,
                "expected": {"value": 1.5, "low": 0, "high": 4},
                "beyond_chance": False,
            }
        ],
    },
    "pending": {"rows": 5, "bands": [{"band": "all", "rows": 5, "expected": 0.7, "observed_so_far": 1}]},
    "estimated_now": {"auc": {"value": 0.84, "low": None, "high": None}},
    "score_drift": {"psi": 0.31, "noise": 0.01},
    "signals": [{"signal": "mrr", "theme": "usage", "weight": 0.1, "psi": None, "noise": 0.0, "named": ["new"]}],
    "notes": [],
}


def put(home: Path, name: str, content: str) -> None:
    path = home / "monitor" / "churn-risk" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)


def test_dates_are_the_newest_first_and_other_files_none(tmp_path: Path) -> None:
    assert monitor_card.dates(tmp_path, "churn-risk") == []
    for name in (
        "2026-11-01.json",
        "2026-11-23.json",
        "notes.json",
        ".2026-11-24.json.1.partial",
        "2026-11-30.json.bak",
    ):
        put(tmp_path, name, "{}")
    assert monitor_card.dates(tmp_path, "churn-risk") == ["2026-11-23", "2026-11-01"]


def test_a_look_is_read(tmp_path: Path) -> None:
    card_file.write(tmp_path / "monitor" / "churn-risk" / "2026-11-23.json", LOOK)
    found = monitor_card.read(tmp_path, "churn-risk", "2026-11-23")
    assert found is not None
    assert (found.verdict, found.version, found.why) == ("someone should look", 3, LOOK["why"])
    ripe, pending = found.ripe.bands[0], found.pending.bands[0]
    assert (ripe.observed, ripe.expected) == (2, CardMeasure(value=1.5, low=0, high=4))
    assert (pending.observed, pending.observed_so_far, pending.expected) == (None, 1, 0.7)
    assert monitor_card.read(tmp_path, "churn-risk", "2026-11-24") is None


def test_one_of_version_0_2_is_read(tmp_path: Path) -> None:
    put(tmp_path, "2026-11-23.json", json.dumps({**LOOK, "score_drift": {"psi": float("nan")}}))
    found = monitor_card.read(tmp_path, "churn-risk", "2026-11-23")
    assert found is not None
    assert found.score_drift == {"psi": None}


def test_a_broken_one_names_the_next_step(tmp_path: Path) -> None:
    put(tmp_path, "2026-11-23.json", '{"as_of": "2026-')
    with pytest.raises(Unreadable, match=r"2026-11-23\.json is not complete JSON: python -m training monitor"):
        monitor_card.read(tmp_path, "churn-risk", "2026-11-23")
