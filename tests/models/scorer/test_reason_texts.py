"""Every signal of the catalog, at every kind of value, reads as a person would write it; many at once read as one alone."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import msgspec
import numpy as np
import pytest

from models.scorer import reason_texts
from models.scorer.amounts import PERCENT
from models.scorer.artefact_schema import Bins, ScorerSpec, SignalSpec, Words
from models.scorer.reason_texts import Speaker, say
from models.scorer.scorer import Scorer
from tests.kit.catalog_texts import odd_of, scorer_of
from tests.kit.scorers import WORDS

VALUES = (0.0, 0.003, 0.3, 1.0, 2.0, 3.0, 41.0, -1.0, -0.4, -7.0)


def values_of(signal: SignalSpec) -> list[float | str | None]:
    if signal.vocabulary is not None:
        return [*signal.vocabulary, "never seen", None]
    both = signal.words.negative is not None
    whole = signal.unit in ("count", "months") or signal.name.startswith("days_since")
    known = [v for v in VALUES if (v >= 0 or both) and (not whole or v == int(v))]
    if signal.unit == "flag":
        known = [0.0, 1.0]
    if signal.unit == "change":
        known = [v for v in VALUES if abs(v) <= 1]
    return [*known, None]


UNITS = ("count", "days", "share", "change", "money", "rate", "points", "flag")


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


@pytest.mark.parametrize("entity", ["account", "lead"])
class TestCatalog:
    def test_every_sentence_reads_well(self, entity: str) -> None:
        spec, wrong = scorer_of(entity), []
        for signal in spec.signals:
            speaker = Speaker(spec, signal)
            for value, up in itertools.product(values_of(signal), (True, False)):
                said = speaker(value, up)
                wrong += [(signal.name, value, said, why) for why in odd_of(said)]
                if not said.endswith(".") or (not said[:1].isupper() and not said[:1].isdigit()):
                    wrong.append((signal.name, value, said, "no sentence"))
        assert wrong == []

    def test_comparisons_name_their_base(self, entity: str) -> None:
        spec = scorer_of(entity)
        wrong = []
        for signal in spec.signals:
            if signal.unit != "change":
                continue
            for value in (-1.0, -0.4, 0.5, 1.0):
                said = Speaker(spec, signal)(value)
                if not re.search(r"before|in the last \d+ days|usual week", said):
                    wrong.append(said)
        assert wrong == []


class TestPairs:
    """A comparison whose newer side is among the values names both."""

    def said(self, name: str, value: float, beside: float) -> str:
        spec = scorer_of("account")
        signal = next(s for s in spec.signals if s.name == name)
        return Speaker(spec, signal)(value, None, beside)

    @pytest.mark.parametrize(
        ("value", "beside", "said"),
        [
            # (3 - 9) / 9 = -2/3; (4 - 1) / 4 = 3/4: the change is measured against the larger side
            (-2 / 3, 3.0, "3 features were used in the last 28 days, 9 in the 28 days before."),
            (0.75, 4.0, "4 features were used in the last 28 days, 1 in the 28 days before."),
            (1.0, 2.0, "2 features were used in the last 28 days, none in the 28 days before."),
            (-1.0, 0.0, "No features were used in the last 28 days, some in the 28 days before."),
            (-0.5, 1.0, "1 feature was used in the last 28 days, 2 in the 28 days before."),
        ],
    )
    def test_a_change_names_the_new_and_the_old_value(self, value: float, beside: float, said: str) -> None:
        assert self.said("features_used_change_28d", value, beside) == said

    def test_sides_that_do_not_fit_are_not_named(self) -> None:
        """A request may lay a change over the stored level: 5 features after a fall by 3 % were 5.15."""
        said = self.said("features_used_change_28d", -0.03, 5.0)
        assert said == "The number of features used fell by 3 % against the 28 days before."

    def test_a_rise_is_told_against_what_there_was(self) -> None:
        """0.5 = (new - old) / new: the new is twice the old. It was told as a rise by 50 %."""
        spec = scorer_of("account")
        signal = next(s for s in spec.signals if s.name == "mrr_change_84d")
        assert Speaker(spec, signal)(0.5) == "Recurring revenue rose by 100 % in the last 84 days."
        assert Speaker(spec, signal)(1.0) == "Recurring revenue rose from nothing in the last 84 days."


class TestMany:
    @pytest.mark.parametrize("unit", UNITS)
    def test_every_value_reads_as_it_does_alone(self, scorer: Scorer, unit: str) -> None:
        values = odd_values()
        if unit in PERCENT:
            values = values[~(np.abs(values) > 1e300)]  # 100 times more is not a number
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

    def test_the_cache_of_sentences_is_bounded(self, scorer: Scorer, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(reason_texts, "KEPT", 10)
        many = speaker(scorer.spec, "count")
        places, texts = many.many(np.arange(1000.0))
        assert [texts[p] for p in places.tolist()] == [many(v) for v in np.arange(1000.0).tolist()]
        assert len(many._known) <= 10

    def test_many_codes_read_as_each_word_alone(self, scorer: Scorer, tmp_path: Path) -> None:
        known = msgspec.structs.replace(scorer.signal("word_0"), vocabulary=["jane@acme.test", *WORDS], bins=None)
        said = Speaker(scorer.spec, known)
        places, texts = said.many(np.array([0.0, 1.0, 7.0, np.nan, 1.0]))
        expected = ["jane@acme.test", "alpha", "never seen", None, "alpha"]
        assert [texts[p] for p in places.tolist()] == [said(value) for value in expected]


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
