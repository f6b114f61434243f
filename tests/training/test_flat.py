"""A flat table is enough: columns become signals or say why not, and what is wrong is said all at once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from features.errors import UserMistake
from features.flat_files.kinds import settle
from features.flat_files.reading import read_file
from models.scorer import Scorer
from training.errors import TrainingRefused
from training.fit import fit_table
from training.flat import as_unit, flat_rows, moments


def table(n: int = 600, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    size = rng.lognormal(3, 1, n)
    plan = np.array(["basic", "pro", None], dtype=object)[rng.integers(0, 3, n)]
    won = rng.random(n) < 1 / (1 + np.exp(-(np.log(size) - 3.5 + (plan == "pro"))))
    return pd.DataFrame(
        {
            "id": [f"lead-{i}" for i in range(n)],
            "row": np.arange(n),
            "created": pd.date_range("2024-01-01", periods=n, freq="h"),
            "size": size,
            "plan": plan,
            "trial": rng.random(n) < 0.5,
            "empty": [None] * n,
            "as text": [f"{v:.1f}" if v < 60 else "" for v in size],
            "won": np.where(won, "Yes", "No"),
        }
    )


def column(*values: object) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(list(values))])


class TestSignals:
    def test_what_becomes_a_signal_and_what_does_not(self) -> None:
        flat = flat_rows(pa.Table.from_pandas(table()), "won", "created")
        units = {s.name: s.unit for s in flat.rows.signals}
        assert units == {"size": "points", "plan": "category", "trial": "flag", "as text": "points"}
        why = dict(flat.left_out)
        assert "an identifier" in why["id"]
        assert "a running number" in why["row"]
        assert why["empty"] == "it has no value in any row"

    def test_dates_are_refused_with_the_next_step(self) -> None:
        assert "give the days" in as_unit(settle(pa.chunked_array([pa.array(pd.date_range("2024-01-01", periods=30))])))

    def test_infinite_numbers_are_missing(self) -> None:
        found = settle(column(1.0, float("inf"), 2.0))
        assert found.kind == "number"
        assert found.values.null_count == found.unreadable == 1

    def test_rows_without_a_label_are_left_out(self) -> None:
        frame = table()
        frame.loc[:9, "won"] = None
        flat = flat_rows(pa.Table.from_pandas(frame), "won")
        assert flat.unlabelled == 10
        assert len(flat.rows) == 590

    def test_times_as_text_numbers_and_dates_have_one_order(self) -> None:
        days = pd.date_range("2024-01-01", periods=5)
        for values in (days, [d.isoformat() for d in days], [1.5, 2.0, 7.0, 8.0, 9.0]):
            assert (np.diff(moments(settle(pa.chunked_array([pa.array(list(values))])), "t")) > 0).all()


class TestRefusals:
    def test_every_missing_column_at_once(self) -> None:
        with pytest.raises(TrainingRefused) as refused:
            flat_rows(pa.Table.from_pandas(table()), "converted", "when", "firm")
        assert [f.where for f in refused.value.faults] == ["--label converted", "--time when", "--group firm"]

    def test_one_class_only(self) -> None:
        frame = table().assign(won="No")
        with pytest.raises(UserMistake, match="column 'won' holds 1 different values"):
            flat_rows(pa.Table.from_pandas(frame), "won")

    def test_too_few(self) -> None:
        frame = table()
        frame["won"] = np.arange(len(frame)) < 7
        with pytest.raises(TrainingRefused, match=r"7 of 600.*at least 20.*about 3 times the history"):
            flat_rows(pa.Table.from_pandas(frame), "won")

    def test_a_time_that_is_none(self) -> None:
        frame = table().assign(when=["2024-01-01"] * 599 + ["soon"])
        with pytest.raises(TrainingRefused, match="'soon'"):
            flat_rows(pa.Table.from_pandas(frame), "won", "when")

    def test_files(self, tmp_path: Path) -> None:
        with pytest.raises(UserMistake, match="no file"):
            read_file(tmp_path / "nothing.csv")
        (tmp_path / "a.xlsx").write_text("x")
        with pytest.raises(UserMistake, match=r"neither \.parquet nor \.csv"):
            read_file(tmp_path / "a.xlsx")


class TestFitTable:
    @pytest.mark.parametrize("suffix", [".csv", ".parquet"])
    def test_a_scorer_and_a_report(self, tmp_path: Path, suffix: str) -> None:
        path = tmp_path / f"train{suffix}"
        table().to_csv(path, index=False, sep=";") if suffix == ".csv" else table().to_parquet(path)
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
        table(300).to_parquet(tmp_path / "t.parquet")
        report = fit_table(tmp_path / "t.parquet", "won", tmp_path / "out", trials=1)
        assert any("optimistic" in note for note in report["notes"])  # type: ignore[attr-defined]

    def test_an_existing_folder_is_left_alone(self, tmp_path: Path) -> None:
        (tmp_path / "out").mkdir()
        with pytest.raises(UserMistake, match="exists"):
            fit_table(tmp_path / "t.parquet", "won", tmp_path / "out")


class TestDoor:
    def run(self, *arguments: str, home: Path) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "ACCOUNTSCORE_HOME": str(home)}
        return subprocess.run(
            [sys.executable, "-m", "training", *arguments],
            capture_output=True,
            text=True,
            env=environment,
            check=False,
            timeout=120,
        )

    @pytest.mark.parametrize("noise", [False, True])
    def test_words_end_with_the_verdict_and_the_exit_code_says_it(self, tmp_path: Path, noise: bool) -> None:
        frame = table(1200)
        rng = np.random.default_rng(1)
        frame["visits"] = rng.integers(0, 30, len(frame))
        told = 0 if noise else np.log(frame["size"]) - 3 + frame["visits"] / 5 - 3
        frame["won"] = rng.random(len(frame)) < 1 / (1 + np.exp(-2 * told))
        frame.to_parquet(tmp_path / "t.parquet")
        out = tmp_path / "s"
        given = ("fit-table", str(tmp_path / "t.parquet"), "--label", "won", "--time", "created", "--out", str(out))
        done = self.run(*given, "--trials", "1", *(["--json"] if noise else []), home=tmp_path)
        assert done.returncode == (3 if noise else 0), done.stderr
        report = json.loads((tmp_path / "s.report.json").read_text())
        assert report["ready"] is not noise
        *_, verdict, path = done.stderr.splitlines()
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
