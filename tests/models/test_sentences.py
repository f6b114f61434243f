"""Every signal of the catalog, at every kind of value and beside every range, reads as a person would write it."""

from __future__ import annotations

import itertools
import re

import pytest

from features.signals.catalog import definitions
from features.signals.signal import Signal
from models.scorer.amounts import TINY
from models.scorer.artefact_schema import Bins, ScorerSpec, SignalSpec, Words
from models.scorer.comparisons import Comparisons
from models.scorer.reason_texts import Speaker

RANGES = {
    "flag": [0.0, 1.0],
    "change": [-0.5, 0.0, TINY, 0.25, 1.0],
    "share": [TINY, 0.2, 0.5],
}
VALUES = (0.0, 0.003, 0.3, 1.0, 2.0, 3.0, 41.0, -1.0, -0.4, -7.0)
ODD = {
    r"(?<![\d.,])1 (?!was|is|has|as)\w+[^\Wsu]s\b(?! was| is)": "a plural after 1",
    r"\b0 (days|years|months|hours)\b(?! (late|of))": "nothing, counted",
    r"\d \d": "two numbers in a row",
    r"[{}]": "a gap that was not filled",
    r"\bwa \b|[^s]' acts|\bnan\b|\binf\b|-0\b": "a slip",
    r"within 0": "a window of no length",
    r"points": "a unit that nobody knows",
    r"  |\.\.|:\.|;\.": "punctuation",
}
ALIKE = re.compile(r"^of (accounts|leads) (that|with|whose|where|in|on|up for|founded) \w.*, \d+ %")


def spec_of(signal: Signal, compared: bool = True) -> SignalSpec:
    whole = signal.unit in ("count", "days", "months", "flag")
    both = signal.phrase.negative is not None
    edges = RANGES.get(signal.unit, ([-5.0] if both else []) + ([0.0, 1.0, 2.0, 5.0] if whole else [TINY, 1.5, 7.2]))
    edges = edges if both or not whole else edges[1:]
    words = ["cold_outreach", "it"] if signal.is_category else None
    size = 3 if words else len(edges) + 1
    bins = Bins(
        edges=[] if words else edges,
        rates=[0.5] * size,
        counts=[900] * size,
        missing_rate=0.5,
        missing_count=900,
        whole=whole,
    )
    return SignalSpec(
        name=signal.name, theme=signal.theme, unit=signal.unit, label=signal.label, window=signal.window,
        missing=signal.missing, words=Words(**signal.phrase.__dict__), vocabulary=words,
        low=None if words else -9.0 if both else 0.0, high=None if words else 50.0, topic=signal.about, bins=bins,
    )  # fmt: skip


def scorer_of(entity: str) -> ScorerSpec:
    signals = [spec_of(d.signal) for d in definitions(entity)]  # type: ignore[arg-type]  # account or lead
    return ScorerSpec(
        format=1, model="m", title="t", entity=entity, horizon_days=90, outcome="left", crowd=f"{entity}s",  # type: ignore[arg-type]
        signals=signals, bands=[], base_rate=0.1, quantiles=[],
    )  # fmt: skip


def odd_of(sentence: str) -> list[str]:
    return [why for pattern, why in ODD.items() if re.search(pattern, sentence)]


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


@pytest.mark.parametrize("entity", ["account", "lead"])
class TestCatalog:
    def test_every_sentence(self, entity: str) -> None:
        spec, wrong = scorer_of(entity), []
        for signal in spec.signals:
            speaker = Speaker(spec, signal)
            for value, up in itertools.product(values_of(signal), (True, False)):
                said = speaker(value, up)
                wrong += [(signal.name, value, said, why) for why in odd_of(said)]
                if not said.endswith(".") or (not said[:1].isupper() and not said[:1].isdigit()):
                    wrong.append((signal.name, value, said, "no sentence"))
        assert wrong == []

    def test_every_range_says_alike_in_what(self, entity: str) -> None:
        spec, wrong = scorer_of(entity), []
        for signal in spec.signals:
            found = Comparisons(spec, signal)
            told = [*found.bins[: -1 if signal.vocabulary else None], found.missing]
            if signal.unit == "flag":
                told = told[1:]  # below 0 there is nothing
            wrong += [(signal.name, text) for text, _ in told if not ALIKE.match(text) or odd_of(text)]
        assert wrong == []

    def test_a_number_says_it_shortly(self, entity: str) -> None:
        """A flag and a missing value may repeat the sentence; a number or a word has words of its own."""
        for definition in definitions(entity):  # type: ignore[arg-type]  # account or lead
            assert definition.signal.unit == "flag" or definition.signal.phrase.like, definition.signal.name

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
    def test_both_sides(self, value: float, beside: float, said: str) -> None:
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
