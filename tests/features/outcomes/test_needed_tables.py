"""A table that cannot be read is not absent: it stops the models that read it, and no other."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from features.__main__ import app
from features.kit.errors import BadInput
from features.outcomes.needed_tables import left_out_notes, tables_for
from features.panel.build import build_panel
from features.panel.engines import make_engine
from features.readiness.labelled_rows import labelled_rows
from features.readiness.report import verdict
from features.signals.signal import Entity
from features.simulate import simulate
from features.sources.loader import SHIPPED, open_source
from features.sources.schema import TABLES
from features.sources.source import Source
from models.catalog import MODELS
from tests.kit.checked import checked

LEAD, CHURN = MODELS["lead-fit"], MODELS["churn-risk"]


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("company")
    simulate(folder, accounts=200, leads=700, days=420, usage_events=10_000, end=dt.date(2026, 1, 1))
    return folder


def source_with(folder: Path, broken: str, text: str = "SELEKT") -> Path:
    shutil.copytree(SHIPPED / "sample", folder / "source")
    (folder / f"source/{broken}.sql").write_text(text)
    return folder / "source"


class TestTablesFor:
    def test_a_model_needs_the_tables_of_its_themes_its_outcome_and_eligibility(self) -> None:
        assert tables_for("lead", LEAD.themes) >= {
            "leads",
            "accounts",
            "opportunities",
            "subscriptions",
            "touches",
            "lead_labels",
        }
        assert not tables_for("lead", LEAD.themes) & {"tickets", "usage", "invoices", "churn_labels", "actions"}
        assert "tickets" in tables_for("account", CHURN.themes)

    @pytest.mark.parametrize("entity", ["account", "lead"])
    def test_a_panel_reads_no_other_table(self, company: Path, entity: Entity, monkeypatch: pytest.MonkeyPatch) -> None:
        asked: set[str] = set()
        opened = open_source("sample", company)
        read = make_engine("duckdb", opened).__class__.table
        monkeypatch.setattr(
            make_engine("duckdb", opened).__class__,
            "table",
            lambda self, name, *rest, **more: asked.add(name) or read(self, name, *rest, **more),
        )
        build_panel(opened, entity, [dt.datetime(2025, 12, 1, tzinfo=dt.UTC)])
        assert asked
        assert asked <= tables_for(entity)


class TestOneBrokenTable:
    def test_it_stops_who_reads_it_and_no_other(self, company: Path, tmp_path: Path) -> None:
        opened = open_source(str(source_with(tmp_path, "tickets")), company, keep_going=True)
        assert len(labelled_rows(opened, LEAD).y)
        with pytest.raises(BadInput, match=r"tickets\.sql, line 1: syntax error"):
            labelled_rows(opened, CHURN)
        assert "tickets" in left_out_notes(opened, tables_for("lead", LEAD.themes))[0]

    def test_check_blocks_the_model_that_reads_it_only(self, company: Path, tmp_path: Path) -> None:
        found = checked(opened := open_source(str(source_with(tmp_path, "tickets")), company, keep_going=True))
        assert verdict(found, CHURN) == "not yet: 1 thing to mend"
        assert "to mend" not in verdict(found, LEAD) or "go live" in verdict(found, LEAD)
        assert [line.table for line in found if line.severity == "blocks"] == ["tickets"]
        assert opened.has_file("tickets")

    @pytest.mark.parametrize("entity", ["accounts", "leads"])
    def test_a_broken_entity_is_not_absent(self, company: Path, tmp_path: Path, entity: str) -> None:
        folder = source_with(tmp_path, entity)
        done = CliRunner().invoke(app, ["check", "--source", str(folder), "--data", str(company), "--json"])
        said = json.loads(done.stdout)
        model = "churn-risk" if entity == "accounts" else "lead-fit"
        assert said["models"][model] == "not yet: 1 thing to mend"
        assert "it is not there" not in done.stdout
        opened = open_source(str(folder), company, keep_going=True)
        with pytest.raises(BadInput, match="SELEKT"):
            build_panel(
                opened, "account" if entity == "accounts" else "lead", [dt.datetime(2025, 12, 1, tzinfo=dt.UTC)]
            )

    def test_broken_labels_are_not_read_from_elsewhere(self, company: Path, tmp_path: Path) -> None:
        """Without the rule churn would be read from the contracts, without a word."""
        opened = open_source(str(source_with(tmp_path, "churn_labels")), company, keep_going=True)
        with pytest.raises(BadInput, match="SELEKT"):
            labelled_rows(opened, CHURN)

    def test_a_file_of_no_table_stops_all(self, company: Path, tmp_path: Path) -> None:
        """It may be meant for one that they read: `ticket.sql` for tickets."""
        opened = open_source(str(source_with(tmp_path, "ticket")), company, keep_going=True)
        for question in (LEAD, CHURN):
            with pytest.raises(BadInput, match="rename it to tickets"):
                labelled_rows(opened, question)

    def test_without_the_guard_the_model_is_learnt_without_it(
        self, company: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The sabotaged twin."""
        monkeypatch.setattr(Source, "require", lambda *_: None)
        opened = open_source(str(source_with(tmp_path, "tickets")), company, keep_going=True)
        assert len(labelled_rows(opened, CHURN).y)

    def test_build_goes_on_and_says_it(self, company: Path, tmp_path: Path) -> None:
        folder = source_with(tmp_path, "tickets")
        command = [
            "build",
            "--source",
            str(folder),
            "--data",
            str(company),
            "--as-of",
            "2025-12-01",
            "--out",
            str(tmp_path / "panel.parquet"),
        ]
        done = CliRunner().invoke(app, [*command, "--entity", "lead"])
        assert done.exit_code == 0
        assert "note: Table tickets is left out" in done.stderr
        assert isinstance(CliRunner().invoke(app, [*command, "--entity", "account"]).exception, BadInput)


def test_every_table_that_a_signal_may_read_is_known() -> None:
    assert tables_for("account") | tables_for("lead") | {"actions", "orders", "costs", "rates"} == set(TABLES)
