"""The company, its domain, and the people whom we know there."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import narwhals as nw
import pyarrow as pa
import pytest

from features.signals.firmographic import mail_domain
from tests.kit.company import at
from tests.kit.panels import signals_at

AS_OF = "2024-05-01"
BEGIN = at("2024-01-01")


def test_a_mail_domain_is_what_follows_the_last_at_sign() -> None:
    mails = pa.table({"email": [" X@Firm.Example ", "a@b@c.com", "no-address", None]})
    found = nw.from_native(mails).select(d=mail_domain(nw.col("email"))).to_native()["d"].to_pylist()
    assert found == ["firm.example", "c.com", None, None]


class TestCompany:
    def test_facts_and_how_many_are_on_record(self, tmp_path: Path) -> None:
        founded = at(AS_OF) - dt.timedelta(days=731)
        known = {"industry": "software", "employees": 250, "annual_revenue": 1e6, "founded_time": founded}
        rows = [{"account_id": "a", "event_time": BEGIN, **known}, {"account_id": "b", "event_time": BEGIN}]
        names = ("industry", "employees", "annual_revenue", "record_completeness", "company_age_years")
        found = signals_at(tmp_path, {"accounts": rows}, AS_OF, *names)
        assert list(found["a"].values()) == ["software", 250.0, 1e6, 3 / 5, pytest.approx(730 / 365.25)]
        assert list(found["b"].values()) == [None, None, None, 0.0, None]

    def test_a_domain_of_a_free_mail_provider_is_none_of_its_own(self, tmp_path: Path) -> None:
        domains = {"own": "Firm.example", "free": " GMail.com", "word": "intranet", "none": None}
        rows = [{"account_id": name, "event_time": BEGIN, "domain": domain} for name, domain in domains.items()]
        found = signals_at(tmp_path, {"accounts": rows}, AS_OF, "has_business_domain")
        assert {name: row["has_business_domain"] for name, row in found.items()} == {
            "own": 1.0,
            "free": 0.0,
            "word": None,
            "none": None,
        }


def contact(name: str, **columns: Any) -> dict[str, Any]:
    return {"contact_id": name, "account_id": "a", "event_time": BEGIN, **columns}


PEOPLE = [
    contact("p", department="it", seniority="vp", is_decision_maker=True),
    contact("q", department="it", seniority="manager", has_left=True),
    contact("r", department="sales"),
]


class TestCommittee:
    def test_people_of_an_account(self, tmp_path: Path) -> None:
        accounts = [{"account_id": name, "event_time": BEGIN} for name in ("a", "b")]
        names = ("contacts_known", "departments_known", "senior_contacts", "has_decision_maker", "contacts_left_share")
        found = signals_at(tmp_path, {"accounts": accounts, "contacts": PEOPLE}, AS_OF, *names)
        assert list(found["a"].values()) == [3.0, 2.0, 1.0, 1.0, pytest.approx(1 / 3)]
        assert list(found["b"].values()) == [0.0, 0.0, 0.0, 0.0, None]

    def test_people_at_the_company_of_a_lead(self, tmp_path: Path) -> None:
        leads = [
            {"lead_id": name, "account_id": company, "status": "open", "event_time": BEGIN}
            for name, company in (("linked", "a"), ("alone", None))
        ]
        names = ("company_contacts_known", "company_departments_known", "company_has_decision_maker")
        tables: dict[str, list[dict[str, Any]]] = {
            "accounts": [{"account_id": "a", "event_time": BEGIN}],
            "leads": leads,
            "contacts": PEOPLE,
        }
        found = signals_at(tmp_path, tables, AS_OF, *names, entity="lead")
        assert list(found["linked"].values()) == [3.0, 2.0, 1.0]
        assert list(found["alone"].values()) == [None, None, None]


def test_the_person_behind_a_lead(tmp_path: Path) -> None:
    given = {"seniority": "c_level", "title": "CTO", "email": "x@gmail.com"}
    rows = [
        {"lead_id": name, "status": "open", "event_time": BEGIN, **columns}
        for name, columns in (("known", given), ("firm", {"email": "x@firm.example"}), ("bare", {}))
    ]
    found = signals_at(tmp_path, {"leads": rows}, AS_OF, "seniority", "has_title", "uses_free_mail", entity="lead")
    assert list(found["known"].values()) == ["c_level", 1.0, 1.0]
    assert list(found["firm"].values()) == [None, 0.0, 0.0]
    assert list(found["bare"].values()) == [None, 0.0, None]
