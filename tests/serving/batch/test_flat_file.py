"""A flat file in, the same rows with their scores out: the numbers of the scorer, whatever the file's format."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import msgspec
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from features.kit.errors import BadInput, UserMistake
from features.kit.flat_files import reading
from models.population import Population, where
from models.scorer import artefact
from models.scorer.scorer import Scorer
from models.scorer.verdict import NotForUse
from serving.batch import flat_file
from tests.kit import commands
from training.fit_table import fit_table

pytestmark = pytest.mark.usefixtures("no_pictures")


def frame(n: int = 400, seed: int = 0) -> pd.DataFrame:
    """Leads with a number, a number that comes as text, a word with gaps, a flag, and a name that is no signal."""
    rng = np.random.default_rng(seed)
    size, visits = np.round(rng.lognormal(3, 1, n), 1), rng.integers(0, 30, n)
    return pd.DataFrame(
        {
            "name": [f"firm {i}" for i in range(n)],
            "size": size,
            "as text": [f"{v:.2f}" if v < 80 else "" for v in size * 2],
            "plan": np.array(["basic", " pro ", None], dtype=object)[rng.integers(0, 3, n)],
            "trial": rng.random(n) < 0.5,
            "visits": visits,
            "won": rng.random(n) < 1 / (1 + np.exp(1.2 * (4.8 - np.log(size) - visits / 8))),
        }
    )


@pytest.fixture(scope="module")
def scorer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("flat")
    frame(800).to_csv(folder / "train.csv", index=False)
    assert fit_table(folder / "train.csv", "won", folder / "scorer", trials=1)["ready"]
    return folder / "scorer"


@pytest.fixture(scope="module")
def refused(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same of outcomes that nothing tells of."""
    folder = tmp_path_factory.mktemp("refused")
    rows = frame(800)
    rows.assign(won=np.random.default_rng(0).permutation(rows["won"])).to_csv(folder / "train.csv", index=False)
    assert fit_table(folder / "train.csv", "won", folder / "scorer", trials=1)["verdict"] == "no signal found"
    return folder / "scorer"


def as_format_1(directory: Path, to: Path) -> Path:
    """The scorer as format 1 had it: no verdict."""
    files, _ = artefact.read_files(directory)
    spec = json.loads(files["scorer.json"]) | {"format": 1}
    del spec["verdict"]
    artefact.write_files(to, {**files, "scorer.json": json.dumps(spec).encode()})
    manifest = json.loads((to / artefact.MANIFEST).read_text()) | {"format": 1}
    (to / artefact.MANIFEST).write_text(json.dumps(manifest))
    return to


def expected(directory: Path, rows: pd.DataFrame) -> np.ndarray:
    """The scorer alone, fed by hand."""
    scorer = Scorer.load(directory)
    given = rows.assign(**{"as text": pd.to_numeric(rows["as text"], errors="coerce")})
    given["plan"] = given["plan"].str.strip()
    return scorer.probability(scorer.encode({name: given[name].tolist() for name in scorer.names}))


class TestNumbers:
    @pytest.mark.parametrize("suffix", [".parquet", ".csv"])
    def test_numbers_are_the_scorers_to_the_bit(self, scorer: Path, tmp_path: Path, suffix: str) -> None:
        rows = frame(250, seed=1)
        given, out = tmp_path / f"in{suffix}", tmp_path / f"out{suffix}"
        rows.to_parquet(given) if suffix == ".parquet" else rows.to_csv(given, index=False)
        done = flat_file.score_table(scorer, given, out)
        found = pd.read_parquet(out) if suffix == ".parquet" else pd.read_csv(out)
        assert done.rows == len(found) == 250
        assert np.array_equal(found["probability"].to_numpy(), expected(scorer, rows))
        assert found["name"].tolist() == rows["name"].tolist(), "rows keep their order and their own columns"
        assert found["score"].between(1, 100).all()

    def test_the_size_of_chunks_changes_nothing(
        self, scorer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        frame(100, seed=2).to_parquet(tmp_path / "in.parquet")
        flat_file.score_table(scorer, tmp_path / "in.parquet", tmp_path / "whole.parquet", reasons=2)
        monkeypatch.setattr(reading, "ROWS", 7)
        flat_file.score_table(scorer, tmp_path / "in.parquet", tmp_path / "parts.parquet", reasons=2)
        assert pq.read_table(tmp_path / "whole.parquet").equals(pq.read_table(tmp_path / "parts.parquet"))

    def test_unknown_words_and_texts_in_numbers_are_missing(self, scorer: Path, tmp_path: Path) -> None:
        rows = frame(3, seed=3).assign(plan=["gold", "basic", None], size=["12.0", "many", None])  # type: ignore[list-item]
        rows.to_parquet(tmp_path / "in.parquet")
        done = flat_file.score_table(scorer, tmp_path / "in.parquet", tmp_path / "out.parquet")
        assert done.no_numbers == {"size": 1}
        assert pd.read_parquet(tmp_path / "out.parquet")["probability"].between(0, 1).all()


class TestPopulation:
    """A scorer that is for a part of the rows."""

    def narrowed(self, scorer: Path, to: Path, population: Population) -> Path:
        files, _ = artefact.read_files(scorer)
        spec = json.loads(files["scorer.json"]) | {"format": 3, "population": msgspec.to_builtins(population)}
        artefact.write_files(to, {**files, "scorer.json": json.dumps(spec).encode()})
        return to

    @pytest.mark.parametrize("suffix", [".parquet", ".csv"])
    def test_rows_outside_the_population_get_no_numbers_and_are_counted(
        self, scorer: Path, tmp_path: Path, suffix: str
    ) -> None:
        population = where("plan").is_in("pro") & where("region").is_in("north")
        part, rows = self.narrowed(scorer, tmp_path / "part", population), frame(60, seed=4)
        rows["region"] = np.array(["north", "south", None], dtype=object)[np.arange(60) % 3]
        given, out, whole = (tmp_path / f"{name}{suffix}" for name in ("in", "out", "whole"))
        rows.to_parquet(given) if suffix == ".parquet" else rows.to_csv(given, index=False)
        done = flat_file.score_table(part, given, out, reasons=2)
        flat_file.score_table(scorer, given, whole, reasons=2)
        found, every = (pd.read_parquet(p) if suffix == ".parquet" else pd.read_csv(p) for p in (out, whole))
        inside = ((rows["plan"].str.strip() == "pro") & (rows["region"] == "north")).to_numpy()
        assert 0 < inside.sum() < 60
        assert done.outside == 60 - inside.sum()
        assert (found["no_score"] == "outside_population").tolist() == (~inside).tolist()
        assert found["no_score"].isna().tolist() == inside.tolist()
        for name in [c for c in every.columns if c not in rows.columns]:
            assert found[name].notna().tolist() == (inside & every[name].notna()).tolist()
        assert np.array_equal(found["probability"][inside], every["probability"][inside])
        assert "no_score" not in every.columns  # the twin: a scorer for everybody adds no such column

    def test_the_file_must_have_the_columns_of_the_population(self, scorer: Path, tmp_path: Path) -> None:
        part = self.narrowed(scorer, tmp_path / "part", where("region").is_in("north"))
        frame(5).to_parquet(tmp_path / "in.parquet")
        said = r"column region: it is missing. Rule: the scorer is for those of whom region is north. Next: add it"
        with pytest.raises(BadInput, match=said):
            flat_file.score_table(part, tmp_path / "in.parquet", tmp_path / "out.parquet")
        assert not (tmp_path / "out.parquet").exists()


class TestReasons:
    def test_the_strongest_first_and_in_words(self, scorer: Path, tmp_path: Path) -> None:
        rows = frame(20, seed=4)
        rows.to_parquet(tmp_path / "in.parquet")
        rows.to_csv(tmp_path / "in.csv", index=False)
        flat_file.score_table(scorer, tmp_path / "in.parquet", tmp_path / "out.parquet", reasons=3)
        flat_file.score_table(scorer, tmp_path / "in.csv", tmp_path / "out.csv", reasons=3)
        told = pd.read_parquet(tmp_path / "out.parquet")["reasons"]
        flat_texts = pd.read_csv(tmp_path / "out.csv")[["reason_1", "reason_2", "reason_3"]]
        for own, texts in zip(told, flat_texts.to_numpy(), strict=True):
            strength = [abs(r["effect"]) for r in own]
            assert strength == sorted(strength, reverse=True)
            assert [r["text"] for r in own] == [t for t in texts if isinstance(t, str)]

    def test_reasons_equal_those_of_each_record_to_the_bit(self, scorer: Path, tmp_path: Path) -> None:
        frame(200, seed=5).assign(plan=["gold", "basic", None, "pro"] * 50).to_parquet(tmp_path / "in.parquet")  # type: ignore[list-item]
        flat_file.score_table(scorer, tmp_path / "in.parquet", tmp_path / "out.parquet", reasons=4)
        loaded = Scorer.load(scorer)
        rows = pq.read_table(tmp_path / "out.parquet").to_pylist()
        for row in rows:
            number = row["as text"].strip()
            record = {**row, "as text": float(number) if number else None}
            record = {name: record[name] for name in loaded.names}
            x, faults, _ = loaded.encode_records([record])
            assert faults == [[]]
            alone = loaded.reasons(record, loaded.effects(x)[0][0], 4)
            assert row["reasons"] == [
                {"signal": r.signal, "theme": r.theme, "effect": r.effect, "text": r.text, "members": []} for r in alone
            ]
            assert row["probability"] == loaded.probability(x)[0]
            assert (row["score"], row["band"]) == loaded.standing(row["probability"])


class TestVerdict:
    @pytest.mark.parametrize("suffix", [".parquet", ".csv"])
    def test_a_refused_scorer_is_not_used_and_marks_every_row_when_it_is(
        self, refused: Path, tmp_path: Path, suffix: str
    ) -> None:
        given, out = tmp_path / f"in{suffix}", tmp_path / f"out{suffix}"
        frame(20).to_parquet(given) if suffix == ".parquet" else frame(20).to_csv(given, index=False)
        with pytest.raises(
            NotForUse, match=r"'no signal found'\n  - signal: AUC (.*\n)+Rule: .*Next: .*--anyway"
        ) as wrong:
            flat_file.score_table(refused, given, out)
        assert wrong.value.exit_code == 3
        assert list(tmp_path.iterdir()) == [given], "nothing is left behind"
        done = flat_file.score_table(refused, given, out, reasons=2, anyway=True)
        found = pd.read_parquet(out) if suffix == ".parquet" else pd.read_csv(out)
        assert done.marked
        assert found["verdict"].tolist() == ["no signal found"] * 20

    def test_without_the_guard_a_refused_scorer_scores(
        self, refused: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(flat_file, "require_not_refused", lambda *_: None)
        frame(5).to_csv(tmp_path / "in.csv", index=False)
        assert flat_file.score_table(refused, tmp_path / "in.csv", tmp_path / "out.csv").rows == 5

    def test_a_ready_scorer_marks_no_row(self, scorer: Path, tmp_path: Path) -> None:
        frame(5).to_csv(tmp_path / "in.csv", index=False)
        assert not flat_file.score_table(scorer, tmp_path / "in.csv", tmp_path / "out.csv", anyway=True).marked
        assert "verdict" not in pd.read_csv(tmp_path / "out.csv")

    def test_a_scorer_of_format_1_has_no_verdict(self, scorer: Path, tmp_path: Path) -> None:
        older = as_format_1(scorer, tmp_path / "older")
        frame(5).to_csv(tmp_path / "in.csv", index=False)
        with pytest.raises(
            UserMistake, match=r"has format 1 and keeps no verdict.*learn it anew, or.*--anyway"
        ) as wrong:
            flat_file.score_table(older, tmp_path / "in.csv", tmp_path / "out.csv")
        assert wrong.value.exit_code == 2
        flat_file.score_table(older, tmp_path / "in.csv", tmp_path / "out.csv", anyway=True)
        found = pd.read_csv(tmp_path / "out.csv")
        assert found["verdict"].tolist() == ["never judged"] * 5
        assert np.array_equal(found["probability"].to_numpy(), expected(scorer, frame(5))), "its numbers are the same"

    def test_a_column_named_verdict_is_a_clash(self, refused: Path, tmp_path: Path) -> None:
        frame(5).assign(verdict="x").to_csv(tmp_path / "in.csv", index=False)
        with pytest.raises(BadInput, match="column verdict: the input has it"):
            flat_file.score_table(refused, tmp_path / "in.csv", tmp_path / "out.csv", anyway=True)


class TestMistakes:
    def test_every_missing_column_and_every_clash_at_once(self, scorer: Path, tmp_path: Path) -> None:
        rows = frame(5).drop(columns=["size", "plan"]).assign(band="x")
        rows.to_parquet(tmp_path / "in.parquet")
        with pytest.raises(BadInput) as wrong:
            flat_file.score_table(scorer, tmp_path / "in.parquet", tmp_path / "out.parquet")
        assert {f.where for f in wrong.value.faults} == {"column size", "column plan", "column band"}
        assert list(tmp_path.iterdir()) == [tmp_path / "in.parquet"], "nothing is left behind"

    def test_the_advice_on_a_clash_works_in_the_next_round(self, tmp_path: Path) -> None:
        """Last night's `score` was learnt from: to rename it would be to lack it."""
        frame(800).rename(columns={"visits": "score"}).to_csv(tmp_path / "t.csv", index=False)
        fit_table(tmp_path / "t.csv", "won", tmp_path / "s", trials=1)
        with pytest.raises(BadInput, match=r"column score.*give another --prefix NAME_") as clash:
            flat_file.score_table(tmp_path / "s", tmp_path / "t.csv", tmp_path / "o.csv", anyway=True)
        assert "rename" not in str(clash.value)
        done = flat_file.score_table(tmp_path / "s", tmp_path / "t.csv", tmp_path / "o.csv", anyway=True, prefix="new_")
        assert done.rows == 800

    def test_the_input_is_not_written_over(self, scorer: Path, tmp_path: Path) -> None:
        frame(5).to_parquet(tmp_path / "in.parquet")
        with pytest.raises(UserMistake, match="the input itself"):
            flat_file.score_table(scorer, tmp_path / "in.parquet", tmp_path / "in.parquet")

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (("nowhere", "in.csv", "out.csv"), "nowhere"),
            (("{scorer}", "none.csv", "out.csv"), "no file"),
            (("{scorer}", "in.csv", "out.xlsx"), "neither"),
            (("{scorer}", "broken.parquet", "out.csv"), "cannot be read as Parquet"),
        ],
    )
    def test_the_door_ends_with_2_and_no_trace(
        self, scorer: Path, tmp_path: Path, arguments: tuple[str, ...], said: str
    ) -> None:
        frame(5).to_csv(tmp_path / "in.csv", index=False)
        (tmp_path / "broken.parquet").write_text("no")
        given = [a.format(scorer=scorer) for a in arguments]
        done = door(tmp_path, *given)
        assert done.returncode == 2, done.stderr
        assert said in done.stderr
        assert "Traceback" not in done.stderr

    def test_the_door_ends_with_3_for_a_refused_scorer(self, refused: Path, tmp_path: Path) -> None:
        frame(5).to_csv(tmp_path / "in.csv", index=False)
        done = door(tmp_path, str(refused), "in.csv", "out.csv")
        assert done.returncode == 3, done.stderr
        assert "its verdict is 'no signal found'" in done.stderr
        done = door(tmp_path, str(refused), "in.csv", "out.csv", "--anyway")
        assert done.returncode == 0, done.stderr
        assert "not for use (no signal found)" in done.stderr


def door(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return commands.run("serving", "score-table", *arguments, env=os.environ, cwd=folder)
