"""Small companies whose outcomes are known by hand: contracts that end, leads that are won."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from features.kit.clock import DAY_US, to_us
from features.outcomes.churn import CHURN
from features.outcomes.conversion import CONVERSION
from features.outcomes.labels import Outcomes, label
from features.outcomes.read import read_outcomes
from features.sources.source import Source
from tests.kit.company import Rows, at, make_source

HORIZON = 90 * DAY_US


def contract(account: str, *versions: tuple[str, str, float], number: int = 0) -> list[dict[str, Any]]:
    """Version rows: (date, status, mrr)."""
    return [
        {
            "subscription_id": f"{account}s{number}",
            "account_id": account,
            "event_time": at(when),
            "status": status,
            "mrr": mrr,
        }
        for when, status, mrr in versions
    ]


def customers(folder: Path, subscriptions: list[dict[str, Any]], end: str = "2025-06-01") -> Source:
    """The accounts of these contracts; usage on the last day, so that the data go on after the outcomes."""
    names = {row["account_id"] for row in subscriptions}
    rows: Rows = {
        "accounts": [{"account_id": name, "event_time": at("2023-01-01")} for name in sorted(names)],
        "subscriptions": subscriptions,
        "usage": [{"account_id": "a", "event_time": at(end)}],
    }
    return make_source(folder / "source", rows)


def churn_of(folder: Path, subscriptions: list[dict[str, Any]], end: str = "2025-06-01") -> Outcomes:
    return read_outcomes(customers(folder, subscriptions, end), CHURN)


def churned(outcomes: Outcomes, account: str, as_of: str) -> float:
    """The label of an account with a horizon of 90 days."""
    return float(label(outcomes, [account], np.array([to_us(at(as_of))]), HORIZON)[0])


def conversion_of(folder: Path, **tables: list[dict[str, Any]]) -> Outcomes:
    """Five leads: of an account, by their mail domain, with free mail, of a domain of two owners, and without a company."""
    rows: dict[str, Any] = {
        "accounts": [
            {"account_id": "a", "event_time": at("2024-01-01"), "domain": "acme.com"},
            {"account_id": "b", "event_time": at("2024-01-01"), "domain": "gmail.com"},
            {"account_id": "c", "event_time": at("2024-01-01"), "domain": "shared.com"},
            {"account_id": "d", "event_time": at("2024-01-01"), "domain": "shared.com"},
        ],
        "leads": [
            {"lead_id": "by_account", "event_time": at("2024-01-02"), "account_id": "a", "status": "open"},
            {"lead_id": "by_domain", "event_time": at("2024-01-02"), "email": "X@ACME.com", "status": "open"},
            {"lead_id": "free_mail", "event_time": at("2024-01-02"), "email": "x@gmail.com", "status": "open"},
            {"lead_id": "two_owners", "event_time": at("2024-01-02"), "email": "x@shared.com", "status": "open"},
            {"lead_id": "direct", "event_time": at("2024-01-02"), "status": "open"},
        ],
        "touches": [{"kind": "call", "event_time": at("2025-06-01")}],
        **tables,
    }
    return read_outcomes(make_source(folder / "source", rows), CONVERSION)


def deal(account: str | None, when: str, lead: str | None = None) -> dict[str, Any]:
    """A deal that was won."""
    row = {
        "opportunity_id": f"{account}{lead}",
        "event_time": at(when),
        "stage": "x",
        "status": "won",
        "account_id": account,
    }
    return {**row, "lead_id": lead}
