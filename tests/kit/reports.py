"""The report of a fit with every part that a page may show; the names in it are hostile."""

from __future__ import annotations

from typing import Any

import numpy as np

from models.scorer.scorer import Scorer
from tests.kit.scorers import random_rows
from training.report import curves, words
from training.report.signals import top_signals
from training.report.speed import speed

HOSTILE = '<script>alert("1")</script>$x_{2}$ & "quoted"'


def estimate(value: float) -> dict[str, float]:
    return {"value": value, "low": value - 0.1 * abs(value), "high": value + 0.1 * abs(value)}


def make_report(scorer: Scorer, **more: Any) -> dict[str, Any]:
    """A report with every part, of random outcomes; the names in it are hostile."""
    x, y = random_rows(600, seed=3)
    p, group = scorer.probability(x), np.arange(600)
    masks = {f"region = {HOSTILE}": np.arange(600) < 300, "region = north": np.arange(600) >= 300}
    metrics = {name: estimate(0.3) for name in words.METRICS} | {"auc": estimate(0.8)}
    time = np.repeat([1_700_000_000_000_000, 1_702_500_000_000_000], 300)
    return {
        "model": "churn-risk",
        "version": 7,
        "promoted": True,
        "verdict": "ready",
        "verdict_code": "ready",
        "why": [],
        "source": HOSTILE,
        "scorer": "sha256:" + "0" * 64,
        "seed": 0,
        "rows": {"learnt from": 900, "judged by": 600, "already_leaving": 12},
        "chosen": "blend",
        "signals": 8,
        "trees": 60,
        "tree_share": 0.5,
        "candidates": {"trees": 0.2, "blend": 0.19},
        "trials": 4,
        "metrics": metrics,
        "beside": {"rule": metrics, "base_rate": metrics},
        "base_rate": 0.2,
        "capacity_share": 0.1,
        "perfect_calibration_band": 0.02,
        "one_column_rule": {
            "signal": HOSTILE,
            "rule": f"{HOSTILE}, lowest first",
            "auc": 0.7,
            "difference": estimate(0.1),
        },
        "calibration_curve": curves.calibration(y, p, group),
        "by_capacity": curves.by_capacity(y, p, group),
        "distribution": curves.distribution(y, p),
        "by_period": curves.by_period(y, p, group, time, 0.1),
        "by_segment": curves.by_segment(y, p, group, masks, 0.1, 100),
        "value": {
            "contact_cost": 100.0,
            "accept_rate": 0.3,
            "share_found_at_capacity": 0.36,
            "gain_at_capacity": estimate(129_662.8),
            "expected_gain_at_capacity": 128_000.0,
        },
        "gates": [{"name": "signal", "passed": True, "found": HOSTILE, "needed": "more"}],
        "audit_advice": [HOSTILE],
        "periods": {
            "train": {"from": "2024-01-01", "to": "2024-06-01", "rows": 900, "with_outcome": 90},
            "test": {"from": "2025-01-01", "to": "2025-02-01", "rows": 600, "with_outcome": 60},
        },
        "notes": [HOSTILE],
        "left_out": [{"signal": HOSTILE, "why": HOSTILE}],
        "worst_misses": [{"entity_id": HOSTILE, "probability": 0.01, "outcome": 1}],
        "top_signals": top_signals(scorer, x, y),
        "speed": speed(scorer, x),
        **more,
    }
