"""Signals as a scorer describes them, for tests that need a few of them and no model."""

from __future__ import annotations

from typing import Any

from models.scorer.artefact_schema import ScorerSpec, SignalSpec, Words


def signal_spec(name: str, **more: Any) -> SignalSpec:
    """A count of the theme usage, when nothing else is said."""
    described = {"theme": "usage", "unit": "count", "label": name, "window": "28 days", "missing": "not known"}
    return SignalSpec(name=name, words=Words(some=f"{name} is {{value}}."), **{**described, **more})


def scorer_spec(*signals: SignalSpec, **more: Any) -> ScorerSpec:
    """Of accounts that left within 90 days, two bands, and no quantiles."""
    described = {
        "format": 2,
        "model": "churn-risk",
        "title": "Churn risk",
        "entity": "account",
        "horizon_days": 90,
        "outcome": "left",
        "crowd": "accounts",
        "bands": [("high", 90), ("low", 1)],
        "base_rate": 0.1,
        "quantiles": [],
    }
    return ScorerSpec(signals=list(signals), **{**described, **more})
