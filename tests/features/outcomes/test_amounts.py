"""What is at stake, as known at `as_of`: a year of recurring revenue, the largest open deal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from features.panel.build import build_panel
from tests.kit.company import at, make_source
from tests.kit.outcomes import contract

ACCOUNTS = [{"account_id": name, "event_time": at("2024-01-01")} for name in ("a", "b")]


def values(folder: Path, entity: Any, as_of: str, **tables: Any) -> list[float | None]:
    found: list[float | None] = build_panel(make_source(folder, tables), entity, [at(as_of)], only=[])[
        "value"
    ].to_pylist()
    return found


def test_an_account_is_worth_twelve_months_of_what_it_pays(tmp_path: Path) -> None:
    rows = contract("a", ("2024-01-01", "active", 10.5), ("2024-03-01", "active", 20.0), ("2024-05-01", "ended", 0.0))
    tables = {"accounts": ACCOUNTS, "subscriptions": rows}
    assert values(tmp_path / "1", "account", "2024-02-01", **tables) == [126.0, 0.0]
    assert values(tmp_path / "2", "account", "2024-03-01", **tables) == [126.0, 0.0], (
        "the rise at as_of is not known yet"
    )
    assert values(tmp_path / "3", "account", "2024-06-01", **tables) == [0.0, 0.0]
    assert values(tmp_path / "4", "account", "2024-02-01", accounts=ACCOUNTS) == [None, None], "no contracts, no amount"


def test_a_lead_is_worth_its_largest_open_deal(tmp_path: Path) -> None:
    leads = [{"lead_id": name, "status": "open", "event_time": at("2024-01-01")} for name in ("l", "m")]
    deals = [
        {
            "opportunity_id": f"o{n}",
            "lead_id": "l",
            "event_time": at("2024-01-02"),
            "stage": "x",
            "status": status,
            "amount": amount,
        }
        for n, (status, amount) in enumerate([("open", 100.0), ("open", 300.0), ("lost", 900.0), ("open", None)])
    ]
    assert values(tmp_path / "1", "lead", "2024-02-01", leads=leads, opportunities=deals) == [300.0, None]
    assert values(tmp_path / "2", "lead", "2024-02-01", leads=leads) == [None, None]
