"""`python -m features init`: what it writes, what it says, what it refuses."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from features.__main__ import app
from features.init.layouts import labels
from features.kit.errors import BadInput, UserMistake
from tests.features.init.test_hubspot_export import COMPANIES, FILES
from tests.kit.exports import write_files


def init(*arguments: str | Path) -> str:
    done = CliRunner().invoke(app, ["init", *map(str, arguments)], catch_exceptions=True)
    if isinstance(done.exception, (BadInput, UserMistake)):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.output


class TestCommand:
    @pytest.mark.parametrize("system", ["salesforce", "hubspot"])
    def test_an_export_is_written_and_checked_without_a_blocking_fault(self, system: str, tmp_path: Path) -> None:
        systems = os.environ.get("ACCOUNTSCORE_SYSTEMS")
        if not systems:
            pytest.skip("ACCOUNTSCORE_SYSTEMS is not set: rows as systems really give them are needed")
        said = init(tmp_path / "mine", "--from", f"{system}:export", "--data", f"{systems}/exports/{system}", "--check")
        assert "\nblocks" not in said
        assert "lead-fit: " in said
        assert "churn-risk is not asked" in said

    def test_decisions_are_listed_with_their_file_and_stand_in_the_selects(self, tmp_path: Path) -> None:
        said = init(tmp_path / "mine", "--from", "hubspot:export", "--data", write_files(tmp_path / "data", FILES))
        shown = " ".join(said.split())
        assert "accounts.sql: domain, industry, country" in shown
        assert "--time-zone Europe/Berlin" in shown
        assert "-- DECIDE: domain, industry, country" in (tmp_path / "mine/accounts.sql").read_text()
        assert f"features check --source {tmp_path / 'mine'}" in said

    def test_without_data_the_usual_names_are_written(self, tmp_path: Path) -> None:
        assert "no --data" in init(tmp_path / "mine", "--from", "hubspot:export")
        write_files(tmp_path / "data", {"companies": FILES[COMPANIES]})
        assert "${data}/companies.csv" in (tmp_path / "mine/accounts.sql").read_text()

    def test_a_table_that_two_systems_give_is_refused_and_nothing_is_written(self, tmp_path: Path) -> None:
        with pytest.raises(BadInput, match=r"accounts.sql: hubspot:fivetran and salesforce:fivetran give this table"):
            init(tmp_path / "mine", "--from", "hubspot:fivetran", "--from", "salesforce:fivetran")
        assert not (tmp_path / "mine").exists()

    def test_a_folder_with_something_in_it_is_refused_and_left_as_it_is(self, tmp_path: Path) -> None:
        (tmp_path / "mine").mkdir()
        (tmp_path / "mine/accounts.sql").write_text("SELECT 1")
        with pytest.raises(UserMistake, match="is there and not empty"):
            init(tmp_path / "mine", "--from", "hubspot:export")
        assert [p.name for p in (tmp_path / "mine").iterdir()] == ["accounts.sql"]
        assert (tmp_path / "mine/accounts.sql").read_text() == "SELECT 1"

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (["--from", "hubspott:export"], "no template 'hubspott:export': --from takes one of"),
            ([], "--from is missing: one of"),
            (["--from", "hubspot:export", "--check"], "--check needs the files"),
            (["--from", "hubspot:export", "--data", "nowhere"], "no folder 'nowhere'"),
            (["--from", "hubspot:export", "--time-zone", "CET/Mars"], "is no zone: name a place"),
            (["--from", "hubspot:export", "--dates", "dmy"], "day-first or month-first"),
        ],
    )
    def test_mistakes_name_value_rule_and_step(self, arguments: list[str], said: str, tmp_path: Path) -> None:
        with pytest.raises(UserMistake, match=said):
            init(tmp_path / "mine", *arguments)
        assert not (tmp_path / "mine").exists()

    def test_every_template_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(UserMistake) as refused:
            init(tmp_path / "mine")
        assert all(label in str(refused.value) for label in labels())
