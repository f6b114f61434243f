"""Homes with cards: versions, how they stand, looks of the monitor, and nightly runs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models import card, card_file, standing
from models.catalog import get_model
from models.standing import StandingEvent

GATES = [
    {"name": "signal", "passed": True, "found": "AUC 0.848", "needed": "AUC of at least 0.55"},
    {"name": "drift", "passed": True, "found": "1.1 times", "needed": "between 0.61 and 1.65 times"},
]
REPORT: dict[str, Any] = {
    "verdict": "ready",
    "verdict_code": "ready",
    "ready": True,
    "why": [],
    "source": "sample",
    "scorer": "sha256:" + "0" * 64,
    "signals": 119,
    "themes": ["usage", "billing"],
    "base_rate": 0.0906,
    "capacity_share": 0.1,
    "metrics": {
        "auc": {"value": 0.848, "low": 0.823, "high": 0.872},
        "precision_at_capacity": {"value": 0.42, "low": 0.36, "high": 0.49},
        "lift_at_capacity": {"value": 4.6, "low": 4.1, "high": 5.2},
    },
    "one_column_rule": {"signal": "age", "rule": "age, lowest first", "auc": 0.7, "difference": {"value": 0.12}},
    "periods": {"train": {"from": "2025-03-13", "to": "2025-09-25", "rows": 8528, "with_outcome": 495}},
    "calibration_curve": [{"predicted": 0.05, "observed": 0.053, "low": 0.031, "high": 0.076, "n": 429}],
    "by_band": [{"band": "high", "rows": 430, "with_outcome": 180, "observed": {"value": 0.42}, "expected": 0.4}],
    "gates": GATES,
    "worst_misses": [{"entity_id": "acc_4711", "probability": 0.01, "outcome": 1}],
}
REFUSED: dict[str, Any] = {
    "verdict": "refused by its gates",
    "verdict_code": "refused",
    "ready": False,
    "why": ["drift: 2.1 times (needed: between 0.61 and 1.65 times)"],
    "gates": [GATES[0], {**GATES[1], "passed": False, "found": "2.1 times"}],
}


@dataclass(frozen=True)
class Version:
    """A version of the registry."""

    version: int
    aliases: tuple[str, ...] = ()
    tags: Mapping[str, str] | None = None


def put_card(home: Path, version: int, model: str = "churn-risk", **more: Any) -> Path:
    """Its card, as `fit` writes it."""
    path = card.place(home, model, version) / card.NAME
    path.parent.mkdir(parents=True, exist_ok=True)
    report = {**REPORT, "version": version, **more}
    path.write_bytes(card.encoded(report, get_model(model), "2026-11-23T06:00:00Z"))
    return path


def put_report(home: Path, version: int, model: str = "churn-risk", **more: Any) -> Path:
    """A report alone, as 0.2 left it."""
    path = card.place(home, model, version) / card.REPORT
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**REPORT, "version": version, "level_shift": float("nan"), **more}))
    return path


def put_standing(
    home: Path, *versions: Version, events: tuple[StandingEvent, ...] = (), model: str = "churn-risk"
) -> None:
    for each in (*reversed(events), None):
        standing.note(home, model, versions, each)


def put_look(home: Path, date: str, model: str = "churn-risk", **more: Any) -> Path:
    path = home / "monitor" / model / f"{date}.json"
    card_file.write(path, {"as_of": f"{date}T00:00:00+00:00", "verdict": "fine", "version": 1, **more})
    return path


def put_run(home: Path, date: str, scored: int, model: str = "churn-risk", version: int = 1, **more: Any) -> Path:
    """A nightly run that published scores of one model."""
    path = home / "batches" / f"{date.replace('-', '')}T020000Z-aaaaaa.json"
    of_model = {"version": version, "rows": scored, "scored": scored, "no_score": {}}
    content = {"state": "published", "source": "sample", "as_of": date, "started_at": f"{date}T02:00:00Z"}
    card_file.write(path, {**content, "models": {model: of_model}, **more})
    return path
