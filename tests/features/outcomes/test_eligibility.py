"""Who gets no score, reason by reason, as it was known at `as_of`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from features.panel.build import build_panel
from tests.kit.company import at, make_source

BEGIN = at("2024-01-01")
AS_OF = at("2024-03-01")


def told(folder: Path, entity: Any, tables: Any) -> dict[str, str]:
    panel = build_panel(make_source(folder, tables), entity, [AS_OF], only=[])
    return dict(zip(panel["entity_id"].to_pylist(), panel["eligibility"].to_pylist(), strict=True))


def test_accounts_that_pay_and_have_not_given_notice_are_eligible(tmp_path: Path) -> None:
    kinds = {"internal": "internal", "rival": "competitor", "test": "test", "fine": "customer", "unknown": None}
    accounts: list[dict[str, Any]] = [
        {"account_id": name, "event_time": BEGIN, "kind": kind} for name, kind in kinds.items()
    ]
    accounts += [{"account_id": name, "event_time": BEGIN} for name in ("free", "leaving", "gone", "none")]
    accounts.append({"account_id": "objects", "event_time": BEGIN, "kind": "internal", "opted_out": True})

    def contract(name: str, status: str, mrr: float, day: str = "2024-02-01") -> dict[str, Any]:
        row = {"subscription_id": name, "account_id": name, "event_time": at(day)}
        return row | {"status": status, "mrr": mrr}

    contracts = [contract(name, "active", 9.0) for name in (*kinds, "objects", "leaving", "gone")]
    contracts += [contract("free", "active", 0.0), contract("leaving", "notice", 9.0, "2024-02-10")]
    contracts += [contract("gone", "ended", 0.0, "2024-02-20"), contract("fine", "notice", 9.0, "2024-03-01")]
    assert told(tmp_path, "account", {"accounts": accounts, "subscriptions": contracts}) == {
        "fine": "eligible",  # its notice at as_of itself is not known yet
        "unknown": "eligible",
        "internal": "internal",
        "rival": "internal",
        "test": "internal",
        "objects": "opted_out",  # the first reason that holds is told
        "free": "not_customer",
        "gone": "not_customer",
        "none": "not_customer",
        "leaving": "already_leaving",
    }


def test_without_contracts_nobody_is_left_out_for_not_paying(tmp_path: Path) -> None:
    accounts = [{"account_id": "a", "event_time": BEGIN}, {"account_id": "t", "event_time": BEGIN, "kind": "test"}]
    assert told(tmp_path, "account", {"accounts": accounts}) == {"a": "eligible", "t": "internal"}


def test_leads_that_are_open_and_did_not_object_are_eligible(tmp_path: Path) -> None:
    statuses = {"new": "open", "qualified": "qualified", "won": "converted", "lost": "disqualified"}
    leads = [{"lead_id": name, "event_time": BEGIN, "status": status} for name, status in statuses.items()]
    leads.append({"lead_id": "objects", "event_time": BEGIN, "status": "open", "opted_out": True})
    assert told(tmp_path, "lead", {"leads": leads}) == {
        "new": "eligible",
        "qualified": "eligible",
        "won": "closed",
        "lost": "closed",
        "objects": "opted_out",
    }
