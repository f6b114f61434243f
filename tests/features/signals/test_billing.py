"""Invoices: what is overdue, what failed, and how late they pay."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.kit.company import at
from tests.kit.panels import signals_at

AS_OF = "2024-03-11"


def bill(name: str, day: str, status: str, amount: float, due: str | None = None) -> dict[str, Any]:
    row = {"invoice_id": name, "account_id": "a", "event_time": at(day), "status": status, "amount": amount}
    return {**row, "due_time": at(due) if due else None}


@pytest.fixture
def found(tmp_path: Path) -> dict[str, Any]:
    tables = {
        "accounts": [{"account_id": name, "event_time": at("2023-01-01")} for name in ("a", "none")],
        "invoices": [
            bill("late", "2024-02-20", "open", 100.0, "2024-03-01"),
            bill("not due", "2024-03-01", "open", 30.0, "2024-04-01"),
            bill("failed", "2024-03-02", "open", 50.0),
            bill("failed", "2024-03-04", "failed", 50.0),
            bill("paid late", "2024-03-05", "paid", 7.0, "2024-03-01"),
            bill("paid early", "2024-03-06", "paid", 7.0, "2024-03-08"),
            bill("of the period before", "2023-12-01", "paid", 7.0, "2023-11-22"),
        ],
    }
    names = [
        "overdue_amount",
        "overdue_invoices",
        "days_overdue",
        "open_invoice_amount",
        "failed_payments_28d",
        "days_paid_late_84d",
        "days_paid_late_change_84d",
    ]
    return signals_at(tmp_path, tables, AS_OF, *names)


def test_only_what_is_unpaid_after_its_day_is_overdue(found: dict[str, Any]) -> None:
    row = found["a"]
    assert (row["overdue_amount"], row["overdue_invoices"]) == (100.0, 1.0)
    assert row["days_overdue"] == 9.0, "due ten days ago to the microsecond: nine whole days lie between"
    assert row["open_invoice_amount"] == 180.0, "100 overdue, 30 not yet due, 50 whose payment failed"


def test_a_failed_payment_is_counted_once_however_many_versions_its_invoice_has(found: dict[str, Any]) -> None:
    assert found["a"]["failed_payments_28d"] == 1.0


def test_days_late_are_a_mean_in_which_early_counts_as_0(found: dict[str, Any]) -> None:
    assert found["a"]["days_paid_late_84d"] == (4 + 0) / 2
    assert found["a"]["days_paid_late_change_84d"] == 2.0 - 9.0


def test_without_invoices_amounts_are_0_and_days_are_missing(found: dict[str, Any]) -> None:
    assert list(found["none"].values()) == [0.0, 0.0, None, 0.0, 0.0, None, None]
