"""What the datasets' own notes say to drop for leakage is found, with at most two false alarms of high severity."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pandas as pd
import pytest

from features.audit.table import audit_table
from tests.kit.audits import codes_of


@pytest.fixture(scope="module")
def datasets() -> Path:
    given = os.environ.get("ACCOUNTSCORE_DATA")
    if not given:
        pytest.skip("ACCOUNTSCORE_DATA is not set: the public datasets are needed")
    return Path(given)


class TestPublicDatasets:
    """What the datasets' own notes say to drop for leakage is found, with at most two false alarms of high severity."""

    def test_x_education_columns_to_drop_are_found(self, datasets: Path) -> None:
        found = audit_table(pd.read_csv(datasets / "x_education_leads/Leads.csv.gz"), "Converted")
        flagged = {c for f in found for c in f.columns}
        drop = {
            "Prospect ID",
            "Lead Number",
            "Tags",
            "Lead Quality",
            "Lead Profile",
            "Last Activity",
            "Last Notable Activity",
            "Asymmetrique Activity Index",
            "Asymmetrique Profile Index",
            "Asymmetrique Activity Score",
            "Asymmetrique Profile Score",
        }
        assert drop <= flagged
        assert {c for f in found if f.severity == "high" for c in f.columns} <= drop

    def test_bank_marketing_leaks_by_duration_alone(self, datasets: Path) -> None:
        found = audit_table(pd.read_csv(datasets / "uci_bank_marketing/bank-additional-full.csv.gz", sep=";"), "y")
        assert {c for f in found if f.severity == "high" for c in f.columns} == {"duration"}
        assert {c for f in found if f.code == "tells_the_date" for c in f.columns} >= {
            "emp.var.rate",
            "euribor3m",
            "nr.employed",
        }
        assert "pdays" in {c for f in found if f.code == "placeholder" for c in f.columns}
        assert any(f.code == "outcome_drifts" for f in found)

    def test_telco_and_salvirt_raise_no_alarm(self, datasets: Path) -> None:
        telco = audit_table(pd.read_csv(datasets / "ibm_telco_churn/Telco-Customer-Churn.csv"), "Churn")
        assert "identifier" in codes_of(telco, "customerID")
        assert "number_as_text" in codes_of(telco, "TotalCharges")
        salvirt = audit_table(pd.read_csv(next((datasets / "salvirt_b2b_deals").glob("*.csv")), sep=";"), "Status")
        assert any(f.code == "repeated_rows" and f.numbers["rows"] == 83 for f in salvirt)
        assert [f for f in (*telco, *salvirt) if f.severity == "high"] == []

    def test_maven_closed_deals_leak_by_close_date_and_value(self, datasets: Path) -> None:
        pipeline = pd.read_csv(datasets / "maven_crm_sales/sales_pipeline.csv")
        closed = audit_table(pipeline[pipeline.deal_stage.isin(["Won", "Lost"])], "deal_stage")
        assert {"close_value", "close_date"} <= {c for f in closed for c in f.columns}
        assert any(f.code == "length_knows" for f in closed)
        as_it_is = audit_table(pipeline, "deal_stage")
        assert {"account", "close_date", "close_value"} <= {
            c for f in as_it_is if f.code == "says_closed" for c in f.columns
        }
        assert {c for f in as_it_is if f.severity == "high" for c in f.columns} == {"close_value", "close_date"}
        everything = audit_table(pipeline.assign(won=pipeline.deal_stage == "Won").drop(columns="deal_stage"), "won")
        assert "presence_gives_outcome" in codes_of(everything, "account")

    def test_ravenstack_subscriptions_leak_by_their_end_date(self, datasets: Path) -> None:
        found = audit_table(pd.read_csv(datasets / "ravenstack_saas/ravenstack_subscriptions.csv"), "churn_flag")
        assert {"presence_gives_outcome"} <= codes_of(found, "end_date")

    def test_ravenstack_tickets_and_churn_events_leak_by_what_is_set_later(self, datasets: Path) -> None:
        folder = datasets / "ravenstack_saas"
        tickets = pd.read_csv(folder / "ravenstack_support_tickets.csv")
        found = audit_table(tickets, "escalation_flag", "submitted_at")
        assert "set_later" in codes_of(found, "closed_at")
        assert "is_a_length" in codes_of(found, "resolution_time_hours")
        accounts = pd.read_csv(folder / "ravenstack_accounts.csv")
        events = pd.read_csv(folder / "ravenstack_churn_events.csv").drop_duplicates("account_id")
        both = accounts.merge(events, on="account_id", how="left")
        found = audit_table(both.assign(churned=both.churn_date.notna()), "churned")
        proved = {c for f in found if f.is_proof for c in f.columns}
        assert set(events.columns) - {"account_id"} <= proved
        assert "named_like_outcome" in codes_of(found, "churn_flag")
        assert {c for f in found if f.severity == "high" for c in f.columns} <= set(events.columns) | {"signup_date"}

    def test_monthly_activity_known_in_its_month_raises_no_alarm(self, datasets: Path) -> None:
        """Active in month m, and not in the three months after: what is known in m raises no alarm."""
        activity = pd.read_csv(datasets / "ceu_saas_activity/activity.csv.gz", sep=";")
        seen = set(zip(activity.id, activity.activity_month, strict=True))
        rows = activity[activity.activity_month.between(4, 18)].copy()
        later = zip(rows.id, rows.activity_month, strict=True)
        rows["left"] = [not any((who, month + n) in seen for n in (1, 2, 3)) for who, month in later]
        found = audit_table(rows, "left", "activity_month")
        assert [f for f in found if f.severity == "high"] == []

    @pytest.mark.parametrize(
        "module", sorted((Path(__file__).parents[3] / "features/audit").glob("*.py")), ids=lambda p: p.name
    )
    def test_no_rule_knows_a_column(self, datasets: Path, module: Path) -> None:
        names: set[str] = set()
        for path in datasets.rglob("*.csv*"):
            head = pd.read_csv(path, sep=None, engine="python", nrows=1).columns
            names |= {name.lower() for name in head if len(name) > 8}
        ours = {
            "account_id",
            "subscription_id",
            "churn_flag",
            "converted",
        }  # canonical columns, and the word of a doctest
        words = set(re.findall(r"[a-z_]+(?: [a-z_]+)*", module.read_text().lower()))
        assert (names - ours) & words == set()
