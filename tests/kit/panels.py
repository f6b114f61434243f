"""Panels side by side: the engines they are built on, and where two of them differ."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
import pytest

from features.panel.build import build_panel
from features.signals.signal import Entity
from tests.kit.company import Rows, at, make_source, random_company

LEAP_DAY = at("2024-02-29")  # the end of a month, too
Test = TypeVar("Test", bound=Callable[..., object])
SPARK = (
    pytest.mark.spark,
    pytest.mark.skipif(shutil.which("java") is None, reason="Spark needs a Java runtime (java on the PATH)"),
    # its own notice, until 4.4
    pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas:FutureWarning"),
)


def on_spark(test: Test) -> Test:
    """Marks a test that builds a panel on Spark."""
    for mark in SPARK:
        test = mark(test)
    return test


ENGINES = ["duckdb", "pandas", pytest.param("spark", marks=[*SPARK, pytest.mark.slow])]
"""Spark in the long run only: a panel on it takes 10 to 40 seconds, and `test_engines` has one of each kind in every run."""


def differences(left: pa.Table, right: pa.Table) -> list[str]:
    """Columns whose bits or nulls differ."""
    assert left.column_names == right.column_names
    return [name for name in left.column_names if left[name].to_pylist() != right[name].to_pylist()]


def same(left: pa.Table, right: pa.Table) -> bool:
    """Whether both have the same columns with the same bits."""
    return left.column_names == right.column_names and not differences(left, right)


def edge_cases() -> dict[str, list[dict[str, Any]]]:
    """A random company (nulls, late rows, ties at midnight) and the accounts that break careless code."""
    tables = random_company(1, days=130)
    silent = {"account_id": "silent", "event_time": at("2023-01-31")}
    once = {"account_id": "once", "event_time": at("2023-12-31T23:59:59.999999"), "domain": "Once.example"}
    tie = {"account_id": "tie", "event_time": LEAP_DAY - dt.timedelta(microseconds=1), "domain": "gmail.com"}
    at_as_of = {"account_id": "future", "event_time": LEAP_DAY}
    tables["accounts"] += [silent, once, tie, at_as_of]
    usage = {"account_id": "once", "user_id": "u", "feature": "board"}
    tables["usage"] += [
        usage | {"event_time": at("2024-01-31T23:59:59.999999")},
        {"account_id": "tie", "user_id": "u", "event_time": LEAP_DAY},
        {"account_id": "tie", "user_id": "u", "event_time": LEAP_DAY - dt.timedelta(microseconds=1)},
        # The day of a window's left end, inside and outside.
        {"account_id": "tie", "user_id": "v", "event_time": LEAP_DAY - dt.timedelta(days=28)},
        {"account_id": "tie", "user_id": "w", "event_time": LEAP_DAY - dt.timedelta(days=28, microseconds=1)},
        # Known to the microsecond at as_of, weeks late, and years late.
        {"account_id": "tie", "user_id": "x", "event_time": at("2024-02-01"), "known_time": LEAP_DAY},
        {"account_id": "tie", "user_id": "y", "event_time": at("2024-02-01"), "known_time": at("2024-03-01")},
        {"account_id": "tie", "user_id": "z", "event_time": at("2020-02-29"), "known_time": at("2024-02-28")},
    ]
    firm = {"region": "north", "country": "DE", "employees": 7, "annual_revenue": 1e6, "channel": "paid"}
    person = {"department": "it", "campaign_kind": "webinar"}
    tables["leads"].append({"lead_id": "whole", "event_time": at("2024-01-31"), "status": "open", **firm, **person})
    for number, (due, paid) in enumerate((("2024-01-01", "2024-01-03"), ("2023-11-01", "2023-11-08"))):
        bill = {"invoice_id": f"i-tie{number}", "account_id": "tie", "amount": 10.0, "due_time": at(due)}
        tables["invoices"].append(bill | {"event_time": at(paid), "status": "paid"})
    contract = {"subscription_id": "s-tie", "account_id": "tie", "status": "active", "mrr": 0.01, "seats": 1}
    tables["subscriptions"] += [
        contract | {"event_time": at("2024-01-31"), "term_end": LEAP_DAY},
        contract | {"event_time": LEAP_DAY, "mrr": 7e9},
    ]
    return tables


def signals_at(folder: Path, tables: Rows, as_of: str, *names: str, entity: Entity = "account") -> dict[str, Any]:
    """Signals of every entity of a small company at one moment: id -> name -> value."""
    panel = build_panel(make_source(folder, tables), entity, [at(as_of)], only=names)
    return {row["entity_id"]: {name: row[name] for name in names} for row in panel.to_pylist()}
