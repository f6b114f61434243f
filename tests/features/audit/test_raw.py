"""What the files behind a source say that no signal shows, and what they are not blamed for."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from features.audit.finding import Finding
from features.audit.raw import raw_files
from features.audit.source import audit_source
from features.sources.loader import open_source
from features.sources.source import Source
from models.catalog import MODELS
from tests.kit.audits import codes_of

CHURN, FIT = MODELS["churn-risk"], MODELS["lead-fit"]


def company(folder: Path, select: str) -> Source:
    """300 accounts of which a third leave, and a file with their last state; `select` is what accounts.sql makes of it."""
    rng = np.random.default_rng(2)
    n, data = 300, folder / "data"
    data.mkdir(parents=True)
    left = rng.random(n) < 0.35
    joined = pd.Timestamp("2022-01-01") + pd.to_timedelta(rng.integers(0, 200, n), unit="D")
    accounts = pd.DataFrame({"account_id": [f"a{i}" for i in range(n)], "joined": joined, "remark": "fine"})
    accounts["remark"] = np.where(left, "closed their office", "all is well")
    accounts["size"] = rng.integers(1, 100, n)
    accounts.to_csv(data / "firms.csv", index=False)
    gone = pd.DataFrame({"account_id": accounts.account_id[left], "at": pd.Timestamp("2024-06-20"), "why": "price"})
    gone = pd.concat([gone, pd.DataFrame({"account_id": ["a0"], "at": [pd.Timestamp("2024-12-30")], "why": ["end"]})])
    gone.to_csv(data / "leavers.csv", index=False)
    (folder / "accounts.sql").write_text(f"{select} FROM read_csv('${{data}}/firms.csv')")
    labels = 'SELECT account_id, CAST("at" AS TIMESTAMP) AS event_time, true AS churned'
    (folder / "churn_labels.sql").write_text(f"{labels} FROM read_csv('${{data}}/leavers.csv')")
    return open_source(str(folder), data)


HONEST = 'SELECT account_id, CAST(joined AS TIMESTAMP) AS event_time, "size" AS employees'


class TestFilesOfASource:
    def test_a_column_that_the_select_leaves_out_is_seen(self, tmp_path: Path) -> None:
        found = audit_source(company(tmp_path, HONEST), CHURN).findings
        assert codes_of(found, "firms.remark") == {"too_good"}
        said = next(f for f in found if "firms.remark" in f.columns)
        assert said.severity == "medium", "no model sees it: it is no open alarm"
        assert said.evidence.endswith("the source leaves it out: keep it so")
        assert codes_of(found, "firms.size") == set()

    def test_a_column_that_the_select_passes_on_is_an_alarm_as_a_signal(self, tmp_path: Path) -> None:
        """The sabotaged twin of a source that leaves it out."""
        found = audit_source(company(tmp_path, HONEST + ", remark"), CHURN).findings
        assert [(f.code, f.severity) for f in found if "remark" in f.columns] == [("too_good", "high")]

    def test_files_that_the_outcome_alone_is_read_from(self, tmp_path: Path) -> None:
        found = audit_source(company(tmp_path, HONEST), CHURN).findings
        assert codes_of(found, "leavers.why") == {"known_with_outcome"}

    def test_every_way_of_naming_a_file(self, tmp_path: Path) -> None:
        source = company(tmp_path, HONEST)
        (tmp_path / "accounts.sql").write_text(
            "WITH f AS (SELECT * FROM '${data}/firms.csv') SELECT f.account_id, CAST(joined AS TIMESTAMP) AS event_time "
            "FROM f LEFT JOIN read_csv('${data}/leavers.csv', delim = ',') AS l USING (account_id)"
        )
        files = {f.name: f.tables for f in raw_files(open_source(str(tmp_path), source.data))}
        assert files == {"firms": {"accounts"}, "leavers": {"accounts", "churn_labels"}}


@pytest.fixture(scope="module")
def audited() -> Callable[[str], list[Finding]]:
    """The findings of a shipped source; each is audited once for all tests."""
    if not os.environ.get("ACCOUNTSCORE_DATA"):
        pytest.skip("ACCOUNTSCORE_DATA is not set: the public datasets are needed")

    @functools.cache
    def of(source: str) -> list[Finding]:
        return audit_source(open_source(source), CHURN if source == "ravenstack" else FIT).findings

    return of


FORBIDDEN = {
    "ravenstack": {
        "ravenstack_accounts.churn_flag",
        "ravenstack_subscriptions.churn_flag",
        "ravenstack_subscriptions.end_date",
        "ravenstack_churn_events.reason_code",
        "ravenstack_churn_events.refund_amount_usd",
        "ravenstack_churn_events.feedback_text",
        "ravenstack_support_tickets.closed_at",
        "ravenstack_support_tickets.resolution_time_hours",
        "ravenstack_support_tickets.satisfaction_score",
    },
    "x_education": {
        "Leads.Tags",
        "Leads.Lead Quality",
        "Leads.Lead Profile",
        "Leads.Last Activity",
        "Leads.Last Notable Activity",
        "Leads.Asymmetrique Activity Index",
        "Leads.Asymmetrique Profile Index",
        "Leads.Asymmetrique Activity Score",
        "Leads.Asymmetrique Profile Score",
    },
}
"""What the README of the datasets says to drop."""


class TestPublicDatasets:
    """The columns to drop are found in the files behind the shipped sources."""

    @pytest.mark.parametrize("source", FORBIDDEN)
    def test_every_leak_is_found_and_none_is_an_alarm(
        self, audited: Callable[[str], list[Finding]], source: str
    ) -> None:
        found = audited(source)
        assert FORBIDDEN[source] <= {c for f in found for c in f.columns}
        # RavenStack's labels are denied by its own contracts: that alone is grave, and the leaks are found beside it.
        assert {f.code for f in found if f.severity == "high"} == (
            {"outcome_refused"} if source == "ravenstack" else set()
        )

    def test_a_second_audit_finds_the_same(self, audited: Callable[[str], list[Finding]]) -> None:
        """Rows come out of a join in any order: figures that go by it would be others with each run."""
        assert audit_source(open_source("x_education"), FIT).findings == audited("x_education")
