"""Reasons of many rows at once are the reasons of each row: the same signals in the same order, the same words."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import msgspec
import numpy as np
import pytest

from models.scorer import reason_texts, topics
from models.scorer.amounts import PERCENT
from models.scorer.artefact_schema import Bins, ScorerSpec, SignalSpec, Words
from models.scorer.reason_texts import Speaker
from models.scorer.scorer import Scorer
from models.scorer.trees import TreeReasons
from tests.kit.scorers import WORDS, make_scorer, random_rows

UNITS = ("count", "days", "share", "change", "money", "rate", "points", "flag")


@pytest.fixture(scope="module")
def scorer(tmp_path_factory: pytest.TempPathFactory) -> Scorer:
    return make_scorer(tmp_path_factory.mktemp("scorers") / "one")


def one_by_one(scorer: Scorer, x: np.ndarray, effects: np.ndarray, k: int) -> list[list[tuple[object, ...]]]:
    """(signal, effect, share, text, members) of each row, told as a single record's are."""
    found = []
    for row, own in zip(x, effects, strict=True):
        values = {
            name: None if np.isnan(v) else v if scorer.signal(name).vocabulary is None else [*WORDS, "gold"][int(v)]
            for name, v in zip(scorer.names, row.tolist(), strict=True)
        }
        found.append([(r.signal, r.effect, r.share, r.text, r.members) for r in scorer.reasons(values, own, k)])
    return found


def together(scorer: Scorer, x: np.ndarray, effects: np.ndarray, k: int) -> list[list[tuple[object, ...]]]:
    said = scorer.tell(x, effects, k)
    found: list[list[tuple[object, ...]]] = [[] for _ in x]
    columns = (said.rows, said.signals, said.effects, said.shares, said.places, said.sizes)
    members = iter(zip(said.members.tolist(), said.parts.tolist(), strict=True))
    for row, j, effect, share, place, size in zip(*(column.tolist() for column in columns), strict=True):
        own = {scorer.names[i]: part for i, part in islice(members, size)}
        found[row].append((scorer.names[j], effect, share, said.texts[place], own))
    assert [len(own) for own in found] == said.counts.tolist()
    return found


class TestTell:
    @pytest.mark.parametrize("k", [1, 3, 8, 20])
    def test_it_says_what_each_row_is_told(self, scorer: Scorer, k: int) -> None:
        x, _ = random_rows(600, seed=4)
        x[:50, -1] = len(WORDS)
        effects = scorer.effects(x)[0]
        assert together(scorer, x, effects, k) == one_by_one(scorer, x, effects, k)

    def test_ties_and_nothing_at_all(self, scorer: Scorer) -> None:
        x, _ = random_rows(400, seed=5)
        effects = np.random.default_rng(0).integers(-1, 2, x.shape) * 0.5
        effects[:10] = 0.0
        assert together(scorer, x, effects, 5) == one_by_one(scorer, x, effects, 5)
        assert scorer.tell(x[:0], effects[:0], 5).texts == []

    def test_another_order_of_ties_would_be_seen(self, scorer: Scorer, monkeypatch: pytest.MonkeyPatch) -> None:
        """The sabotaged twin: a partition that puts equal effects in any order."""
        x, _ = random_rows(400, seed=5)
        effects = np.random.default_rng(0).integers(-1, 2, x.shape) * 0.5
        right = topics.strongest
        monkeypatch.setattr(
            topics,
            "strongest",
            lambda e, k: (
                right(e, k) if len(e) == 1 else e.shape[1] - 1 - np.argsort(-np.abs(e[:, ::-1]), axis=1)[:, :k]
            ),
        )
        assert together(scorer, x, effects, 5) != one_by_one(scorer, x, effects, 5)

    def test_chunks_have_the_same_bits(self, scorer: Scorer, monkeypatch: pytest.MonkeyPatch) -> None:
        x, _ = random_rows(400, seed=6)
        whole = scorer.explain(x)
        monkeypatch.setattr(TreeReasons, "CHUNK", 100)
        for given, expected in zip(scorer.explain(x), whole, strict=True):
            assert np.array_equal(given, expected)


def speaker(spec: ScorerSpec, unit: str) -> Speaker:
    said = Words(some="It was {value}.", zero="It was nothing.", negative="It fell by {size}.")
    bins = Bins(edges=[-0.5, 0.0, 0.25, 40.0], rates=[0.1, 0.2, 0.3, 0.4, 0.5], counts=[60] * 5)
    return Speaker(
        spec,
        SignalSpec(name="s", theme="usage", unit=unit, label="s", window="w", missing="m", words=said, bins=bins),
    )


def odd_values() -> np.ndarray:
    """Halves that are shown rounded, their neighbours, large ones, zeros of both signs, and none."""
    halves = np.arange(-3_000, 3_000) / 2000
    near = np.concatenate([halves, halves * 10, halves * 1000])
    random = np.random.default_rng(0).normal(size=4_000) * np.logspace(-6, 14, 4_000)
    odd = np.array([0.0, -0.0, np.nan, 1e300, -1e300, 1.7e308, 5e-324, 2.0**53, 1e-300])
    return np.concatenate([near, np.nextafter(near, np.inf), np.nextafter(near, -np.inf), random, odd])


class TestMany:
    @pytest.mark.parametrize("unit", UNITS)
    def test_every_value_reads_as_it_does_alone(self, scorer: Scorer, unit: str) -> None:
        values = odd_values()
        if unit in PERCENT:
            values = values[~(np.abs(values) > 1e300)]  # 100 times more is no number
        many = speaker(scorer.spec, unit)
        for _ in range(2):  # the second time sentences are remembered
            places, texts = many.many(values)
            alone = speaker(scorer.spec, unit)
            assert [texts[p] for p in places.tolist()] == [alone(v) for v in values.tolist()]
        assert len(texts) < len(values) / 2

    def test_rounding_twice_would_be_seen(self, scorer: Scorer, monkeypatch: pytest.MonkeyPatch) -> None:
        """The sabotaged twin: values beside a half share a text with those beyond it."""
        values = odd_values()
        monkeypatch.setattr(reason_texts, "HALF", 0.0)
        places, texts = speaker(scorer.spec, "money").many(values)
        alone = speaker(scorer.spec, "money")
        assert [texts[p] for p in places.tolist()] != [alone(v) for v in values.tolist()]

    def test_what_is_remembered_is_bounded(self, scorer: Scorer, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(reason_texts, "KEPT", 10)
        many = speaker(scorer.spec, "count")
        places, texts = many.many(np.arange(1000.0))
        assert [texts[p] for p in places.tolist()] == [many(v) for v in np.arange(1000.0).tolist()]
        assert len(many._known) <= 10

    def test_words(self, scorer: Scorer, tmp_path: Path) -> None:
        known = msgspec.structs.replace(scorer.signal("word_0"), vocabulary=["jane@acme.test", *WORDS], bins=None)
        said = Speaker(scorer.spec, known)
        places, texts = said.many(np.array([0.0, 1.0, 7.0, np.nan, 1.0]))
        expected = ["jane@acme.test", "alpha", "never seen", None, "alpha"]
        assert [texts[p] for p in places.tolist()] == [said(value) for value in expected]
