"""`check` says everything at once: what is there, what is wrong, and how far each model is from ready."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from features.__main__ import app
from features.readiness.line import Line
from features.readiness.report import verdict
from features.simulate import simulate
from features.sources.loader import open_source
from models.catalog import MODELS
from tests.kit.checked import ASKED, checked
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

    def test_words_and_owners(self, tmp_path: Path) -> None:
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

    def test_a_short_history(self, tmp_path: Path) -> None:
        found = checked(make_source(tmp_path, random_company(1, days=60)))
        history = next(line for line in found if line.model == "churn-risk" and line.found.startswith("its history: "))
        assert history.severity == "blocks"
        assert "about 356 days" in history.needed, "three horizons of 90 days, 30 to come back in, two steps of 28"

    def test_the_sample_company_is_ready(self, tmp_path: Path) -> None:
        """The twin: the same rules are silent about a company that has what they ask for."""
        simulate(tmp_path, accounts=1200, leads=1500)
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

    def test_a_gate_is_a_field(self) -> None:
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


class TestCommand:
    def test_json_and_exit_code(self, tmp_path: Path) -> None:
        rows: list[dict[str, Any]] = [
            {"account_id": f"a{i}", "event_time": at("2024-01-01"), "Tier": "gold" if i % 2 else "tin"}
            for i in range(30)
        ]
        make_source(tmp_path, {"accounts": rows})
        done = CliRunner().invoke(app, ["check", "--source", str(tmp_path), "--data", str(tmp_path), "--json"])
        said = json.loads(done.stdout)
        assert done.exit_code == 0
        assert said["custom_signals"] == [{"table": "accounts", "signal": "tier", "type": "text, a vocabulary"}]
        assert said["tables"] == {"accounts": 30}
        (tmp_path / "usage.sql").write_text("SELEKT")
        done = CliRunner().invoke(app, ["check", "--source", str(tmp_path), "--data", str(tmp_path)])
        assert done.exit_code == 2
        assert "usage" in done.stdout

    @pytest.mark.parametrize(
        ("source", "said"),
        [
            ("ravenstack", {"churn-risk": "not yet: 1 thing to mend", "expansion": "ready"}),
            ("x_education", {"lead-fit": "ready"}),
        ],
    )
    def test_shipped_sources(self, source: str, said: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
        import os

        if not os.environ.get("ACCOUNTSCORE_DATA"):
            pytest.skip("ACCOUNTSCORE_DATA is not set: the public datasets are needed")
        done = CliRunner().invoke(app, ["check", "--source", source, "--json"])
        assert json.loads(done.stdout)["models"] == said
