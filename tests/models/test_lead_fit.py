"""The file of the model lead-fit: what it names is there, and its directions are those of its outcome."""

from __future__ import annotations

import pytest

from features.signals.catalog import definitions
from models.definition import Acquisition
from models.lead_fit import MODEL

SIGNALS = {definition.signal.name: definition.signal for definition in definitions("lead")}


def test_every_signal_that_it_names_is_in_the_catalog() -> None:
    """A slip of the pen would leave a segment unjudged, or a direction in force."""
    assert {*MODEL.segments, *MODEL.free, *MODEL.exclude} <= set(SIGNALS)
    assert {key.partition(" = ")[0] for key in MODEL.gates.selection_reasons} <= set(MODEL.segments)


def test_what_is_good_for_the_relationship_raises_the_probability() -> None:
    assert MODEL.direction(SIGNALS["inbound_touches_28d"]) == 1
    assert MODEL.direction(SIGNALS["channel"]) == 0, "a word has no direction"


def test_a_new_customer_contributes_8_000_on_average() -> None:
    assert isinstance(MODEL.profit, Acquisition)
    assert MODEL.profit.contribution == pytest.approx(12 / 0.0015)  # the mean of Gamma(12, rate 0.0015)
