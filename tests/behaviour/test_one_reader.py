"""The same rows have the same scores to the bit at every door and in every way that people write a file."""

from __future__ import annotations

import csv
import gzip
import io
import re
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.audit.table import read_flat
from features.kit.errors import BadInput
from features.kit.flat_files.reading import read_file
from models.scorer.scorer import Scorer
from serving.batch import flat_file
from training.fit_table import fit_table

pytestmark = pytest.mark.usefixtures("no_pictures")

ROWS = 400
Table = dict[str, list[str]]


def company() -> Table:
    """Texts as an export has them: codes with zeros before them, money, shares, a flag, NA for a region, words with umlauts."""
    rng = np.random.default_rng(7)
    size = np.round(rng.lognormal(6, 1, ROWS), 2)
    region = np.array(["NA", "EMEA", "APAC", "None", ""])[rng.integers(0, 5, ROWS)]
    share = np.round(rng.random(ROWS) * 100, 1)
    optin = rng.random(ROWS) < 0.5
    won = rng.random(ROWS) < 1 / (1 + np.exp(-(np.log(size) - 6 + (region == "NA") * 1.5 + optin)))
    return {
        "account_id": [f"{i:06d}" for i in range(ROWS)],
        "revenue": [f"{v:.2f}" for v in size],
        "share": [f"{v}" for v in share],
        "region": region.tolist(),
        "city": np.array(["München", "Köln", " Berlin"])[rng.integers(0, 3, ROWS)].tolist(),
        "code": np.array(["007", "012", "A12"])[rng.integers(0, 3, ROWS)].tolist(),
        "optin": ["true" if v else "false" for v in optin],
        "won": ["1" if v else "0" for v in won],
    }


def as_csv(table: Table, delimiter: str = ",", encoding: str = "utf-8") -> bytes:
    text = io.StringIO()
    rows = csv.writer(text, delimiter=delimiter, lineterminator="\n")
    rows.writerow(table)
    rows.writerows(zip(*table.values(), strict=True))
    return text.getvalue().encode(encoding)


def european(table: Table) -> Table:
    return table | {name: [v.replace(".", ",") for v in table[name]] for name in ("revenue", "share")}


def american(table: Table) -> Table:
    money = [f"${float(v):,.2f}" for v in table["revenue"]]
    return table | {"revenue": money, "share": [f"{v}%" for v in table["share"]]}


def parquet(table: Table, **types: Callable[[list[str]], pa.Array]) -> bytes:
    columns = {name: types[name](v) if name in types else pa.array(v) for name, v in table.items()}
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink)
    return sink.getvalue()


def floats(values: list[str]) -> pa.Array:
    return pa.array([float(v) for v in values])


WAYS: dict[str, Callable[[Table], bytes]] = {
    "comma.csv": as_csv,
    "tab.csv": lambda t: as_csv(t, "\t"),
    "bar.csv": lambda t: as_csv(t, "|"),
    "european.csv": lambda t: as_csv(european(t), ";", "cp1252"),
    "american.csv": lambda t: as_csv(american(t), ",", "utf-8-sig"),
    "utf16.csv": lambda t: as_csv(t, "\t", "utf-16"),
    "packed.csv.gz": lambda t: gzip.compress(as_csv(t)),
    "texts.parquet": parquet,
    "european.parquet": lambda t: parquet(european(t)),
    "views.parquet": lambda t: parquet(t, **dict.fromkeys(t, lambda v: pa.array(v, pa.string_view()))),
    "large.parquet": lambda t: parquet(t, **dict.fromkeys(t, lambda v: pa.array(v, pa.large_string()))),
    "words.parquet": lambda t: parquet(t, **dict.fromkeys(t, lambda v: pa.array(v).dictionary_encode())),
    "typed.parquet": lambda t: parquet(
        t,
        revenue=lambda v: pa.array([Decimal(x) for x in v]),
        share=floats,
        optin=lambda v: pa.array([x == "true" for x in v]),
    ),
}


@pytest.fixture(scope="module")
def table() -> Table:
    return company()


@pytest.fixture(scope="module")
def scorer(tmp_path_factory: pytest.TempPathFactory, table: Table) -> Path:
    folder = tmp_path_factory.mktemp("reader")
    (folder / "train.csv").write_bytes(as_csv(table))
    fit_table(folder / "train.csv", "won", folder / "scorer", trials=1)
    return folder / "scorer"


def scores(scorer: Path, file: Path) -> np.ndarray:
    out = file.with_name("scored.parquet")
    flat_file.score_table(scorer, file, out)
    found: np.ndarray = pq.read_table(out)["probability"].to_numpy()
    return found


class TestSameScores:
    @pytest.mark.parametrize("way", WAYS)
    def test_in_every_way_of_writing_the_rows(self, way: str, scorer: Path, table: Table, tmp_path: Path) -> None:
        (tmp_path / "plain.csv").write_bytes(as_csv(table))
        (tmp_path / way).write_bytes(WAYS[way](table))
        assert np.array_equal(scores(scorer, tmp_path / way), scores(scorer, tmp_path / "plain.csv"))

    @pytest.mark.parametrize("way", ["comma.csv", "european.csv", "texts.parquet", "typed.parquet"])
    def test_alone_or_among_others(self, way: str, scorer: Path, table: Table, tmp_path: Path) -> None:
        """Rows that happen to have no A12, no gap and no umlaut: their columns could be taken for numbers."""
        some = [i for i in range(ROWS) if table["code"][i] != "A12" and table["region"][i] != ""][:20]
        (tmp_path / way).write_bytes(WAYS[way](table))
        every = scores(scorer, tmp_path / way)
        (tmp_path / way).write_bytes(WAYS[way]({name: [v[i] for i in some] for name, v in table.items()}))
        assert np.array_equal(scores(scorer, tmp_path / way), every[some])

    def test_as_a_request(self, scorer: Path, table: Table, tmp_path: Path) -> None:
        (tmp_path / "plain.csv").write_bytes(as_csv(table))
        loaded = Scorer.load(scorer)
        numbers = {"revenue": float, "share": float, "optin": lambda v: v == "true"}
        records = [
            {name: numbers.get(name, str)(table[name][i]) for name in loaded.names}  # type: ignore[operator]
            for i in range(ROWS)
        ]
        x, faults, _ = loaded.encode_records(records)
        assert not any(faults)
        assert np.array_equal(loaded.probability(x), scores(scorer, tmp_path / "plain.csv"))

    def test_types_taken_from_tonights_file_would_give_others(self, scorer: Path, table: Table, tmp_path: Path) -> None:
        """The twin: pandas settles each column by the rows that are there, as the reader before this one did."""
        some = {name: [v[i] for i in range(ROWS) if table["code"][i] != "A12"] for name, v in table.items()}
        (tmp_path / "plain.csv").write_bytes(as_csv(some))
        pd.read_csv(tmp_path / "plain.csv").to_parquet(tmp_path / "guessed.parquet")
        assert not np.array_equal(scores(scorer, tmp_path / "guessed.parquet"), scores(scorer, tmp_path / "plain.csv"))


class TestSameTable:
    @pytest.mark.parametrize("way", WAYS)
    def test_learning_and_the_audit_read_the_same_columns(self, way: str, table: Table, tmp_path: Path) -> None:
        (tmp_path / "plain.csv").write_bytes(as_csv(table))
        (tmp_path / way).write_bytes(WAYS[way](table))
        given, expected = read_flat(tmp_path / way).frame, read_flat(tmp_path / "plain.csv").frame
        pd.testing.assert_frame_equal(given, expected, check_dtype=False)

    @pytest.mark.parametrize("way", ["european.csv", "american.csv", "typed.parquet", "views.parquet"])
    def test_the_scorer_that_is_learnt_is_the_same(self, way: str, scorer: Path, table: Table, tmp_path: Path) -> None:
        (tmp_path / way).write_bytes(WAYS[way](table))
        fit_table(tmp_path / way, "won", tmp_path / "scorer", trials=1)
        (tmp_path / "plain.csv").write_bytes(as_csv(table))
        assert np.array_equal(
            scores(tmp_path / "scorer", tmp_path / "plain.csv"), scores(scorer, tmp_path / "plain.csv")
        )


class TestPassedThrough:
    def test_letter_for_letter(self, scorer: Path, table: Table, tmp_path: Path) -> None:
        few = {name: v[:7] for name, v in table.items()} | {
            "account_id": ["000123", "12e4", "NULL", "NA", "", "  x", "2024-01-01T10:00:00Z"],
            "phone": ["+49 30 1234", "0049", "12345678901234567890", "-5", "(030) 12", "1.50", "True"],
        }
        (tmp_path / "in.csv").write_bytes(as_csv(few))
        flat_file.score_table(scorer, tmp_path / "in.csv", tmp_path / "out.csv")
        rows = list(csv.DictReader(io.StringIO((tmp_path / "out.csv").read_text())))
        assert {name: [row[name] for row in rows] for name in few} == few
        assert (tmp_path / "out.csv").read_text().startswith((tmp_path / "in.csv").read_text().partition("\n")[0])

    def test_no_spreadsheet_runs_a_cell(self, scorer: Path, table: Table, tmp_path: Path) -> None:
        risky = ["=1+1", "@SUM(A1)", "+cmd|' /C calc'!A0", "-2+A3", "plain", "-5"]
        few = {name: v[:6] for name, v in table.items()} | {"account_id": risky, "=cmd()": ["1"] * 6}
        (tmp_path / "in.csv").write_bytes(as_csv(few))
        done = flat_file.score_table(scorer, tmp_path / "in.csv", tmp_path / "out.csv")
        rows = list(csv.DictReader(io.StringIO((tmp_path / "out.csv").read_text())))
        assert [row["account_id"] for row in rows] == [f"'{v}" for v in risky[:4]] + risky[4:]
        assert done.guarded == 4
        assert "'=cmd()" in rows[0]

    def test_names_that_are_ours_are_taken_with_a_prefix(self, scorer: Path, table: Table, tmp_path: Path) -> None:
        given = table | {"score": ["1"] * ROWS, "select": ["x"] * ROWS, 'a."b"': ["y"] * ROWS}
        (tmp_path / "in.csv").write_bytes(as_csv(given))
        flat_file.score_table(scorer, tmp_path / "in.csv", tmp_path / "out.csv", prefix="lead_")
        read = read_file(tmp_path / "out.csv").table
        assert read.column_names[: len(given)] == list(given)
        assert {"lead_probability", "lead_score", "lead_band"} < set(read.column_names)
        assert read["score"].to_pylist() == ["1"] * ROWS


class TestOneBadValue:
    def test_it_costs_its_row_alone_and_is_counted(self, scorer: Path, table: Table, tmp_path: Path) -> None:
        wrong = {name: list(v) for name, v in table.items()}
        wrong["optin"][3], wrong["revenue"][5] = "maybe", "many"
        for way in ("comma.csv", "texts.parquet"):
            (tmp_path / way).write_bytes(WAYS[way](wrong))
            done = flat_file.score_table(scorer, tmp_path / way, tmp_path / "out.parquet")
            assert dict(done.no_numbers) == {"optin": 1, "revenue": 1}
            found = pq.read_table(tmp_path / "out.parquet")["probability"].to_numpy()
            (tmp_path / way).write_bytes(WAYS[way](table))
            good = scores(scorer, tmp_path / way)
            assert (found != good).nonzero()[0].tolist() == [3, 5]


class TestAColumnInOtherLetters:
    def renamed(self, table: Table, tmp_path: Path) -> Path:
        file = tmp_path / "tonight.csv"
        file.write_bytes(as_csv({f" {name.upper()}": v for name, v in table.items() if name != "won"}))
        return file

    def test_the_message_names_it_and_its_advice_works(self, scorer: Path, table: Table, tmp_path: Path) -> None:
        file = self.renamed(table, tmp_path)
        with pytest.raises(BadInput) as caught:
            scores(scorer, file)
        steps = [re.match("rename '(.*)' to '(.*)'$", fault.next_step) for fault in caught.value.faults]
        head, _, rows = file.read_text().partition("\n")
        for step in steps:
            assert step is not None
            head = head.replace(step[1], step[2])
        file.write_text(f"{head}\n{rows}")
        (tmp_path / "plain.csv").write_bytes(as_csv(table))
        assert np.array_equal(scores(scorer, file), scores(scorer, tmp_path / "plain.csv"))

    def test_the_twin_that_looks_for_no_like_name_says_add_it(
        self, scorer: Path, table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(flat_file, "_letters", lambda name: name)
        with pytest.raises(BadInput, match="add it; null is allowed"):
            scores(scorer, self.renamed(table, tmp_path))


AMERICAN: Table = {"revenue": ["1,234.50", "2,500.25"] * 30, "seats": ["1,234", "56"] * 30}


class TestTheOtherDecimalMark:
    """A scorer that learnt 1,234.50 gets a file with 1.234,50: what could be either is read as learnt, and said."""

    def done(self, tmp_path: Path, table: Table) -> flat_file.ScoredFile:
        rng = np.random.default_rng(1)
        won = ["1" if v else "0" for v in rng.random(60) < 0.5]
        (tmp_path / "train.csv").write_bytes(as_csv(AMERICAN | {"won": won}))
        (tmp_path / "new.csv").write_bytes(as_csv(table, ";"))
        fit_table(tmp_path / "train.csv", "won", tmp_path / "scorer", trials=1)
        return flat_file.score_table(tmp_path / "scorer", tmp_path / "new.csv", tmp_path / "o.csv", anyway=True)

    def test_is_told(self, tmp_path: Path) -> None:
        swapped = str.maketrans(",.", ".,")
        european = {name: [v.translate(swapped) for v in column] for name, column in AMERICAN.items()}
        assert self.done(tmp_path, european).either_way == {"seats": "1.234"}

    def test_its_own_is_not(self, tmp_path: Path) -> None:
        assert self.done(tmp_path, AMERICAN).either_way == {}

    def test_the_twin_that_looks_at_no_other_column_is_silent(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        alone = flat_file.mark_evidence  # type: ignore[attr-defined]
        monkeypatch.setattr(flat_file, "mark_evidence", lambda column: (0, 0, alone(column)[2]))
        assert self.done(tmp_path, {"revenue": ["1.234,50"], "seats": ["1.234"]}).either_way == {}
