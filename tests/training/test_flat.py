"""A flat table is enough: columns become signals or say why not, and what is wrong is said all at once."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from features.audit import audit_table
from features.kit.clock import DAY_US
from features.kit.errors import UserMistake
from features.kit.flat_files.kinds import settle
from features.kit.flat_files.reading import read_file
from models.scorer.scorer import Scorer
from tests.kit import commands
from training.entity_column import Entities
from training.errors import TrainingRefused
from training.fit_table import fit_table
from training.flat_table import Ask, FlatTable, as_unit, flat_rows, moments

pytestmark = pytest.mark.usefixtures("no_pictures")


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
        flat = flat_rows(pa.Table.from_pandas(table()), Ask("won", time="created"))
        units = {s.name: s.unit for s in flat.rows.signals}
        assert units == {"size": "points", "plan": "category", "trial": "flag", "as text": "points"}
        why = dict(flat.left_out)
        assert "an identifier" in why["id"]
        assert "a running number" in why["row"]
        assert why["empty"] == "it has no value in any row"

    def test_a_running_number_is_one_in_every_type(self) -> None:
        numbers = [1.0, None, *map(float, range(3, 201))]
        assert "a running number" in as_unit(settle(column(*numbers)))
        assert as_unit(settle(column(*(v and v + 0.25 for v in numbers)))) == "points"

    def test_dates_are_refused_with_the_next_step(self) -> None:
        assert "give the days" in as_unit(settle(pa.chunked_array([pa.array(pd.date_range("2024-01-01", periods=30))])))

    def test_infinite_numbers_are_missing(self) -> None:
        found = settle(column(1.0, float("inf"), 2.0))
        assert found.kind == "number"
        assert found.values.null_count == found.unreadable == 1

    def test_rows_without_a_label_are_left_out(self) -> None:
        frame = table()
        frame.loc[:9, "won"] = None
        flat = flat_rows(pa.Table.from_pandas(frame), Ask("won"))
        assert flat.unlabelled == 10
        assert len(flat.rows) == 590

    def test_times_as_text_numbers_and_dates_have_one_order(self) -> None:
        days = pd.date_range("2024-01-01", periods=5)
        for values in (days, [d.isoformat() for d in days], [1.5, 2.0, 7.0, 8.0, 9.0]):
            assert (np.diff(moments(settle(pa.chunked_array([pa.array(list(values))])), "t")) > 0).all()


def weekly(signal: bool = False, accounts: int = 240, weeks: int = 44, seed: int = 0) -> pd.DataFrame:
    """Weekly rows per account until it leaves; the outcome is "within 90 days". Facts of an account tell nothing of it; with
    `signal` its mood does, which moves slowly."""
    rng = np.random.default_rng(seed)
    mood = np.zeros((accounts, weeks + 13))
    for week in range(weeks + 13):
        mood[:, week] = 0.95 * mood[:, week - 1] + 0.31 * rng.normal(size=accounts)
    hazard = 0.015 * (np.exp(2.5 * mood - 2) if signal else 1.0)
    leaves = rng.random(mood.shape) < hazard
    end = np.where(leaves.any(axis=1), leaves.argmax(axis=1), weeks + 99)
    who, week = np.repeat(np.arange(accounts), weeks), np.tile(np.arange(weeks), accounts)
    frame = pd.DataFrame(
        {
            "account": who,
            "snapshot": (pd.Timestamp("2024-01-01") + pd.to_timedelta(7 * week, unit="D")).strftime("%Y-%m-%d"),
            "age": rng.integers(0, 4000, accounts)[who],
            "size": rng.lognormal(3, 1, accounts)[who],
            "noise": rng.normal(size=len(who)),
            "mood": mood[who, week] if signal else rng.normal(size=len(who)),
            "left": (end[who] < week + 13).astype(int),
        }
    )
    return frame[week <= end[who]].reset_index(drop=True)


def learnt_from(frame: pd.DataFrame, **more: Any) -> FlatTable:
    return flat_rows(pa.Table.from_pandas(frame, preserve_index=False), Ask("left", time="snapshot", **more))


class TestSnapshots:
    def test_a_horizon_is_a_gap_and_without_one_accounts_stay_on_one_side(self) -> None:
        frame = weekly()
        flat = learnt_from(frame, horizon_days=90)
        time = flat.rows.time
        assert time is not None
        assert time[flat.split.before_test].max() + 90 * DAY_US <= time[flat.split.test].min()
        assert time[flat.split.train].max() + 90 * DAY_US <= time[flat.split.calibrate].min()
        assert "The gap is 90 days" in " ".join(flat.notes)
        flat = learnt_from(frame)
        group, split = flat.rows.group, flat.split
        assert time[split.before_test].max() + 90 * DAY_US > time[split.test].min(), "there is none"
        assert not set(group[split.before_test]) & set(group[split.test])
        assert "there is no gap" in " ".join(flat.notes)

    @pytest.mark.parametrize("more", [{"horizon_days": 90}, {}, {"horizon_days": 90, "group": "account"}])
    def test_the_number_of_an_account_is_no_input_and_intervals_go_by_account(self, more: dict[str, Any]) -> None:
        frame = weekly()
        flat = learnt_from(frame, **more)
        assert [s.name for s in flat.rows.signals] == ["age", "size", "noise", "mood"]
        assert flat.entities.column == "account"
        assert len(np.unique(flat.rows.group)) == 240
        assert "intervals are by account" in " ".join(flat.notes)

    def test_rows_without_a_group_are_not_one_group(self) -> None:
        frame = table()
        frame["firm"] = [f"f{i // 4}" if i % 3 else None for i in range(len(frame))]
        flat = flat_rows(pa.Table.from_pandas(frame), Ask("won", group="firm"))
        alone = flat.rows.group[frame["firm"].isna().to_numpy()]
        assert len(np.unique(alone)) == len(alone) == 200

    def test_without_a_time_folds_go_by_account(self) -> None:
        frame = weekly().drop(columns=["snapshot"])
        flat = flat_rows(pa.Table.from_pandas(frame, preserve_index=False), Ask("left"))
        assert all(not set(flat.rows.group[a]) & set(flat.rows.group[b]) for a, b in flat.split.folds)
        assert len(np.unique(flat.rows.group)) == 240

    @pytest.mark.parametrize("more", [{"horizon_days": 90}, {}])
    def test_noise_is_refused_and_with_the_guards_out_it_ranks(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: dict[str, Any]
    ) -> None:
        weekly(seed=5).to_csv(tmp_path / "t.csv", index=False)
        report = fit_table(tmp_path / "t.csv", "left", tmp_path / "s", time="snapshot", trials=1, **more)
        assert report["verdict"] == "no signal found"
        assert report["metrics"]["auc"]["low"] < 0.5  # type: ignore[index]
        nobody = Entities(None, None, {})
        monkeypatch.setattr("training.flat_table.find_entities", lambda *_: nobody)
        twin = fit_table(tmp_path / "t.csv", "left", tmp_path / "twin", time="snapshot", trials=1)
        assert twin["metrics"]["auc"]["low"] > 0.55, "neighbouring weeks of one account"  # type: ignore[index]

    def test_a_signal_is_found(self, tmp_path: Path) -> None:
        weekly(signal=True, weeks=80).to_csv(tmp_path / "t.csv", index=False)
        report = fit_table(tmp_path / "t.csv", "left", tmp_path / "s", time="snapshot", trials=1, horizon_days=90)
        assert report["metrics"]["auc"]["low"] > 0.6  # type: ignore[index]
        assert Scorer.load(tmp_path / "s").spec.horizon_days == 90


class TestHorizon:
    @pytest.mark.parametrize("days", [0, -5])
    def test_it_is_above_0(self, tmp_path: Path, days: int) -> None:
        with pytest.raises(UserMistake, match=rf"--horizon {days} is not above 0: give the days"):
            fit_table(tmp_path / "t.csv", "left", tmp_path / "s", time="snapshot", horizon_days=days)

    @pytest.mark.parametrize("days", [200, 301, 5_000, 10**15])
    def test_one_that_the_times_do_not_allow_is_told_the_longest_that_works(self, days: int) -> None:
        frame = weekly()
        with pytest.raises(TrainingRefused, match=rf"--horizon {days}: the times span 301 days") as refused:
            learnt_from(frame, horizon_days=days)
        works = int(re.findall(r"--horizon (\d+) or less works", str(refused.value))[0])
        assert learnt_from(frame, horizon_days=works)
        with pytest.raises(TrainingRefused):
            learnt_from(frame, horizon_days=works + 7)

    def test_a_row_whose_horizon_is_not_over_has_no_outcome_yet(self, monkeypatch: pytest.MonkeyPatch) -> None:
        frame = weekly(weeks=60)
        clock = pd.Timestamp("2025-01-01")
        late = pd.to_datetime(frame["snapshot"]) + pd.Timedelta(days=90) > clock
        frame.loc[late, "left"] = 0  # what an export of that day says
        frame.loc[len(frame)] = {**frame.iloc[0].to_dict(), "snapshot": "2099-01-01", "left": 0}
        flat = learnt_from(frame, horizon_days=90, now_us=clock.value // 1000)
        assert flat.rows.time is not None
        assert int(flat.rows.time.max()) + 90 * DAY_US <= clock.value // 1000
        assert len(flat.rows) == (~late).sum()
        said = f"Rows that are not learnt from: {late.sum() + 1:,} whose 90 days were not over at the clock."
        assert said in flat.notes
        monkeypatch.setattr("training.flat_table.horizon_over", lambda *_: None)
        with pytest.raises(TrainingRefused, match="the times span 27,394 days"):
            learnt_from(frame, horizon_days=90, now_us=clock.value // 1000)
        with pytest.raises(TrainingRefused, match=r"the test period: .* rows with no outcome"):
            learnt_from(frame[:-1], horizon_days=90, now_us=clock.value // 1000)

    def test_a_clock_before_the_rows_says_how_to_set_it(self) -> None:
        with pytest.raises(TrainingRefused, match=r"--horizon 90: it was over for 0 of .*ACCOUNTSCORE_NOW"):
            learnt_from(weekly(), horizon_days=90, now_us=pd.Timestamp("2023-01-01").value // 1000)

    def test_it_needs_dates(self) -> None:
        arrow = pa.Table.from_pandas(table())
        with pytest.raises(TrainingRefused, match=r"there is no --time.*add --time created"):
            flat_rows(arrow, Ask("won", horizon_days=90))
        with pytest.raises(TrainingRefused, match=r"column row holds numbers.*give dates"):
            flat_rows(arrow, Ask("won", time="row", horizon_days=90))


class TestOutcome:
    @pytest.mark.parametrize(("chosen", "value"), [(None, "Yes"), ("No", "No"), ("yes", "Yes")])
    def test_it_is_chosen_and_said(self, chosen: str | None, value: str) -> None:
        frame = table()
        flat = flat_rows(pa.Table.from_pandas(frame), Ask("won", chosen))
        assert flat.outcome == {
            "column": "won", "value": value, "other": "No" if value == "Yes" else "Yes",
            "rows": int((frame["won"] == value).sum()),
        }  # fmt: skip
        assert flat.rows.y.sum() == (frame["won"] == value).sum()
        assert any(f"The outcome is won = {value}" in note for note in flat.notes)

    @pytest.mark.parametrize("values", [(0, 1), (0.0, 1.0), (False, True), ("0", "1")])
    def test_numbers_and_flags_by_what_is_written(self, values: tuple[object, object]) -> None:
        frame = table()
        frame["won"] = [values[v == "Yes"] for v in frame["won"]]
        written = {"False": "false"}.get(str(values[0]), "0")
        flat = flat_rows(pa.Table.from_pandas(frame), Ask("won", written))
        assert flat.rows.y.sum() == (frame["won"] == values[0]).sum()

    @pytest.mark.parametrize("chosen", [None, "won", "lost"])
    def test_cases_that_are_still_open_are_no_label_as_in_the_audit(self, chosen: str | None) -> None:
        frame = table()
        frame["won"] = np.where(frame["won"] == "Yes", "Won", "lost")
        frame.loc[:49, "won"] = "Negotiation"
        frame.loc[50:59, "won"] = ""
        flat = flat_rows(pa.Table.from_pandas(frame), Ask("won", chosen))
        assert len(flat.rows) == 540
        assert flat.unlabelled == 60
        assert flat.outcome["value"] == ("lost" if chosen == "lost" else "Won")
        said = "Rows that are not learnt from: 10 without a value in won; 50 that are still open (Negotiation)."
        assert said in flat.notes
        audit_table(frame.replace("", None), "won")  # takes the same label

    @pytest.mark.parametrize(
        ("values", "next_step"),
        [
            (["gold", "silver", "bronze"], "write each other value as one of the two, or empty"),
            (["gold", None, None], "write the other value where it is empty and the case is closed"),
            (list(pd.date_range("2024-01-01", periods=200).astype("str")), "write yes where this one is filled in"),
        ],
    )
    def test_a_label_of_other_kinds_is_told_what_to_write(self, values: list[str | None], next_step: str) -> None:
        frame = table().assign(won=(values * 600)[:600])
        with pytest.raises(UserMistake, match=rf"a label has two.*{next_step}"):
            flat_rows(pa.Table.from_pandas(frame), Ask("won"))

    def test_a_value_that_is_not_there(self) -> None:
        with pytest.raises(UserMistake, match="--outcome maybe is no value of 'won': choose No or Yes"):
            flat_rows(pa.Table.from_pandas(table()), Ask("won", "maybe"))


class TestRefusals:
    def test_every_missing_column_at_once(self) -> None:
        with pytest.raises(TrainingRefused) as refused:
            flat_rows(pa.Table.from_pandas(table()), Ask("converted", time="when", group="firm"))
        assert [f.where for f in refused.value.faults] == ["--label converted", "--time when", "--group firm"]

    @pytest.mark.parametrize(
        ("ask", "faults"),
        [
            (Ask("won", time="won", id_column="won"), ["--time won", "--id won"]),
            (Ask("won", group="won"), ["--group won"]),
            (Ask("won", time="created", id_column="created"), ["--id created"]),
        ],
    )
    def test_a_column_that_cannot_be_both(self, ask: Ask, faults: list[str]) -> None:
        with pytest.raises(TrainingRefused) as refused:
            flat_rows(pa.Table.from_pandas(table()), ask)
        assert [f.where for f in refused.value.faults] == faults

    @pytest.mark.parametrize(("name", "why"), [("size", "fractions"), ("trial", "flags"), ("empty", "no value")])
    def test_an_id_that_is_none(self, name: str, why: str) -> None:
        with pytest.raises(TrainingRefused, match=f"--id {name}: it h(as|olds) .*{why.rsplit(maxsplit=1)[-1]}"):
            flat_rows(pa.Table.from_pandas(table()), Ask("won", id_column=name))

    @pytest.mark.parametrize("option", ["label", "group"])
    def test_a_column_of_lists(self, option: str) -> None:
        rows = pa.Table.from_pandas(table()).append_column("lists", pa.array([["a"], ["b"]] * 300))
        ask = Ask("lists") if option == "label" else Ask("won", group="lists")
        with pytest.raises(TrainingRefused, match=f"--{option} lists: its type is list"):
            flat_rows(rows, ask)

    def test_one_class_only(self) -> None:
        frame = table().assign(won="No")
        with pytest.raises(UserMistake, match="column 'won' holds 1 different values"):
            flat_rows(pa.Table.from_pandas(frame), Ask("won"))

    def test_too_few(self) -> None:
        frame = table()
        frame["won"] = np.arange(len(frame)) < 7
        with pytest.raises(TrainingRefused, match=r"7 of 600.*at least 20.*about 3 times the history"):
            flat_rows(pa.Table.from_pandas(frame), Ask("won"))

    def test_a_time_that_is_none(self) -> None:
        frame = table().assign(when=["2024-01-01"] * 599 + ["soon"])
        with pytest.raises(TrainingRefused, match="'soon'"):
            flat_rows(pa.Table.from_pandas(frame), Ask("won", time="when"))

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
        return commands.run("training", *arguments, env={**os.environ, "ACCOUNTSCORE_HOME": str(home)})

    @pytest.mark.parametrize("noise", [False, True])
    def test_words_end_with_the_verdict_and_the_exit_code_says_it(self, tmp_path: Path, noise: bool) -> None:
        frame = table(1200)
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
