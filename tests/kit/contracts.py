"""One account's contracts, and what its revenue becomes within the horizon."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from features.kit.clock import DAY_US, to_us
from features.outcomes.expansion import EXPANSION
from features.outcomes.labels import Outcomes, label
from features.outcomes.read import read_outcomes
from features.sources.source import Source
from tests.kit.company import at, make_source

AS_OF, HORIZON = "2024-03-01", 90
"""The window ends on 2024-05-30."""


def contract(number: int, *versions: tuple[str, str, float]) -> list[dict[str, Any]]:
    return [
        {"subscription_id": f"s{number}", "account_id": "a", "event_time": at(when), "status": status, "mrr": mrr}
        for when, status, mrr in versions
    ]


def company(folder: Path, *contracts: list[dict[str, Any]], end: str = "2025-01-01") -> Source:
    rows: dict[str, Any] = {
        "accounts": [{"account_id": "a", "event_time": at("2023-01-01")}],
        "subscriptions": [row for rows in contracts for row in rows],
        "usage": [{"account_id": "a", "event_time": at(end)}],
    }
    return make_source(folder, rows)


def expanded(outcomes: Outcomes, as_of: str = AS_OF) -> float:
    return float(label(outcomes, ["a"], np.array([to_us(at(as_of))]), HORIZON * DAY_US)[0])


def of(folder: Path, *contracts: list[dict[str, Any]], **more: str) -> Outcomes:
    return read_outcomes(company(folder, *contracts, **more), EXPANSION)


START = ("2023-06-01", "active", 100.0)


RISE = ("2024-04-01", "active", 110.0)
