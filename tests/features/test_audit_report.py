"""The audit as a person reads it, in a terminal of 80 columns, and what is chosen at its command."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from features.__main__ import app
from features.audit import Finding
from features.audit.exclude_advice import LEFT_OUT, with_exclude
from features.audit.report import WIDTH, report
from features.kit.errors import UserMistake

FOUND = [
    Finding("too_good", "high", ("stage",), "alone it ranks the outcome with an AUC of 0.950", "find out when it is filled in"),
    Finding("copy_of_outcome", "high", ("note",), "alone it ranks the outcome with an AUC of 1.000", "leave it out"),
    Finding("named_as_later", "high", ("stage",), "its name speaks of a last state ('stage')", "leave it out"),
    Finding("strong_alone", "medium", tuple(f"column_{n:03d}" for n in range(60)), "they rank it " + "very " * 40 + "well", "ask once"),
    Finding("constant", "low", ("same",), "one value", "leave it out"),
]  # fmt: skip


class TestReport:
    def test_it_fits_80_columns_the_worst_first(self) -> None:
        text = report("leads.csv", FOUND, {"stage", "note", "same"})
        assert max(map(len, text.splitlines())) <= WIDTH
        assert text.index("HIGH") < text.index("MEDIUM") < text.index("Next")
        assert text.count("\n  stage\n") == 1, "one paragraph for all that is said of a column"

    def test_low_ones_are_counted_and_shown_when_asked_for(self) -> None:
        assert "one value" not in report("leads.csv", FOUND, set())
        assert "constant (1)" in report("leads.csv", FOUND, set())
        assert "one value" in report("leads.csv", FOUND, set(), verbose=True)

    def test_what_to_do_next_names_only_what_can_be_left_out(self) -> None:
        text = report("leads.csv", FOUND, {"stage"})
        assert "note" not in text[text.index("Next") :]
        assert "out of the table: stage\n" in text
        assert "--known-before" in text
        of_source = report("source crm", FOUND, {"stage"}, flat=False)
        assert 'exclude=("stage",)' in of_source
        assert "accepted_findings" in of_source

    def test_nothing_found_is_one_line(self) -> None:
        assert report("leads.csv", [], {"a"}) == "leads.csv: 0 high, 0 medium, 0 low"


class TestCommand:
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

    def test_an_outcome_that_is_not_there(self, table: Path) -> None:
        with pytest.raises(UserMistake, match=r"--outcome left is no value of 'end': choose Bought or Went away"):
            self.said(table, "--outcome", "left")

    @pytest.mark.parametrize(("bad", "told"), [("soon", "such as 'soon'"), ("", "empty there")])
    def test_a_bad_time_is_told_as_it_is_written(self, table: Path, bad: str, told: str) -> None:
        frame = pd.read_csv(table)
        frame.loc[7, "day"] = bad
        frame.to_csv(table, index=False)
        with pytest.raises(UserMistake, match=rf"column 'day' holds no time in 1 rows \({told}\)"):
            self.said(table, "--time", "day")


class TestExclude:
    def test_codes_that_leave_out_are_those_whose_advice_says_so(self) -> None:
        """Read from the modules of the audit: a new finding that says "leave it out" must be in the list."""
        one = re.compile(r'Finding\(\s*"(\w+)"(?:(?!Finding\(|def |advice =).)*?leave it out', re.DOTALL)
        texts = [p.read_text() for p in Path("features/audit").glob("*.py") if p.name != "exclude_advice.py"]
        found = {code for text in texts for code in one.findall(text)}
        assert len(found) >= 8
        assert found <= LEFT_OUT

    def test_the_line_to_write_goes_by_the_code(self) -> None:
        said = Finding("constant", "low", ("plan",), "one value", "it says nothing")
        assert 'exclude=("plan",) in models/churn_risk.py' in with_exclude([said], "churn-risk", {"plan"})[0].advice
        other = replace(said, code="drift", advice="leave it out")
        assert with_exclude([other], "churn-risk", {"plan"}) == [other], "the twin: words alone decide nothing"
