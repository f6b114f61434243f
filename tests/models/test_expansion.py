"""The file of the model expansion: what it names is there, and its directions are those of its outcome."""

from __future__ import annotations

from features.signals.catalog import definitions
from models.catalog import DEMO, MODELS
from models.expansion import MODEL

SIGNALS = {definition.signal.name: definition.signal for definition in definitions("account")}


def test_every_signal_that_it_names_is_in_the_catalog() -> None:
    """A slip of the pen would leave a segment unjudged, or a direction in force."""
    assert {*MODEL.segments, *MODEL.free, *MODEL.exclude} <= set(SIGNALS)
    assert {key.partition(" = ")[0] for key in MODEL.gates.selection_reasons} <= set(MODEL.segments)


def test_what_is_good_for_the_relationship_raises_the_probability() -> None:
    assert MODEL.direction(SIGNALS["events_28d"]) == 1
    assert MODEL.direction(SIGNALS["days_since_usage"]) == -1


def test_it_is_no_model_of_the_demo() -> None:
    assert "expansion" in MODELS
    assert "expansion" not in DEMO
