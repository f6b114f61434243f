"""From a file to a judged scorer: noise is refused, a signal is found, and the exit code says the verdict."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from features.kit.errors import UserMistake
from models.scorer.scorer import Scorer
from tests.kit import commands
from tests.kit.flat_tables import leads, weekly_accounts
from training import budget
from training.entity_column import Entities
from training.fit_table import fit_table, table_definition

pytestmark = pytest.mark.usefixtures("no_pictures")


class TestFitTable:
    @pytest.mark.parametrize("suffix", [".csv", ".parquet"])
    def test_a_scorer_and_a_report(self, tmp_path: Path, suffix: str) -> None:
        path = tmp_path / f"train{suffix}"
        leads().to_csv(path, index=False, sep=";") if suffix == ".csv" else leads().to_parquet(path)
        report = fit_table(path, "won", tmp_path / "out", time="created", trials=1)
        scorer = Scorer.load(tmp_path / "out")
        assert report["scorer"] == f"sha256:{scorer.sha256}"
        assert report["metrics"]["auc"]["value"] > 0.65  # type: ignore[index]
        assert json.loads((tmp_path / "out.report.json").read_text()) == json.loads(json.dumps(report))
        x, faults, _ = scorer.encode_records([{"size": 500.0, "plan": "pro"}, {"size": 1.0}])
        assert not any(faults)
        high, low = scorer.probability(x)
        assert high > low

    def test_no_time_says_that_figures_are_optimistic(self, tmp_path: Path) -> None:
        leads(300).to_parquet(tmp_path / "t.parquet")
        report = fit_table(tmp_path / "t.parquet", "won", tmp_path / "out", trials=1)
        assert any("optimistic" in note for note in report["notes"])  # type: ignore[attr-defined]

    def test_an_existing_folder_is_left_alone(self, tmp_path: Path) -> None:
        (tmp_path / "out").mkdir()
        with pytest.raises(UserMistake, match="exists"):
            fit_table(tmp_path / "t.parquet", "won", tmp_path / "out")


class TestSnapshots:
    @pytest.mark.parametrize("more", [{"horizon_days": 90}, {}])
    def test_noise_is_refused(self, tmp_path: Path, more: dict[str, Any]) -> None:
        weekly_accounts(accounts=120, seed=5).to_csv(tmp_path / "t.csv", index=False)
        report = fit_table(tmp_path / "t.csv", "left", tmp_path / "s", time="snapshot", trials=1, **more)
        assert report["verdict"] == "no signal found"
        assert report["metrics"]["auc"]["low"] < 0.5  # type: ignore[index]

    @pytest.mark.slow
    def test_without_the_guards_the_same_noise_ranks(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The sabotaged twin: neighbouring weeks of one account lie on both sides of the line."""
        weekly_accounts(accounts=120, seed=5).to_csv(tmp_path / "t.csv", index=False)
        nobody = Entities(None, None, {})
        monkeypatch.setattr("training.flat_table.find_entities", lambda *_: nobody)
        twin = fit_table(tmp_path / "t.csv", "left", tmp_path / "twin", time="snapshot", trials=1)
        assert twin["metrics"]["auc"]["low"] > 0.55  # type: ignore[index]

    def test_a_signal_is_found(self, tmp_path: Path) -> None:
        weekly_accounts(signal=True, accounts=160, weeks=60).to_csv(tmp_path / "t.csv", index=False)
        report = fit_table(tmp_path / "t.csv", "left", tmp_path / "s", time="snapshot", trials=1, horizon_days=90)
        assert report["metrics"]["auc"]["low"] > 0.6  # type: ignore[index]
        assert Scorer.load(tmp_path / "s").spec.horizon_days == 90


class TestHorizon:
    @pytest.mark.parametrize("days", [0, -5])
    def test_a_horizon_of_no_days_is_refused(self, tmp_path: Path, days: int) -> None:
        with pytest.raises(UserMistake, match=rf"--horizon {days} is not above 0: give the days"):
            fit_table(tmp_path / "t.csv", "left", tmp_path / "s", time="snapshot", horizon_days=days)


class TestBudget:
    def test_it_says_what_was_left_out(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(budget, "_speed", lambda rows: (1.0, 1.0))
        rng = np.random.default_rng(0)
        size = rng.normal(size=3_000)
        won = rng.random(3_000) < 1 / (1 + np.exp(1 - size))
        pd.DataFrame({"size": size, "other": rng.normal(size=3_000), "won": won}).to_parquet(tmp_path / "t.parquet")
        report = fit_table(tmp_path / "t.parquet", "won", tmp_path / "out", budget_s=1.0)
        notes: list[str] = report["notes"]  # type: ignore[assignment]
        assert any(note.startswith("Learnt from ") and "of 3,000 rows" in note for note in notes)


class TestDefinition:
    def test_a_column_that_is_said_to_be_known_and_is_not_there(self) -> None:
        with pytest.raises(UserMistake, match="--known-before s7: no such signal; one of s0, s1"):
            table_definition("y", "lead", columns=("s0", "s1"), known_before=("s7",))


class TestDoor:
    def run(self, *arguments: str, home: Path) -> subprocess.CompletedProcess[str]:
        return commands.run("training", *arguments, env={**os.environ, "ACCOUNTSCORE_HOME": str(home)})

    @pytest.mark.parametrize("noise", [False, True])
    def test_words_end_with_the_verdict_and_the_exit_code_says_it(self, tmp_path: Path, noise: bool) -> None:
        frame = leads(1200)
        rng = np.random.default_rng(1)
        frame["visits"] = rng.integers(0, 30, len(frame))
        told = 0 if noise else np.log(frame["size"]) - 3 + frame["visits"] / 8 - 1.8
        frame["won"] = rng.random(len(frame)) < 1 / (1 + np.exp(-1.2 * told))
        frame.to_parquet(tmp_path / "t.parquet")
        out = tmp_path / "s"
        given = ("fit-table", str(tmp_path / "t.parquet"), "--label", "won", "--time", "created", "--out", str(out))
        done = self.run(*given, "--trials", "1", *(["--json"] if noise else []), home=tmp_path)
        assert done.returncode == (3 if noise else 0), done.stderr
        report = json.loads((tmp_path / "s.report.json").read_text())
        assert report["ready"] is not noise
        *_, verdict, path = done.stderr.splitlines()
        assert report["verdict"] == ("no signal found" if noise else "ready, if no two rows overlap")
        assert verdict == f"table: {report['verdict']}; the scorer in {out} is {'not ' * noise}for use."
        assert path == f"Report: {report['page']}"
        assert Path(report["page"]).is_file()
        assert ([json.loads(line) for line in done.stdout.splitlines()] == [report]) if noise else (done.stdout == "")

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (("fit", "churn"), "--source"),
            (("fit", "churn", "--source", "sample"), "churn-risk"),
            (("fit-table", "nothing.csv", "--label", "x", "--out", "o"), "no file 'nothing.csv'"),
            (("fit-table", "t.csv", "--label", "x", "--out", "o", "--trials", "0"), "below 1"),
        ],
    )
    def test_mistakes_end_with_2_and_no_trace(self, tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
        done = self.run(*arguments, home=tmp_path)
        assert done.returncode == 2
        assert said in done.stderr
        assert "Traceback" not in done.stderr
