"""The scorer says what LightGBM says, to the bit; its reasons are exact; a damaged one never serves."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import lightgbm as lgb
import msgspec
import numpy as np
import pytest

from features.kit.errors import BadInput
from models.catalog import MODELS, UnknownModel, get_model
from models.scorer import artefact
from models.scorer.artefact import ScorerRefused
from models.scorer.artefact_schema import FORMAT
from models.scorer.encoder import MOST_FAULTS
from models.scorer.scorer import Scorer, sigmoid
from models.scorer.trees import TreeError, TreeReasons, merge, parse, tabulate
from models.scorer.writer import write_scorer
from tests.kit.scorers import WORDS, make_scorer, make_signals, random_rows, random_shapes, train_booster


@pytest.fixture(scope="module")
def scorer(tmp_path_factory: pytest.TempPathFactory) -> Scorer:
    return make_scorer(tmp_path_factory.mktemp("scorers") / "one")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make_scorer(tmp_path / "one", n=400)
    return tmp_path / "one"


def odd_rows() -> np.ndarray:
    """Missing values, zeros, unseen and negative words, numbers to 1e10 and their neighbours."""
    x, _ = random_rows(500, seed=9)
    x[:50, -1] = np.arange(50) - 10
    x[50:100, 0] = np.logspace(-30, 10, 50)
    x[100:110] = np.nan
    x[110:120] = 0.0
    return x


class TestTrees:
    @pytest.mark.parametrize(
        "settings", [{}, {"use_missing": False}, {"zero_as_missing": True}, {"num_leaves": 3}, {"num_leaves": 2}]
    )
    def test_reasons_equal_lightgbm(self, settings: dict[str, object]) -> None:
        x, y = random_rows(1_500)
        text = train_booster(x, y, **settings)
        reasons = TreeReasons(parse(text), tabulate(parse(text), x.shape[1]), x.shape[1])
        expected = lgb.Booster(model_str=text).predict(odd_rows(), pred_contrib=True)
        found = reasons.effects(odd_rows())
        assert np.abs(found - expected[:, :-1]).max() < 1e-10  # type: ignore[call-overload,index]
        assert abs(reasons.base - expected[0, -1]) < 1e-10  # type: ignore[call-overload,index]

    def test_a_bag_in_one_text_is_the_mean_of_its_members(self) -> None:
        x, y = random_rows(800)
        texts = [train_booster(x, y, seed=s) for s in range(3)]
        merged = lgb.Booster(model_str=merge(texts, 0.8 / 3)).predict(odd_rows(), raw_score=True)
        members = np.mean([lgb.Booster(model_str=t).predict(odd_rows(), raw_score=True) for t in texts], axis=0)
        assert np.abs(np.asarray(merged) - 0.8 * members).max() < 1e-12

    def test_more_than_8_leaves_are_refused(self) -> None:
        x, y = random_rows(800)
        with pytest.raises(TreeError, match="at most 8"):
            merge([train_booster(x, y, num_leaves=31)], 1.0)

    def test_a_tree_that_never_split(self) -> None:
        x, y = random_rows(300)
        text = train_booster(x, y, trees=3, min_data_in_leaf=299)
        reasons = TreeReasons(parse(text), tabulate(parse(text), x.shape[1]), x.shape[1])
        assert np.abs(reasons.effects(x)).max() == 0


class TestScores:
    def test_the_written_model_is_the_blend_that_was_asked_for(self, tmp_path: Path) -> None:
        x, y = random_rows(600)
        shapes, text = random_shapes(x), train_booster(x, y)
        made = make_scorer(tmp_path / "s", n=600, boosters=[text], linear=shapes, tree_share=0.3, slope=1.2, level=0.05)
        linear = np.full(len(x), shapes.bias)
        for j in range(x.shape[1]):
            gone = np.isnan(x[:, j])
            if len(shapes.knots[j]):
                value = np.interp(np.nan_to_num(x[:, j]), shapes.knots[j], shapes.values[j])
            else:
                value = np.asarray(shapes.values[j])[np.nan_to_num(x[:, j]).astype(int)]
            linear += np.where(gone, shapes.missing[j], value)
        trees = np.asarray(lgb.Booster(model_str=text).predict(x, raw_score=True))
        assert np.abs(made.log_odds(x) - (1.2 * (0.7 * linear + 0.3 * trees) + 0.05)).max() < 1e-9

    def test_any_batch_gives_a_row_the_same_bits(self, scorer: Scorer) -> None:
        x = odd_rows()
        together = scorer.probability(x)
        assert np.array_equal(together, np.concatenate([scorer.probability(x[i : i + 1]) for i in range(len(x))]))
        assert np.array_equal(together, np.concatenate([scorer.probability(x[i : i + 7]) for i in range(0, len(x), 7)]))
        order = np.random.default_rng(0).permutation(len(x))
        assert np.array_equal(together[order], scorer.probability(x[order]))

    def test_effects_sum_to_the_log_odds(self, scorer: Scorer) -> None:
        effects, base = scorer.effects(odd_rows())
        assert np.abs(effects.sum(axis=1) + base - scorer.log_odds(odd_rows())).max() < 1e-9

    def test_percentiles_and_bands(self, scorer: Scorer) -> None:
        low, high = np.array([0.0, 1.0]), scorer.percentile(np.array([0.0, 1.0]))
        assert high.tolist() == [1, 100]
        assert scorer.band(low) == ["low", "high"]

    def test_linear_alone_and_trees_alone(self, tmp_path: Path) -> None:
        linear = make_scorer(tmp_path / "linear", n=400, boosters=[], tree_share=0.0)
        trees = make_scorer(tmp_path / "trees", n=400, linear=None, tree_share=1.0)
        for made in (linear, trees):
            effects, base = made.effects(odd_rows())
            assert np.abs(effects.sum(axis=1) + base - made.log_odds(odd_rows())).max() < 1e-9

    def test_sigmoid_does_not_warn_at_the_ends(self) -> None:
        with np.errstate(over="raise"):
            assert sigmoid(np.array([0.0])).tolist() == [0.5]


class TestEncoding:
    def test_columns_and_records_agree(self, scorer: Scorer) -> None:
        import pyarrow as pa

        x, _ = random_rows(50, seed=3)
        names = [s.name for s in make_signals()]
        records = []
        for row in x:
            values = [None if np.isnan(v) else float(v) for v in row]
            words = [None if v is None else WORDS[int(v)] for v in values[-2:]]
            records.append(dict(zip(names, [*values[:-2], *words], strict=True)))
        columns = {name: pa.chunked_array([pa.array([r[name] for r in records])]) for name in names}
        encoded, faults, warnings = scorer.encode_records(records)
        assert not any(faults)
        assert np.array_equal(encoded, x, equal_nan=True)
        assert np.array_equal(scorer.encode(columns), x, equal_nan=True)
        assert not any("never seen" in w for ws in warnings for w in ws)

    def test_all_faults_of_a_record_at_once(self, scorer: Scorer) -> None:
        bad = {
            "number_0": "12",
            "number_1": float("nan"),
            "number_2": float("inf"),
            "word_0": 3,
            "colour": 1,
            "number_3": [1],
        }
        x, faults, _ = scorer.encode_records([{}, bad])
        assert [len(f) for f in faults] == [0, 6]
        assert np.isnan(x[1]).all()
        assert "record 1, signal number_0: a text. Rule: a number (count) or null." in str(faults[1][0])

    def test_of_many_faults_the_first_are_told_and_the_rest_counted(self, scorer: Scorer) -> None:
        bad = {"number_0": "12", **{f"colour_{i}" * 50: 1 for i in range(500)}}
        _, faults, _ = scorer.encode_records([bad])
        assert len(faults[0]) == MOST_FAULTS + 1
        assert faults[0][-1].found == "481 more faults"
        assert max(len(str(fault)) for fault in faults[0]) < 300

    def test_unseen_words_and_far_numbers_are_warned_of(self, scorer: Scorer) -> None:
        _, faults, warnings = scorer.encode_records([{"word_0": "omega", "number_0": 1e9}])
        assert not faults[0]
        assert len(warnings[0]) == 2

    def test_a_packed_record_is_the_record(self, scorer: Scorer) -> None:
        """What is absent stays absent and what is null stays null; numbers keep their kind."""
        for record in (
            {"word_0": "omega", "number_5": 1e300, "number_0": None, "number_2": True, "number_1": 2**60},
            {},
            dict.fromkeys(scorer.names),
        ):
            for _ in range(2):  # the second time its names are known
                kept = msgspec.json.decode(msgspec.json.encode(scorer.pack(record)))
                again = scorer.unpack(kept)
                assert again == record
                assert [type(again[name]) for name in record] == [type(value) for value in record.values()]

    def test_what_is_no_packed_record_of_it_is_refused(self, scorer: Scorer) -> None:
        for wrong in ([], [1], ["zz"], ["1"], ["1", 2, 3], [f"{1 << len(scorer.names):x}", 1]):
            with pytest.raises(ValueError):  # noqa: PT011  any of them
                scorer.unpack(wrong)

    def test_names_that_are_none_are_not_remembered(self, scorer: Scorer) -> None:
        for i in range(3):
            _, faults, _ = scorer.encode_records([{f"stranger_{i}": 1, "number_0": 2.0}])
            assert len(faults[0]) == 1
            assert scorer.absent((f"stranger_{i}", "number_0")) == [n for n in sorted(scorer.names) if n != "number_0"]
        held = [*scorer._encoder._shapes, *scorer._encoder._absent, *scorer._encoder._packs]
        assert not any(name.startswith("stranger") for names in held for name in names)

    def test_a_column_that_is_missing(self, scorer: Scorer) -> None:
        with pytest.raises(BadInput, match="8 faults"):
            scorer.encode({})


class TestReasons:
    def test_words(self, scorer: Scorer) -> None:
        values = {"number_0": -2.0, "number_1": None, "word_0": "gamma"}
        x, _, _ = scorer.encode_records([values])
        effects, _ = scorer.effects(x)
        reasons = scorer.reasons(values, effects[0], 8)
        texts = {r.signal: r.text for r in reasons}
        assert texts["number_0"].startswith("Number 0 fell by 2; of accounts where number 0 fell by ")
        assert "left within 90 days" in texts["number_0"]
        assert texts["word_0"].startswith("Word 0 is gamma")
        assert texts["number_1"].startswith("Number 1: not known")
        strengths = [abs(r.effect) for r in reasons]
        assert strengths == sorted(strengths, reverse=True)
        assert sum(r.share for r in reasons) == pytest.approx(1)
        assert sum(scorer.by_theme(effects[0]).values()) == pytest.approx(float(effects[0].sum()))


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


def rewrite_manifest(folder: Path, name: str) -> None:
    """What an attacker who can write would do: make the manifest agree with the changed file."""
    manifest = json.loads((folder / "MANIFEST.json").read_text())
    data = (folder / name).read_bytes()
    manifest["files"][name] = {"sha256": artefact.digest(data), "bytes": len(data)}
    (folder / "MANIFEST.json").write_text(json.dumps(manifest))


def name_in_manifest(folder: Path, name: str) -> None:
    manifest = json.loads((folder / "MANIFEST.json").read_text())
    manifest["files"][name] = {"sha256": "0" * 64, "bytes": 1}
    (folder / "MANIFEST.json").write_text(json.dumps(manifest))


def change_leaf(folder: Path) -> None:
    text = (folder / "booster.txt").read_text()
    at = text.index("leaf_value=") + len("leaf_value=")
    end = text.index(" ", at)
    (folder / "booster.txt").write_text(text[:at] + repr(float(text[at:end]) + 1e-9) + text[end:])
    rewrite_manifest(folder, "booster.txt")


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    **{
        f"flipped bit in {n}": (lambda d, n=n: flip(d / n), "sha256 differs")
        for n in ("scorer.json", "linear.json", "golden.json", "booster.txt", "tables.npz")
    },  # type: ignore[misc]
    "truncated": (
        lambda d: (d / "booster.txt").write_bytes((d / "booster.txt").read_bytes()[:-100]),
        "bytes, the manifest says",
    ),
    "manifest is no JSON": (lambda d: (d / "MANIFEST.json").write_text("{"), "no manifest"),
    "manifest gone": (lambda d: (d / "MANIFEST.json").unlink(), "missing or not a plain file"),
    "file gone": (lambda d: (d / "golden.json").unlink(), "missing or not a plain file"),
    "extra file": (lambda d: (d / "helper.py").write_text("raise SystemExit"), "does not belong"),
    "pickle": (lambda d: (d / "model.pkl").write_bytes(b"\x80\x04."), "does not belong"),
    "pickle in the manifest": (lambda d: name_in_manifest(d, "model.pkl"), "not a file of a scorer"),
    "traversal name": (lambda d: name_in_manifest(d, "../../etc/passwd"), "not a file of a scorer"),
    "link": (
        lambda d: ((d / "linear.json").rename(d.parent / "x"), (d / "linear.json").symlink_to(d.parent / "x")),
        "not a plain file",
    ),
    "another format": (
        lambda d: (d / "MANIFEST.json").write_text(
            (d / "MANIFEST.json").read_text().replace(f'"format": {FORMAT}', '"format": 9')
        ),
        "this version reads",
    ),
    "golden rows fail": (change_leaf, "golden rows give other trees"),
}


class TestRefusal:
    @pytest.mark.parametrize("name", DAMAGE)
    def test_damage_is_refused_with_its_reason(self, folder: Path, name: str) -> None:
        damage, why = DAMAGE[name]
        damage(folder)
        with pytest.raises(ScorerRefused, match=why):
            Scorer.load(folder)

    def test_checksums_are_what_catches_a_flipped_bit(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The sabotaged twin: without the comparison of checksums a changed phrase would be read out to people."""
        changed = (folder / "scorer.json").read_text().replace("Number 0 is", "Number 0 iz")
        (folder / "scorer.json").write_text(changed)
        with pytest.raises(ScorerRefused):
            Scorer.load(folder)
        entries = json.loads((folder / "MANIFEST.json").read_text())["files"]
        monkeypatch.setattr(
            artefact,
            "digest",
            lambda data: next((e["sha256"] for e in entries.values() if e["bytes"] == len(data)), "0"),
        )
        assert "iz" in Scorer.load(folder).spec.signals[0].words.some

    def test_an_untouched_copy_loads(self, folder: Path, tmp_path: Path) -> None:
        shutil.copytree(folder, tmp_path / "copy")
        assert Scorer.load(tmp_path / "copy").sha256 == Scorer.load(folder).sha256

    def test_writing_into_a_folder_that_exists(self, folder: Path) -> None:
        with pytest.raises(FileExistsError):
            make_scorer(folder)
        assert write_scorer


class TestCatalog:
    def test_unknown_model_lists_the_choices(self) -> None:
        with pytest.raises(UnknownModel, match="lead-fit, churn-risk"):
            get_model("upsell")

    def test_bands_cover_every_percentile(self) -> None:
        for model in MODELS.values():
            assert {model.band_of(p) for p in range(1, 101)} == {name for name, _ in model.bands}
