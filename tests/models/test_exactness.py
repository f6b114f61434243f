"""Reasons and scores at the places where trees are easily misread: at thresholds, around zero, with odd codes."""

from __future__ import annotations

import io
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import lightgbm as lgb
import numpy as np
import pytest

from models.scorer import artefact, trees
from models.scorer.artefact import ScorerRefused
from models.scorer.artefact_schema import LinearSpec, Shape
from models.scorer.bins import FEW, Cells
from models.scorer.linear import Linear
from models.scorer.reason_texts import say
from models.scorer.scorer import Scorer, sigmoid
from models.scorer.sentences import one_of
from models.scorer.trees import Tree, TreeReasons, parse, tabulate
from tests.kit.scorers import make_scorer, random_rows, train_booster


@pytest.fixture(scope="module")
def scorer(tmp_path_factory: pytest.TempPathFactory) -> Scorer:
    return make_scorer(tmp_path_factory.mktemp("scorers") / "one")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make_scorer(tmp_path / "one", n=400)
    return tmp_path / "one"


def edges(forest: list[Tree], k: int) -> np.ndarray:
    """Rows on every threshold and on both its neighbours, on and around zero, and with codes that no word has."""
    rng = np.random.default_rng(1)
    seen = [[0.0, -0.0, 1e-35, -1e-35, 1.1e-35, 1e-40, np.nan, 1e10, -1e10, 1e300] for _ in range(k)]
    for tree in forest:
        for node, feature in enumerate(tree.split_feature):
            if tree.decision_type[node] & 1:
                seen[feature] += [-3.0, -1.0, -0.5, 0.5, 2.7, 5.0, 6.0, 31.0, 32.0, 64.0, 1e6]
            else:
                limit = tree.threshold[node]
                seen[feature] += [limit, float(np.nextafter(limit, np.inf)), float(np.nextafter(limit, -np.inf))]
    return np.column_stack([rng.choice(values, 1_500) for values in seen])


def contributions(text: str, x: np.ndarray) -> np.ndarray:
    return np.asarray(lgb.Booster(model_str=text).predict(x, pred_contrib=True))


def reasons_of(text: str, k: int) -> TreeReasons:
    forest = parse(text)
    return TreeReasons(forest, tabulate(forest, k), k)


class TestEdges:
    @pytest.mark.parametrize("seed", range(3))
    @pytest.mark.parametrize("settings", [{}, {"use_missing": False}, {"zero_as_missing": True}], ids=str)
    def test_reasons_equal_lightgbm_there(self, settings: dict[str, object], seed: int) -> None:
        x, y = random_rows(1_000, seed=seed)
        text = train_booster(x, y, seed=seed, **settings)
        rows = edges(parse(text), x.shape[1])
        found, expected = reasons_of(text, x.shape[1]).effects(rows), contributions(text, rows)
        assert np.abs(found - expected[:, :-1]).max() < 1e-12

    def test_forgetting_that_zero_is_missing_is_seen(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The sabotaged twin: a reader that takes zero for a number gives other reasons on the same rows."""
        x, y = random_rows(1_000)
        text = train_booster(x, y, zero_as_missing=True)
        rows = edges(parse(text), x.shape[1])
        monkeypatch.setattr(trees, "_MISSING_ZERO", 7)
        assert np.abs(reasons_of(text, x.shape[1]).effects(rows) - contributions(text, rows)[:, :-1]).max() > 1e-3

    def test_the_fast_reader_gives_lightgbms_bits_there(self, tmp_path: Path) -> None:
        x, _ = random_rows(1_000)
        made = make_scorer(tmp_path / "s", n=1_000, linear=None, tree_share=1.0, slope=1.3, level=0.0)
        text = (tmp_path / "s" / "booster.txt").read_text()
        rows = edges(parse(text), x.shape[1])
        expected = np.asarray(lgb.Booster(model_str=text).predict(rows, raw_score=True))
        assert np.array_equal(made.log_odds(rows), expected)


class TestAnyBatch:
    def test_effects_have_the_same_bits(self, scorer: Scorer) -> None:
        x, _ = random_rows(1_200, seed=5)
        together = scorer.effects(x)[0]
        for size in (1, 7, TreeReasons.FEW + 1, FEW + 1, TreeReasons.MANY - 1, TreeReasons.MANY, TreeReasons.CHUNK + 1):
            parts = [scorer.effects(x[i : i + size])[0] for i in range(0, len(x), size)]
            assert np.array_equal(np.concatenate(parts), together)

    @pytest.mark.parametrize("rows", [0, 1, 5, 400])
    def test_one_pass_is_both(self, scorer: Scorer, rows: int) -> None:
        x = random_rows(400, seed=5)[0][:rows]
        log_odds, effects = scorer.explain(x)
        assert np.array_equal(log_odds, scorer.log_odds(x))
        assert np.array_equal(effects, scorer.effects(x)[0])
        assert np.array_equal(sigmoid(log_odds), scorer.probability(x))


class TestCells:
    def test_one_search_equals_one_per_signal(self) -> None:
        rng = np.random.default_rng(0)
        cuts = [np.sort(rng.normal(size=size)) for size in (0, 1, 5, 300)]
        cells = Cells(cuts)
        x = np.column_stack([rng.choice([*own, 0.0, 1e300, -1e300, np.inf, -np.inf, np.nan], 500) for own in cuts])
        assert np.array_equal(cells.find(x), np.vstack([cells.find(row[None, :]) for row in x]))

    def test_a_finer_partition_changes_no_bit_of_a_shape(self) -> None:
        rng = np.random.default_rng(0)
        number = Shape(knots=[-1.0, 0.0, 2.0], values=[0.1, 0.7, -0.3], missing=0.2, mean=0.0)
        text = Shape(knots=[], values=[0.5, -0.5, 0.25], missing=-0.1, mean=0.0)
        spec = LinearSpec(bias=0.3, shapes=[number, text])
        finer = Cells([np.array([-1.0, 0.0, 2.0, *rng.normal(size=20)]), np.array([1.0, 2.0, 0.5, 7.0])])
        x = np.column_stack(
            [rng.choice([-9.0, -1.0, 0.0, 0.3, 2.0, 5.0, np.nan], 300), rng.choice([0, 1, 2, 9, np.nan], 300)]
        )
        assert np.array_equal(Linear(spec, finer).terms(x), Linear(spec).terms(x))

    def test_a_coarser_one_is_refused(self) -> None:
        with pytest.raises(ValueError, match="lacks a cut"):
            Cells([np.array([1.0])]).within(Cells([np.array([2.0])]))


class TestFallback:
    def test_lightgbm_gives_the_same_bits(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        x, _ = random_rows(200, seed=8)
        expected = Scorer.load(folder).log_odds(x)
        monkeypatch.setitem(sys.modules, "lignum", None)
        assert np.array_equal(Scorer.load(folder).log_odds(x), expected)


class Trap:
    """Runs a command when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.marker),)


def agree(folder: Path, name: str, data: bytes) -> None:
    """Replace a file and make the manifest agree, as somebody who may write there would."""
    (folder / name).write_bytes(data)
    manifest = json.loads((folder / "MANIFEST.json").read_text())
    manifest["files"][name] = {"sha256": artefact.digest(data), "bytes": len(data)}
    (folder / "MANIFEST.json").write_text(json.dumps(manifest))


def archive(**arrays: np.ndarray) -> bytes:
    stored = io.BytesIO()
    np.savez(stored, **arrays)  # type: ignore[arg-type]
    return stored.getvalue()


class TestForgery:
    """Files that agree with their manifest and are still no scorer's."""

    @pytest.mark.parametrize(
        ("name", "data"),
        [
            ("tables.npz", b"PK\x03\x04 no archive"),
            ("tables.npz", b"nothing of the kind"),
            ("tables.npz", archive(slots=np.zeros((1, 7), dtype=np.int64))),
            ("booster.txt", b"tree\nversion=v4\n"),
            ("booster.txt", b""),
            ("linear.json", b'{"bias": 0.0, "shapes": []}'),
            ("linear.json", b'{"bias": "0"}'),
            ("scorer.json", b"[]"),
            ("golden.json", b'{"rows": [], "trees": [], "log_odds": [], "effects": []}'),
            ("golden.json", b'{"rows": [[1]], "trees": [0], "log_odds": [0], "effects": [[0]]}'),
        ],
    )
    def test_refused_with_a_reason(self, folder: Path, name: str, data: bytes) -> None:
        agree(folder, name, data)
        with pytest.raises(ScorerRefused):
            Scorer.load(folder)

    def test_a_pickle_in_the_tables_never_runs(self, folder: Path, tmp_path: Path) -> None:
        marker = tmp_path / "it ran"
        trap = np.array([Trap(marker)], dtype=object)
        agree(folder, "tables.npz", archive(slots=trap, values=trap, base=trap))
        with pytest.raises(ScorerRefused):
            Scorer.load(folder)
        assert not marker.exists()
        # The sabotaged twin: the same file, read without the refusal, does run.
        with np.load(folder / "tables.npz", allow_pickle=True) as stored:
            stored["slots"]
        assert marker.exists()
        assert pickle.dumps(trap)

    def test_other_reason_tables_are_caught_by_lightgbms_golden_values(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with np.load(folder / "tables.npz") as stored:
            arrays = dict(stored)
        # Two signals swap half of what they did: the sum stays, the reasons are wrong.
        arrays["values"][:, :, [0, 1]] = arrays["values"][:, :, [1, 0]]
        agree(folder, "tables.npz", archive(**arrays))
        with pytest.raises(ScorerRefused, match="other reasons"):
            Scorer.load(folder)
        # The sabotaged twin: without the replay nothing else would have noticed.
        monkeypatch.setattr(Scorer, "_replay", lambda self, directory, golden: None)
        x, _ = random_rows(20)
        forged = Scorer.load(folder)
        assert np.abs(forged.effects(x)[0].sum(axis=1) + forged.base - forged.log_odds(x)).max() < 1e-9


class TestWords:
    def test_a_text_that_was_never_seen_is_not_read_out(self, scorer: Scorer) -> None:
        said = say(scorer.spec, scorer.signal("word_0"), "Jane Doe, 4711")
        assert said == "Word 0: a value that was not seen before."

    @pytest.mark.parametrize(
        "word", ["a1b2c3d4-1111-2222-3333-444455556666", "jane@acme.test", "90210457", "c0ffee" * 4]
    )
    def test_identifiers_are_not_read_out(self, scorer: Scorer, word: str) -> None:
        import msgspec

        signal = scorer.signal("word_0")
        known = msgspec.structs.replace(signal, vocabulary=[*(signal.vocabulary or []), word], bins=None)
        assert word not in say(scorer.spec, known, word)

    @pytest.mark.parametrize(
        ("plural", "single"),
        [
            ("They last made contact 1 days ago.", "They last made contact 1 day ago."),
            ("1 of 1 people were there.", "1 of 1 person was there."),
            ("There were 1 calls and meetings.", "There were 1 calls and meetings."),
            ("There were 21 visits in 28 days.", "There were 21 visits in 28 days."),
            ("The 1 business is.", "The 1 business is."),
            ("A volume of 1 was processed.", "A volume of 1 was processed."),
            ("1 deals with them are open.", "1 deal with them is open."),
        ],
    )
    def test_singular(self, plural: str, single: str) -> None:
        assert one_of(plural) == single


class TestLight:
    def test_scoring_imports_nothing_heavy(self, folder: Path) -> None:
        code = (
            "import sys; from pathlib import Path; from models.champion_pointer import read_pointer; from models.scorer.scorer import Scorer;"
            f"s = Scorer.load(Path({str(folder)!r})); s.explain(s.encode_records([{{}}])[0]);"
            "heavy = 'lightgbm pandas sklearn mlflow numba duckdb pyarrow narwhals scipy alembic'.split();"
            "sys.exit(' '.join(m for m in heavy if m in sys.modules) or 0)"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


class TestExamples:
    @pytest.mark.parametrize(
        "module",
        ["catalog", "definition", *(f"scorer.{m}" for m in ("amounts", "bins", "comparisons", "sentences", "trees"))],
    )
    def test_they_run(self, module: str) -> None:
        import doctest
        import importlib

        assert doctest.testmod(importlib.import_module(f"models.{module}")).failed == 0
