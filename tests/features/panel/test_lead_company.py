"""A lead whose company is known to have bought is not eligible: by account or mail domain, and never before it was known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from features.panel import build
from features.panel.build import build_panel
from features.panel.lead_company import companies_of, leads_of
from features.sources.overlay import overlay
from features.sources.source import Source
from tests.kit.company import at, make_source

LEADS = ("by_account", "by_domain", "free_mail", "two_owners", "alone", "direct")


def company(folder: Path, **tables: list[dict[str, Any]]) -> Source:
    start = at("2024-01-01")
    accounts = [("a", "ACME.com "), ("b", "gmail.com"), ("c", "shared.com"), ("d", "shared.com"), ("e", None)]
    mails = {"by_domain": "X@acme.com", "free_mail": "x@gmail.com", "two_owners": "x@shared.com", "alone": None}
    return make_source(
        folder / "source",
        {
            "accounts": [{"account_id": i, "event_time": start, "domain": domain} for i, domain in accounts],
            "leads": [
                {
                    "lead_id": i,
                    "event_time": start,
                    "status": "open",
                    "email": mails.get(i),
                    "account_id": "a" if i == "by_account" else None,
                }
                for i in LEADS
            ],
            **tables,
        },
    )


def deal(account: str | None = None, lead: str | None = None, **more: Any) -> dict[str, Any]:
    own = {"opportunity_id": f"{account}{lead}", "account_id": account, "lead_id": lead, "stage": "x"}
    return {**own, "status": "won", "event_time": at("2024-03-01"), **more}


def contract(account: str, *versions: tuple[str, str, float]) -> list[dict[str, Any]]:
    return [
        {"subscription_id": account, "account_id": account, "event_time": at(day), "status": status, "mrr": mrr}
        for day, status, mrr in versions
    ]


def bought_by(source: Source, day: str, **how: Any) -> list[str]:
    rows = build_panel(source, "lead", [at(day)], only=[], **how).to_pylist()
    return sorted(r["entity_id"] for r in rows if r["eligibility"] == "already_customer")


class TestEligibility:
    @pytest.mark.parametrize("engine", ["duckdb", "pandas"])
    def test_a_deal_counts_by_account_and_by_the_domain_of_one_owner(self, tmp_path: Path, engine: str) -> None:
        source = company(tmp_path, opportunities=[*(deal(a) for a in "abcde"), deal(lead="direct")])
        assert bought_by(source, "2024-04-01", engine=engine) == ["by_account", "by_domain", "direct"]
        assert bought_by(source, "2024-03-01", engine=engine) == [], "at the very moment it is not known yet"
        assert bought_by(source, "2024-03-01T00:00:00.000001", engine=engine) == ["by_account", "by_domain", "direct"]

    @pytest.mark.parametrize("engine", ["duckdb", "pandas"])
    def test_a_paid_contract_counts_also_when_it_ended(self, tmp_path: Path, engine: str) -> None:
        versions = (("2024-02-01", "trial", 0.0), ("2024-03-01", "active", 9.0), ("2024-05-01", "ended", 0.0))
        source = company(tmp_path, subscriptions=contract("a", *versions))
        assert bought_by(source, "2024-02-15", engine=engine) == [], "a trial is no customer"
        for day in ("2024-03-02", "2024-06-01"):
            assert bought_by(source, day, engine=engine) == ["by_account", "by_domain"]

    def test_lost_and_open_deals_and_free_plans_are_none(self, tmp_path: Path) -> None:
        deals = [deal("a", status="lost"), deal("a", "direct", status="open")]
        source = company(tmp_path, opportunities=deals, subscriptions=contract("a", ("2024-02-01", "active", 0.0)))
        assert bought_by(source, "2024-04-01") == []

    def test_a_win_counts_from_when_it_was_known(self, tmp_path: Path) -> None:
        source = company(tmp_path, opportunities=[deal("a", known_time=at("2024-05-01"))])
        assert bought_by(source, "2024-05-01") == []
        assert bought_by(source, "2024-05-02") == ["by_account", "by_domain"]

    def test_a_domain_counts_until_a_second_account_has_it(self, tmp_path: Path) -> None:
        source = company(tmp_path, opportunities=[deal("a")])
        twin = {"account_id": "f", "event_time": at("2024-04-01"), "domain": "acme.com"}
        later = overlay(source, "accounts", [twin])
        assert bought_by(later, "2024-04-01") == ["by_account", "by_domain"]
        assert bought_by(later, "2024-04-02") == ["by_account"], "from then on nobody can tell whose lead it is"

    def test_some_ids_equal_their_rows_of_all(self, tmp_path: Path) -> None:
        """The worker asks for a few leads: whose domain has two owners must not look like one with one."""
        source = company(tmp_path, opportunities=[*(deal(a) for a in "abcde"), deal(lead="direct")])
        each = [bought_by(source, "2024-04-01", ids=[lead]) for lead in LEADS]
        assert sorted(lead for found in each for lead in found) == bought_by(source, "2024-04-01")

    def test_without_the_guard_they_were_scored(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        source = company(tmp_path, opportunities=[deal("a")])
        whole = build.customers  # type: ignore[attr-defined]

        def blind(engine: Any, source: Source, leads: Any, ids: Any, *_: Any) -> Any:
            return whole(engine, source, leads, ids).with_columns(company_bought=build.nw.lit(0))  # type: ignore[attr-defined]

        monkeypatch.setattr(build, "customers", blind)
        assert bought_by(source, "2024-04-01") == []


class TestLinks:
    def test_links_are_found_from_leads_and_from_accounts(self, tmp_path: Path) -> None:
        source = company(tmp_path)
        assert companies_of(source, ["by_account"]) == ["a"]
        assert companies_of(source, ["by_domain", "free_mail"]) == ["a"]
        assert companies_of(source, ["two_owners"]) == ["c", "d"], "both, so that it is seen that there are two"
        assert leads_of(source, ["a"]) == ["by_account", "by_domain"]
        assert leads_of(source, ["b", "e"]) == []
