"""The file of the model churn-risk: what it names is there, and its directions are those of its outcome."""

from __future__ import annotations

from features.signals.catalog import definitions
from models.churn_risk import MODEL

SIGNALS = {definition.signal.name: definition.signal for definition in definitions("account")}


def test_every_signal_that_it_names_is_in_the_catalog() -> None:
    """A slip of the pen would leave a segment unjudged, or a direction in force."""
    assert {*MODEL.segments, *MODEL.free, *MODEL.exclude} <= set(SIGNALS)
    assert {key.partition(" = ")[0] for key in MODEL.gates.selection_reasons} <= set(MODEL.segments)


def test_what_is_good_for_the_relationship_lowers_the_probability() -> None:
    assert MODEL.direction(SIGNALS["events_28d"]) == -1
    assert MODEL.direction(SIGNALS["days_since_usage"]) == 1


def test_a_signal_that_goes_both_ways_is_left_to_the_data() -> None:
    assert SIGNALS["new_users_28d"].good == 1
    assert MODEL.direction(SIGNALS["new_users_28d"]) == 0


def test_acting_keeps_three_in_ten_of_those_who_would_leave() -> None:
    assert MODEL.profit is not None
    assert MODEL.profit.accept_rate == 6 / (6 + 14)  # the mean of Beta(6, 14)
