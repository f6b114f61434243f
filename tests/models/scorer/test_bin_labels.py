"""Bins as people read them: every row is in one, and no word that may name somebody is shown."""

from __future__ import annotations

import msgspec
import pytest

from models.scorer.artefact_schema import Bins, SignalSpec
from models.scorer.bin_labels import NAMED, NOT_KNOWN, OTHER, labelled_bins
from models.scorer.scorer import Scorer


@pytest.fixture
def word(scorer: Scorer) -> SignalSpec:
    return next(signal for signal in scorer.spec.signals if signal.vocabulary)


def test_every_row_is_in_one(scorer: Scorer) -> None:
    for signal in scorer.spec.signals:
        assert signal.bins is not None
        found = labelled_bins(signal)
        assert sum(each.rows for each in found) == sum(signal.bins.counts) + signal.bins.missing_count
        values = [each.value for each in found]
        assert len(values) == len(set(values))
        assert [each.place for each in found if each.value == NOT_KNOWN] in ([], [-1])


def test_a_word_that_may_name_somebody_is_not_shown(word: SignalSpec) -> None:
    bins = Bins(edges=[], rates=[0.1, 0.2, 0.3], counts=[5, 5, 2])
    named = msgspec.structs.replace(word, vocabulary=["jane.roe@acme.example", "north_america"], bins=bins)
    assert [each.value for each in labelled_bins(named)] == [NAMED, "north america", OTHER]


def test_bins_without_rows_and_signals_without_bins_have_none(word: SignalSpec) -> None:
    bins = Bins(edges=[], rates=[0.1, 0.0, 0.0], counts=[5, 0, 0], missing_rate=0.5, missing_count=2)
    seen = msgspec.structs.replace(word, vocabulary=["a", "b"], bins=bins)
    assert [(each.value, each.rows, each.rate) for each in labelled_bins(seen)] == [("a", 5, 0.1), (NOT_KNOWN, 2, 0.5)]
    assert labelled_bins(msgspec.structs.replace(word, bins=None)) == []
