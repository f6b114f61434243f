"""The report says everything at once: what is there, what is wrong, and how far each model is from ready."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from features.readiness.line import Line
from features.readiness.report import verdict
from features.simulate import simulate
from features.sources.loader import open_source
from models.catalog import MODELS
from tests.kit.checked import ASKED, account, checked, contract, lines, query_of, wrapped
from tests.kit.company import at, make_source, random_company


def lines_of(found: list[Line], table: str, column: str) -> list[Line]:
    return [line for line in found if line.table == table and line.column == column]


class TestUsability:
    def test_a_source_with_faults_is_reported_all_the_same(self, tmp_path: Path) -> None:
        (tmp_path / "accounts.sql").write_text("SELECT 'a' AS account_id, TIMESTAMP '2024-01-01' AS event_time")
        (tmp_path / "usage.sql").write_text("SELECT 'a' AS account_id, 'yesterday' AS event_time")
        (tmp_path / "touches.sql").write_text(
            "SELECT unnest(['call', NULL]) AS kind, 'a' AS account_id, TIMESTAMP '2024-02-01' AS event_time"
        )
        found = checked(open_source(str(tmp_path), keep_going=True))
        wrong = lines_of(found, "usage", "event_time")[0]
        assert wrong.severity == "blocks"
        assert wrong.found == "its type is VARCHAR"
        assert lines_of(found, "touches", "kind")[0].rows == 1
        assert "CAST" in wrong.what_to_do

    def test_unknown_words_and_owners_are_counted(self, tmp_path: Path) -> None:
        contract = {"event_time": at("2024-02-01"), "mrr": 1.0, "status": "Aktiv"}
        tables = {
            "accounts": [{"account_id": "a", "event_time": at("2024-01-01")}],
            "subscriptions": [
                contract | {"subscription_id": "s", "account_id": "a"},
                contract | {"subscription_id": "t", "account_id": "nobody"},
            ],
        }
        found = checked(make_source(tmp_path, tables))
        words = lines_of(found, "subscriptions", "status")[0]
        assert (words.severity, words.rows, words.found) == ("weakens", 2, "'Aktiv' (2)")
        owners = lines_of(found, "subscriptions", "account_id")[0]
        assert (owners.severity, owners.rows) == ("weakens", 1)

    def test_says_how_far_a_model_is_from_its_minimum(self, tmp_path: Path) -> None:
        found = checked(make_source(tmp_path, random_company(1, days=700)))
        labels = next(line for line in found if line.model == "churn-risk" and line.rule.startswith("at least 20"))
        assert labels.severity == "blocks"
        assert labels.found.startswith("rows with")
        assert verdict(found, MODELS["churn-risk"]).startswith("not yet: ")

    def test_a_short_history_blocks_with_the_days_that_are_needed(self, tmp_path: Path) -> None:
        found = checked(make_source(tmp_path, random_company(1, days=60)))
        history = next(line for line in found if line.model == "churn-risk" and line.found.startswith("its history: "))
        assert history.severity == "blocks"
        assert "about 356 days" in history.needed, "three horizons of 90 days, 30 to come back in, two steps of 28"

    def test_the_sample_company_is_ready(self, tmp_path: Path) -> None:
        """The twin: the same rules are silent about a company that has what they ask for."""
        simulate(tmp_path, accounts=900, leads=1000, usage_events=60_000)
        found = checked(open_source("sample", tmp_path))
        assert [line for line in found if line.severity != "info"] == []
        assert [verdict(found, q) for q in ASKED] == ["ready", "ready"]

    def test_a_line_belongs_to_a_model_by_its_field(self, tmp_path: Path) -> None:
        """A model whose name begins like another's gets its own verdict, and no word of a rule decides whose it is."""
        named = Line(
            severity="blocks",
            table="accounts",
            column="",
            rows=None,
            rule="churn-risk needs more",
            found="found",
            needed="needed",
            what_to_do="mend",
            model="churn-risk-smb",
        )
        churn = MODELS["churn-risk"]
        assert verdict([named], churn) == "ready"
        assert verdict([named], replace(churn, name="churn-risk-smb")) == "not yet: 1 thing to mend"
        assert verdict([replace(named, model="")], churn) == "not yet: 1 thing to mend", (
            "what is of the source stops all"
        )

    def test_only_a_line_marked_as_gate_keeps_a_model_from_going_live(self) -> None:
        gated = Line(
            severity="weakens",
            table="accounts",
            column="",
            rows=None,
            rule="rows with the outcome",
            found="3",
            needed="60",
            what_to_do="more",
            model="churn-risk",
            gate=True,
        )
        assert verdict([gated], MODELS["churn-risk"]) == "not yet to go live: 1 thing to mend"
        assert verdict([replace(gated, gate=False)], MODELS["churn-risk"]) == "ready", "the twin: a weakness is no gate"
        assert gated.said_rule == "churn-risk, to go live: rows with the outcome"


DAY = dt.timedelta(days=1)


class TestEndOfTheData:
    def test_no_new_company_for_a_year_is_no_end_of_the_table(self, tmp_path: Path) -> None:
        """Companies of one spring, used daily for a year: no table has stopped."""
        accounts = [account(f"a{n}", event_time=at("2024-01-01") + n * DAY) for n in range(30)]
        used = [{"account_id": "a0", "event_time": at("2024-01-01") + n * DAY} for n in range(400)]
        source = make_source(tmp_path / "one", {"accounts": accounts, "usage": used})
        assert not source.observed.tables["accounts"].stopped
        assert lines(source, "accounts", "a table reaches as far") == []

    def test_events_that_stop_are_told(self, tmp_path: Path) -> None:
        """The twin: usage ends while contracts go on; what contracts tell is known to the end, and usage reads as silence."""
        used = [{"account_id": "a", "event_time": at("2024-01-01") + n * DAY} for n in range(100)]
        contracts = [contract("2024-01-01", 5.0) | {"event_time": at("2024-01-01") + n * DAY} for n in range(400)]
        source = make_source(tmp_path, {"accounts": [account()], "usage": used, "subscriptions": contracts})
        (line,) = lines(source, "usage", "a table reaches as far")
        assert line.severity == "weakens"
        assert "outcomes" not in line.what_to_do, "usage tells of no outcome"
        contracts = [row for row in contracts if row["event_time"] < at("2024-04-01")]
        used = [{"account_id": "a", "event_time": at("2024-01-01") + n * DAY} for n in range(400)]
        source = make_source(tmp_path / "two", {"accounts": [account()], "usage": used, "subscriptions": contracts})
        (line,) = lines(source, "subscriptions", "a table reaches as far")
        assert "outcomes that it tells are known up to 2024-03-31 only" in line.what_to_do


class TestRowsInTheFuture:
    @pytest.mark.parametrize(
        ("odd", "rule"),
        [
            ({"event_time": at("2099-01-01")}, "a row happened within"),
            ({"event_time": at("1999-01-01")}, "a row happened within"),
            ({"event_time": at("2024-02-01"), "known_time": at("2099-01-01")}, "a row is known by now"),
        ],
    )
    def test_rows_in_the_future_are_counted_and_the_advice_leaves_them_out(
        self, tmp_path: Path, odd: dict[str, Any], rule: str
    ) -> None:
        used = [{"account_id": "a", "event_time": at("2024-01-01") + n * DAY} for n in range(100)]
        source = make_source(tmp_path, {"accounts": [account()], "usage": [*used, {"account_id": "b", **odd}]})
        (line,) = lines(source, "usage", rule)
        assert (line.severity, line.rows) == ("weakens", 1)
        assert "account_id 'b'" in line.found
        source = wrapped(tmp_path, "usage", query_of(line))
        assert lines(source, "usage", rule) == []
        assert source.rows("usage") == 100
