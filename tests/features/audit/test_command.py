"""`python -m features audit`: what is chosen at the command, its JSON and its mistakes."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from features.__main__ import app
from features.kit.errors import UserMistake


class TestOutcome:
    @pytest.fixture
    def table(self, tmp_path: Path) -> Path:
        rng = np.random.default_rng(0)
        y = rng.random(400) < 0.4
        frame = pd.DataFrame({"end": np.where(y, "Bought", "Went away"), "size": rng.normal(size=400).round(2)})
        frame["refund"] = np.where(y, 0.0, rng.lognormal(3, 1, 400).round(2))
        frame["day"] = pd.date_range("2024-01-01", periods=400).strftime("%Y-%m-%d")
        frame.to_csv(tmp_path / "t.csv", index=False)
        return tmp_path / "t.csv"

    def said(self, table: Path, *more: str) -> str:
        done = CliRunner().invoke(app, ["audit", "--table", str(table), "--label", "end", *more])
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done.stdout

    def test_the_outcome_is_said_and_can_be_chosen(self, table: Path) -> None:
        assert "end = Bought," in self.said(table), "the rarer one"
        assert "end = Went away," in self.said(table, "--outcome", "went away")
        told = json.loads(self.said(table, "--outcome", "Went away", "--json"))
        assert told["outcome"] == "Went away"
        assert next(f for f in told["findings"] if f["columns"] == ["refund"])["severity"] == "high"

    def test_an_unknown_outcome_is_refused_with_those_there_are(self, table: Path) -> None:
        with pytest.raises(UserMistake, match=r"--outcome left is not a value of 'end': choose Bought or Went away"):
            self.said(table, "--outcome", "left")

    @pytest.mark.parametrize(("bad", "told"), [("soon", "such as 'soon'"), ("", "empty there")])
    def test_a_bad_time_is_told_as_it_is_written(self, table: Path, bad: str, told: str) -> None:
        frame = pd.read_csv(table)
        frame.loc[7, "day"] = bad
        frame.to_csv(table, index=False)
        with pytest.raises(UserMistake, match=rf"column 'day' holds no time in 1 rows \({told}\)"):
            self.said(table, "--time", "day")


class TestCommand:
    def test_a_flat_table_is_audited_for_people_and_machines(self, tmp_path: Path) -> None:
        rng = np.random.default_rng(0)
        y = rng.integers(0, 2, 500)
        lines = "\n".join(f"{n};{v};{'kept' if v else 'gone'}" for n, v in enumerate(y))
        (tmp_path / "t.csv").write_text("n;y;note\n" + lines)
        done = CliRunner().invoke(app, ["audit", "--table", str(tmp_path / "t.csv"), "--label", "y", "--json"])
        said = json.loads(done.stdout)
        assert said["rows"] == 500
        first = said["findings"][0]
        assert (first["code"], first["severity"], first["columns"], first["proof"]) == (
            "copy_of_outcome",
            "high",
            ["note"],
            True,
        )
        assert first["evidence"]
        assert first["advice"]
        shown = CliRunner().invoke(app, ["audit", "--table", str(tmp_path / "t.csv"), "--label", "y"])
        assert "1 high" in shown.stdout

    @pytest.mark.parametrize(
        ("given", "said"),
        [
            ([], "give --source and --model"),
            (["--source", "sample"], "--model NAME"),
            (["--table", "none.csv"], "--label COLUMN"),
            (["--table", "none.csv", "--label", "y"], "no file"),
            (
                ["--source", "ravenstack", "--model", "fraud"],
                "one of lead-fit, churn-risk, expansion, an outcome one of churn, conversion, expansion",
            ),
        ],
    )
    def test_a_wrong_call_says_what_to_give(self, given: list[str], said: str) -> None:
        done = CliRunner().invoke(app, ["audit", *given])
        assert isinstance(done.exception, UserMistake)
        assert said in str(done.exception)

    @pytest.mark.parametrize(
        ("source", "model"),
        [
            # `test_raw` audits it in every run.
            pytest.param("ravenstack", "churn-risk", marks=pytest.mark.slow),
            ("x_education", "lead-fit"),
        ],
    )
    def test_shipped_sources_raise_no_alarm_but_denied_labels(self, source: str, model: str) -> None:
        if not os.environ.get("ACCOUNTSCORE_DATA"):
            pytest.skip("ACCOUNTSCORE_DATA is not set: the public datasets are needed")
        done = CliRunner().invoke(app, ["audit", "--source", source, "--model", model, "--json"])
        said = json.loads(done.stdout)
        assert said["positives"] > 50
        grave = [f["code"] for f in said["findings"] if f["severity"] == "high"]
        assert grave == (["outcome_refused"] if source == "ravenstack" else [])
