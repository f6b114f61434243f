"""Where an account or a lead came from, and what the lead's company already is to us."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.kit.company import at
from tests.kit.panels import signals_at

ORIGIN = ("channel", "campaign_kind", "has_partner", "started_from_trial", "account_age_days")
COMPANY = ("company_is_customer", "open_leads_of_company")


def account(name: str, **columns: Any) -> dict[str, Any]:
    return {"account_id": name, "event_time": at("2024-01-01"), **columns}


class TestOrigin:
    @pytest.fixture
    def found(self, tmp_path: Path) -> dict[str, Any]:
        known = {"channel": "paid", "campaign_kind": "webinar", "partner": "acme", "is_trial": True}
        return signals_at(tmp_path, {"accounts": [account("known", **known), account("bare")]}, "2024-01-31", *ORIGIN)

    def test_is_read_from_the_record(self, found: dict[str, Any]) -> None:
        # 30 days and not one microsecond more: 29 whole days lie before the last one.
        assert list(found["known"].values()) == ["paid", "webinar", 1.0, 1.0, 29.0]

    def test_what_is_not_recorded_is_missing_and_flags_are_0(self, found: dict[str, Any]) -> None:
        assert list(found["bare"].values()) == [None, None, 0.0, 0.0, 29.0]


class TestCompanyOfALead:
    @pytest.fixture
    def found(self, tmp_path: Path) -> dict[str, Any]:
        def lead(name: str, company: str | None, status: str = "open") -> dict[str, Any]:
            return {"lead_id": name, "account_id": company, "event_time": at("2024-01-01"), "status": status}

        contract = {"subscription_id": "s", "account_id": "payer", "event_time": at("2024-01-02"), "mrr": 9.0}
        tables = {
            "accounts": [account("payer"), account("prospect")],
            "leads": [lead("a", "payer"), lead("b", "payer", "disqualified"), lead("c", "prospect"), lead("d", None)],
            "subscriptions": [contract | {"status": "active"}],
        }
        return signals_at(tmp_path, tables, "2024-02-01", *COMPANY, entity="lead")

    def test_says_whether_it_pays_and_how_many_of_its_leads_are_open(self, found: dict[str, Any]) -> None:
        assert found["a"] == {"company_is_customer": 1.0, "open_leads_of_company": 1.0}
        assert found["c"] == {"company_is_customer": 0.0, "open_leads_of_company": 1.0}

    def test_a_lead_without_a_company_has_neither(self, found: dict[str, Any]) -> None:
        assert found["d"] == {"company_is_customer": None, "open_leads_of_company": None}
