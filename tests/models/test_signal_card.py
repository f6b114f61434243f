"""What each signal of a version does: rows and rates of the scorer, effects where they were measured."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models import card, card_file, signal_card
from models.scorer.bin_labels import NOT_KNOWN
from models.scorer.scorer import Scorer
from models.signal_card import Effects
from tests.kit.scorers import copy_scorer


@pytest.fixture(scope="module")
def scorer(tmp_path_factory: pytest.TempPathFactory) -> Scorer:
    path = tmp_path_factory.mktemp("scorer") / "made"
    copy_scorer(path, n=600)
    return Scorer.load(path)


def test_rows_and_rates_are_the_scorers(scorer: Scorer) -> None:
    found = signal_card.card_of(scorer.spec, 7)
    assert [each.signal for each in found.signals] == list(scorer.names)
    for signal, kept in zip(scorer.spec.signals, found.signals, strict=True):
        assert signal.bins is not None
        assert sum(b.rows for b in kept.bins) == sum(signal.bins.counts) + signal.bins.missing_count
        hits = np.dot(signal.bins.rates, signal.bins.counts) + signal.bins.missing_rate * signal.bins.missing_count
        assert sum((b.rate or 0.0) * b.rows for b in kept.bins) == pytest.approx(hits, abs=0.01)
        assert all(b.effect is None for b in kept.bins)
        assert kept.bins[-1].value == NOT_KNOWN


def test_effects_stand_at_their_bins_and_the_strongest_is_first(scorer: Scorer) -> None:
    sizes = [len(signal.bins.counts) for signal in scorer.spec.signals if signal.bins]
    effects = [Effects(at / 100, [(float(n), -1.0, 1.0) for n in range(size + 1)]) for at, size in enumerate(sizes)]
    found = signal_card.card_of(scorer.spec, 7, effects)
    assert [each.share for each in found.signals] == sorted((e.share for e in effects), reverse=True)
    last = next(each for each in found.signals if each.signal == scorer.names[0])
    assert [b.effect for b in last.bins][-1] == sizes[0], "missing values have the last one"
    assert last.bins[0].effect == 0.0


def test_it_is_read_as_it_was_written_and_a_version_without_it_from_its_scorer(scorer: Scorer, tmp_path: Path) -> None:
    assert signal_card.read(tmp_path, "churn-risk", 7) is None
    own = card.place(tmp_path, "churn-risk", 7)
    copy_scorer(own / "scorer", n=600)
    assert signal_card.read(tmp_path, "churn-risk", 7) == signal_card.card_of(scorer.spec, 7)
    assert signal_card.read(tmp_path, "churn-risk", 8, own / "scorer") == signal_card.card_of(scorer.spec, 8)
    written = signal_card.card_of(scorer.spec, 7, [Effects(0.1, [None] * 40)] * len(scorer.names))
    (own / signal_card.NAME).write_bytes(signal_card.encoded(written))
    assert signal_card.read(tmp_path, "churn-risk", 7) == written


def test_a_file_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    path = card.place(tmp_path, "churn-risk", 7) / signal_card.NAME
    card_file.write(path, {}, schema=card_file.SCHEMA + 1)
    with pytest.raises(card_file.Newer, match=r"v7/signals\.json is of a newer version"):
        signal_card.read(tmp_path, "churn-risk", 7)
    path.write_text('{"schema": 1, "model": "churn-risk"}')
    with pytest.raises(card_file.Unreadable, match="is not as this version writes it"):
        signal_card.read(tmp_path, "churn-risk", 7)
