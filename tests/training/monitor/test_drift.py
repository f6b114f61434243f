"""Drift is told apart from chance, and every way in which a column can go wrong is named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from models.scorer.scorer import Scorer
from tests.kit.scorers import WORDS, make_scorer, random_rows
from training.monitor.drift import SignalDrift, psi, score_drift, signal_drifts
from training.monitor.live_rows import LiveRows


@pytest.fixture(scope="module")
def scorer(tmp_path_factory: pytest.TempPathFactory) -> Scorer:
    return make_scorer(tmp_path_factory.mktemp("drift") / "scorer", n=4000)


def watched(scorer: Scorer, columns: dict[str, pa.Array]) -> LiveRows:
    table = pa.table(columns)
    x = scorer.encode({name: table[name] for name in scorer.names})
    n = len(x)
    no, whole = np.zeros(n, dtype=bool), np.ones(n)
    return LiveRows(
        1,
        x,
        table,
        scorer.probability(x),
        np.zeros(n, np.int64),
        np.arange(n),
        np.full(n, "low"),
        whole,
        whole * np.nan,
        ~no,
        no,
        None,
        no,
        (),
    )


def columns(seed: int, n: int = 1500) -> dict[str, pa.Array]:
    """Fresh rows of the company that the scorer was trained on, as a panel has them."""
    x, _ = random_rows(n, seed=seed)
    found = {f"number_{j}": pa.array(x[:, j], from_pandas=True) for j in range(6)}
    for j in range(2):
        found[f"word_{j}"] = pa.array([None if np.isnan(v) else WORDS[int(v)] for v in x[:, 6 + j]])
    return found


def drifts(scorer: Scorer, changed: dict[str, pa.Array], seed: int = 1) -> dict[str, SignalDrift]:
    return {d.signal: d for d in signal_drifts(scorer, watched(scorer, columns(seed) | changed))}


class TestIndex:
    def test_by_arithmetic(self) -> None:
        # (0.1 - 0.5) ln(0.1 / 0.5) + (0.9 - 0.5) ln(0.9 / 0.5) = 0.6438 + 0.2351; the prior moves the fourth digit.
        assert psi(np.array([10_000, 90_000]), np.array([50_000, 50_000]))[0] == pytest.approx(0.8789, abs=1e-3)

    def test_chance_reaches_the_noise_once_in_a_hundred_times(self) -> None:
        rng = np.random.default_rng(0)
        shares = np.array([0.1, 0.2, 0.3, 0.25, 0.15])
        drawn = [psi(rng.multinomial(400, shares), rng.multinomial(3000, shares)) for _ in range(3000)]
        # Standard deviation of the share: 0.002.
        assert np.mean([found > noise for found, noise in drawn]) == pytest.approx(0.01, abs=0.008)

    def test_a_bin_that_is_empty_on_both_sides_is_none(self) -> None:
        assert psi(np.array([5, 0, 5]), np.array([5, 0, 5])) == psi(np.array([5, 5]), np.array([5, 5]))


class TestSignals:
    def test_the_same_company_does_not_drift(self, scorer: Scorer) -> None:
        found = drifts(scorer, {})
        assert max(d.psi or 0.0 for d in found.values()) < 0.1
        assert sum((d.psi or 0.0) > d.noise for d in found.values()) <= 1
        assert max(d.new_words + d.outside for d in found.values()) < 0.01
        assert sum(d.weight for d in found.values()) == pytest.approx(1.0)

    def test_a_shifted_number_is_found_and_only_that(self, scorer: Scorer) -> None:
        x, _ = random_rows(1500, seed=1)
        found = drifts(scorer, {"number_2": pa.array(x[:, 2] + 1.5 * 10**2.4, from_pandas=True)})
        assert (found["number_2"].psi or 0.0) > 0.25
        assert max(d.psi or 0.0 for name, d in found.items() if name != "number_2") < 0.1
        assert next(iter(found)) == "number_2", "the most moved comes first"

    def test_a_number_in_another_unit_lies_outside(self, scorer: Scorer) -> None:
        x, _ = random_rows(1500, seed=1)
        assert drifts(scorer, {"number_0": pa.array(100 * x[:, 0], from_pandas=True)})["number_0"].outside > 0.5

    def test_a_column_that_stops_is_missing(self, scorer: Scorer) -> None:
        found = drifts(scorer, {"number_1": pa.nulls(1500, pa.float64())})["number_1"]
        assert found.missing == 1.0
        assert found.missing_then == pytest.approx(0.15, abs=0.03)
        assert (found.psi or 0.0) > 1

    def test_new_words_are_counted_and_named_when_several_have_them(self, scorer: Scorer) -> None:
        words = ["omega"] * 300 + ["alone"] + ["alpha"] * 1199
        found = drifts(scorer, {"word_0": pa.array(words)})["word_0"]
        assert found.new_words == pytest.approx(301 / 1500, abs=1e-3)
        assert found.named == ("omega",)

    def test_the_score_drifts_with_its_signals(self, scorer: Scorer) -> None:
        x, _ = random_rows(1500, seed=1)
        same = score_drift(scorer, watched(scorer, columns(1)).p)
        moved = score_drift(scorer, watched(scorer, columns(1) | {"number_0": pa.array(x[:, 0] + 3)}).p)
        assert same["psi"] < 0.1 < 0.25 < moved["psi"]


def test_a_scorer_without_bins_has_no_index(scorer: Scorer, tmp_path: Path) -> None:
    import msgspec

    spec = msgspec.structs.replace(
        scorer.spec, signals=[msgspec.structs.replace(s, bins=None) for s in scorer.spec.signals]
    )
    bare = Scorer.load(_copy(scorer, tmp_path / "s"))
    bare.spec = spec
    assert all(d.psi is None for d in drifts(bare, {}).values())


def _copy(scorer: Scorer, to: Path) -> Path:
    make_scorer(to, n=4000)
    return to
