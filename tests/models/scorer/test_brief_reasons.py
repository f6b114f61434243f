"""A shortened reason is the sentence of the value without what the product wrote around it."""

from __future__ import annotations

import pytest

from models.scorer.brief_reasons import brief
from models.scorer.reason_texts import say
from tests.kit.catalog_texts import scorer_of

VALUES = (0.0, 1.0, 3.0, 40.0, -2.0, 0.3, None)


@pytest.mark.parametrize("entity", ["account", "lead"])
def test_of_every_signal_the_value_stays_and_the_comparison_goes(entity: str) -> None:
    spec = scorer_of(entity)
    shortened = 0
    for signal in spec.signals:
        values = [*signal.vocabulary, None] if signal.vocabulary else VALUES
        for value in values:
            alone = say(spec, signal, value)
            for up in (True, False):
                text = say(spec, signal, value, up)
                found = brief(text, signal.words, spec.crowd)
                assert found == brief(alone, signal.words, spec.crowd)
                assert " overall)" not in found
                assert found.endswith(".")
                assert set(filter(str.isdigit, found)) <= set(filter(str.isdigit, alone))
                shortened += text != alone
    assert shortened > 50


def test_examples_and_how_a_number_is_counted_go() -> None:
    spec = scorer_of("lead")
    signal = next(each for each in spec.signals if each.name == "intent_decayed")
    assert (
        brief(say(spec, signal, 11.4, True), signal.words, "leads")
        == "Their recent steps towards buying add up to 11.4."
    )


@pytest.mark.parametrize("value", ["paid (Google)", "a; b", "fairs; of leads that came, (2) overall"])
def test_what_the_entity_has_stays(value: str) -> None:
    """Brackets and semicolons of a value are the entity's own."""
    words = next(each.words for each in scorer_of("lead").signals if each.name == "channel")
    text = words.some.replace("{value}", value)
    assert value in text
    assert brief(text, words, "leads") == text


def test_an_unknown_signal_loses_the_comparison_alone() -> None:
    text = "It is (so) idle; of leads that are idle, 2 % became customers (6.4 % overall)."
    assert brief(text, None, "leads") == "It is (so) idle."
    assert brief("It is (so) idle.", None, "leads") == "It is (so) idle."
