"""Reasons of many rows at once are the reasons of each row: the same signals, order and words."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest

from models.scorer import topics
from models.scorer.scorer import Scorer
from models.scorer.trees import TreeReasons
from tests.kit.scorers import WORDS, random_rows


def one_by_one(scorer: Scorer, x: np.ndarray, effects: np.ndarray, k: int) -> list[list[tuple[object, ...]]]:
    """(signal, effect, share, text, members) of each row, told as a single record's are."""
    found = []
    for row, own in zip(x, effects, strict=True):
        values = {
            name: None if np.isnan(v) else v if scorer.signal(name).vocabulary is None else [*WORDS, "gold"][int(v)]
            for name, v in zip(scorer.names, row.tolist(), strict=True)
        }
        found.append([(r.signal, r.effect, r.share, r.text, r.members) for r in scorer.reasons(values, own, k)])
    return found  # type: ignore[return-value]


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


class TestReasons:
    def test_reasons_come_strongest_first_and_in_words(self, scorer: Scorer) -> None:
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


class TestTell:
    @pytest.mark.parametrize("k", [1, 3, 8, 20])
    def test_reasons_of_many_rows_equal_those_of_each_row(self, scorer: Scorer, k: int) -> None:
        x, _ = random_rows(600, seed=4)
        x[:50, -1] = len(WORDS)
        effects = scorer.effects(x)[0]
        assert together(scorer, x, effects, k) == one_by_one(scorer, x, effects, k)

    def test_ties_keep_their_order_and_zero_effects_are_left_out(self, scorer: Scorer) -> None:
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
