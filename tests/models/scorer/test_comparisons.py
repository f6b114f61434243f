"""What a value is compared with: of accounts alike in what, how many had the outcome."""

from __future__ import annotations

import re

import pytest

from features.signals.catalog import definitions
from models.scorer.comparisons import Comparisons
from tests.kit.catalog_texts import odd_of, scorer_of

ALIKE = re.compile(r"^of (accounts|leads) (that|with|whose|where|in|on|up for|founded) \w.*, \d+ %")


@pytest.mark.parametrize("entity", ["account", "lead"])
class TestCatalog:
    def test_every_comparison_says_what_is_compared(self, entity: str) -> None:
        spec, wrong = scorer_of(entity), []
        for signal in spec.signals:
            found = Comparisons(spec, signal)
            told = [*found.bins[: -1 if signal.vocabulary else None], found.missing]
            if signal.unit == "flag":
                told = told[1:]  # below 0 there is nothing
            wrong += [(signal.name, text) for text, _ in told if not ALIKE.match(text) or odd_of(text)]
        assert wrong == []

    def test_every_number_has_a_short_phrase_for_comparisons(self, entity: str) -> None:
        """A flag and a missing value may repeat the sentence; a number or a word has words of its own."""
        for definition in definitions(entity):  # type: ignore[arg-type]  # account or lead
            assert definition.signal.unit == "flag" or definition.signal.phrase.like, definition.signal.name
