"""The audit finds planted leaks whatever they are called, and stays quiet on clean data."""

from __future__ import annotations

import os
import re
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.audit import Finding, audit_table
from features.audit import table as audit_tables
from features.audit.table import read_flat
from features.kit.errors import UserMistake


def clean(n: int = 3_000, seed: int = 0) -> pd.DataFrame:
    """Five honest inputs of ordinary strength, and their outcome."""
    rng = np.random.default_rng(seed)
    size, visits = rng.lognormal(4, 1, n), rng.poisson(4, n)
    sector = rng.choice(["steel", "retail", "software"], n)
    region = pd.Series(rng.choice(["north", "south"], n)).where(rng.random(n) > 0.1)
    noise = rng.normal(size=n)
    odds = -1.5 + 0.15 * visits + 0.5 * (sector == "software") + 0.2 * np.log(size) - 0.8
    outcome = rng.random(n) < 1 / (1 + np.exp(-odds))
    return pd.DataFrame(
        {
            "size": size,
            "visits": visits,
            "sector": sector,
            "region": region,
            "noise": noise,
            "outcome": outcome.astype(int),
        }
    )


def codes_of(findings: list[Finding], column: str) -> set[str]:
    return {f.code for f in findings if column in f.columns}


class TestPlantedLeaks:
    def test_clean_data_raises_no_alarm(self) -> None:
        assert [f for f in audit_table(clean(), "outcome") if f.severity != "low"] == []

    def test_the_outcome_in_other_words(self) -> None:
        table = clean().assign(x=lambda d: np.where(d.outcome == 1, "kept", "gone"))
        found = audit_table(table, "outcome")
        assert "copy_of_outcome" in codes_of(found, "x")
        assert found[0].is_proof

    def test_a_field_filled_in_when_a_case_closes(self) -> None:
        table = clean().assign(x=lambda d: pd.Series(np.arange(len(d)) % 7).where(d.outcome == 1))
        assert "presence_gives_outcome" in codes_of(audit_table(table, "outcome"), "x")

    def test_missing_says_never(self) -> None:
        rng = np.random.default_rng(1)
        table = clean()
        table["x"] = pd.Series(rng.choice(["a", "b"], len(table))).where(
            (table.outcome == 1) | (rng.random(len(table)) < 0.5)
        )
        assert "presence_gives_outcome" in codes_of(audit_table(table, "outcome"), "x")

    def test_notes_made_afterwards_are_too_good(self) -> None:
        rng = np.random.default_rng(2)
        table = clean()
        after = np.where(table.outcome == 1, "will pay", "lost to them")
        table["x"] = np.where(rng.random(len(table)) < 0.75, after, "ringing")
        assert "too_good" in codes_of(audit_table(table, "outcome"), "x")

    def test_columns_that_arrive_together(self) -> None:
        gone = np.random.default_rng(3).random(3_000) < 0.4
        table = clean().assign(p=lambda d: d.noise.where(~gone), q=lambda d: d.visits.where(~gone))
        assert codes_of(audit_table(table, "outcome"), "p") == {"arrive_together"}

    def test_identifiers_constants_dates_copies(self) -> None:
        table = clean().assign(
            key=lambda d: [f"k{i}" for i in range(len(d))],
            same="yes",
            seen=lambda d: (
                pd.Timestamp("2024-01-01")
                + pd.to_timedelta(np.random.default_rng(4).integers(0, 300, len(d)), unit="D")
            ),
            branch=lambda d: d.sector.map({"steel": 1, "retail": 2, "software": 3}),
            clock=lambda d: np.arange(len(d)) // 100,
        )
        found = audit_table(table, "outcome")
        assert "identifier" in codes_of(found, "key")
        assert "constant" in codes_of(found, "same")
        assert "date" in codes_of(found, "seen")
        assert "same_column" in codes_of(found, "branch")
        assert "tells_the_date" in codes_of(found, "clock")

    def test_length_between_two_dates(self) -> None:
        rng = np.random.default_rng(5)
        table = clean()
        begin = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 300, len(table)), unit="D")
        table["begin"], table["end"] = begin, begin + pd.to_timedelta(rng.poisson(14 + 40 * table.outcome), unit="D")
        assert "length_knows" in codes_of(audit_table(table, "outcome"), "end")

    def test_dates_set_after_the_row_and_lengths_to_them(self) -> None:
        rng = np.random.default_rng(7)
        table = clean()
        table["at"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 300, len(table)), unit="D")
        hours = rng.integers(2, 400, len(table))
        table["until"], table["hours"] = table["at"] + pd.to_timedelta(hours, unit="h"), hours
        table["term"] = table["at"] + pd.to_timedelta(rng.choice([30, 90, 365], len(table)), unit="D")
        found = audit_table(table, "outcome", "at")
        assert "set_later" in codes_of(found, "until")
        assert codes_of(found, "hours") == {"is_a_length"}
        assert "set_later" not in codes_of(found, "term"), "agreed terms come in a few lengths"

    def test_a_gap_that_says_open(self) -> None:
        table = clean()
        state = np.where(np.arange(len(table)) % 4 == 0, "open", np.where(table.outcome == 1, "Won", "Lost"))
        table = table.drop(columns="outcome").assign(stage=state)
        table["x"] = table.noise.where(table.stage != "open")
        found = audit_table(table, "stage")
        assert codes_of(found, "x") == {"says_closed"}

    def test_a_name_that_says_the_outcome(self) -> None:
        found = audit_table(clean().rename(columns={"outcome": "churned", "noise": "churn_flag"}), "churned")
        assert "named_like_outcome" in codes_of(found, "churn_flag")
        assert "'churn'" in next(f.evidence for f in found if f.code == "named_like_outcome"), "a whole word, no stem"

    def test_the_day_of_the_extraction(self) -> None:
        table = clean()
        rng = np.random.default_rng(8)
        days = pd.Timestamp("2024-06-30") - pd.to_timedelta(
            rng.integers(0, 90, len(table)) * (rng.random(len(table)) < 0.3), unit="D"
        )
        assert "extraction_date" in codes_of(audit_table(table.assign(updated=days), "outcome"), "updated")

    def test_inputs_that_drift(self) -> None:
        table = clean()
        table["at"] = pd.date_range("2024-01-01", periods=len(table), freq="h")
        table["x"] = np.where(np.arange(len(table)) > 2_400, table.noise + 3, table.noise)
        assert "input_drifts" in codes_of(audit_table(table, "outcome", "at"), "x")

    def test_rows_of_one_thing_are_no_copy_of_the_outcome(self) -> None:
        table = clean().sort_values("outcome").reset_index(drop=True)
        table["firm"] = [f"f{n // 6}" for n in range(len(table))]
        found = audit_table(table.sample(frac=1, random_state=0), "outcome")
        assert codes_of(found, "firm") == {"groups_rows"}

    def test_strong_inputs_that_agree_are_no_alarm(self) -> None:
        """Each of three honest views of one strong cause ranks above 0.8, and no better than the others together."""
        rng = np.random.default_rng(9)
        cause = rng.normal(size=4_000)
        y = (rng.random(4_000) < 1 / (1 + np.exp(-2.0 * cause))).astype(int)
        views = {f"v{n}": cause + rng.normal(scale=0.5, size=4_000) for n in range(3)}
        found = audit_table(pd.DataFrame({**views, "y": y}), "y")
        assert {f.severity for f in found} == {"medium"}
        assert {f.code for f in found} == {"strong_alone"}

    def test_a_column_that_is_not_there(self) -> None:
        with pytest.raises(UserMistake, match="no column 'when': one of size"):
            audit_table(clean(), "outcome", "when")

    def test_repeated_rows(self) -> None:
        table = pd.concat([clean(500), clean(500)])
        assert any(f.code == "repeated_rows" for f in audit_table(table, "outcome"))

    def test_drift_of_the_outcome(self) -> None:
        table = clean()
        table.loc[2_400:, "outcome"] = (np.random.default_rng(6).random(600) < 0.95).astype(int)
        assert any(f.code == "outcome_drifts" for f in audit_table(table, "outcome"))

    def test_a_time_is_read_as_fit_table_reads_it(self, recwarn: pytest.WarningsRecorder) -> None:
        days = pd.date_range("2024-01-01", periods=300)
        rows = clean(300).assign(when=days.strftime("%d.%m.%Y"))
        iso = clean(300).assign(when=days)
        assert audit_table(rows, "outcome", time="when") == audit_table(iso, "outcome", time="when")
        rows.loc[3, "when"] = "soon"
        with pytest.raises(UserMistake, match=r"holds no time in 1 rows \(such as 'soon'\)"):
            audit_table(rows, "outcome", time="when")
        assert not recwarn.list

    @pytest.mark.parametrize(
        ("value", "kind"),
        [
            ([1, 2], pa.list_(pa.int64())), ([{"a": 1}], pa.list_(pa.struct([("a", pa.int64())]))), ({"a": [1]}, None),
            ([("a", 1)], pa.map_(pa.string(), pa.int64())), (b"\xff\x00", pa.binary()), (3, pa.duration("s")), (3, pa.time32("s")),
            (Decimal(2**60), pa.decimal128(38, 0)), (2**63 + 1, pa.uint64()),
        ],
    )  # fmt: skip
    def test_a_column_of_any_type_that_is_there_for_one_outcome(
        self, value: object, kind: object, tmp_path: Path
    ) -> None:
        table = clean(600)
        there = [value if v else None for v in table["outcome"]]
        file = pa.Table.from_pandas(table).append_column("lines", pa.array(there, kind))
        pq.write_table(file, tmp_path / "deals.parquet")
        found = audit_table(read_flat(tmp_path / "deals.parquet", label="outcome").frame, "outcome")
        assert any(f.severity == "high" for f in found if "lines" in f.columns)

    def test_the_twin_that_looks_into_lists_fails(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(audit_tables, "holds_no_value", lambda kind: None)
        with pytest.raises(ValueError, match="more than one element"):
            self.test_a_column_of_any_type_that_is_there_for_one_outcome([1, 2], pa.list_(pa.int64()), tmp_path)

    def test_a_label_of_three_values(self) -> None:
        with pytest.raises(UserMistake, match="3 different values"):
            audit_table(clean(), "sector")


@pytest.fixture(scope="module")
def datasets() -> Path:
    given = os.environ.get("ACCOUNTSCORE_DATA")
    if not given:
        pytest.skip("ACCOUNTSCORE_DATA is not set: the public datasets are needed")
    return Path(given)


class TestPublicDatasets:
    """What the datasets' own notes say to drop for leakage is found, with at most two false alarms of high severity."""

    def test_x_education(self, datasets: Path) -> None:
        found = audit_table(pd.read_csv(datasets / "x_education_leads/Leads.csv.gz"), "Converted")
        flagged = {c for f in found for c in f.columns}
        drop = {
            "Prospect ID", "Lead Number", "Tags", "Lead Quality", "Lead Profile", "Last Activity", "Last Notable Activity",
            "Asymmetrique Activity Index", "Asymmetrique Profile Index", "Asymmetrique Activity Score", "Asymmetrique Profile Score",
        }  # fmt: skip
        assert drop <= flagged
        assert {c for f in found if f.severity == "high" for c in f.columns} <= drop

    def test_bank(self, datasets: Path) -> None:
        found = audit_table(pd.read_csv(datasets / "uci_bank_marketing/bank-additional-full.csv.gz", sep=";"), "y")
        assert {c for f in found if f.severity == "high" for c in f.columns} == {"duration"}
        assert {c for f in found if f.code == "tells_the_date" for c in f.columns} >= {
            "emp.var.rate",
            "euribor3m",
            "nr.employed",
        }
        assert "pdays" in {c for f in found if f.code == "placeholder" for c in f.columns}
        assert any(f.code == "outcome_drifts" for f in found)

    def test_telco_and_salvirt(self, datasets: Path) -> None:
        telco = audit_table(pd.read_csv(datasets / "ibm_telco_churn/Telco-Customer-Churn.csv"), "Churn")
        assert "identifier" in codes_of(telco, "customerID")
        assert "number_as_text" in codes_of(telco, "TotalCharges")
        salvirt = audit_table(pd.read_csv(next((datasets / "salvirt_b2b_deals").glob("*.csv")), sep=";"), "Status")
        assert any(f.code == "repeated_rows" and f.numbers["rows"] == 83 for f in salvirt)
        assert [f for f in (*telco, *salvirt) if f.severity == "high"] == []

    def test_maven(self, datasets: Path) -> None:
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

    def test_ravenstack_subscriptions(self, datasets: Path) -> None:
        found = audit_table(pd.read_csv(datasets / "ravenstack_saas/ravenstack_subscriptions.csv"), "churn_flag")
        assert {"presence_gives_outcome"} <= codes_of(found, "end_date")

    def test_ravenstack_tickets_and_churn_events(self, datasets: Path) -> None:
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

    def test_activity_by_month(self, datasets: Path) -> None:
        """Active in month m, and not in the three months after: what is known in m raises no alarm."""
        activity = pd.read_csv(datasets / "ceu_saas_activity/activity.csv.gz", sep=";")
        seen = set(zip(activity.id, activity.activity_month, strict=True))
        rows = activity[activity.activity_month.between(4, 18)].copy()
        later = zip(rows.id, rows.activity_month, strict=True)
        rows["left"] = [not any((who, month + n) in seen for n in (1, 2, 3)) for who, month in later]
        found = audit_table(rows, "left", "activity_month")
        assert [f for f in found if f.severity == "high"] == []

    @pytest.mark.parametrize(
        "module", sorted((Path(__file__).parents[2] / "features/audit").glob("*.py")), ids=lambda p: p.name
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
