"""The texts that mean "not known", in a column of words and in one of numbers."""

from __future__ import annotations

import pytest

from features.kit.missing import is_missing


@pytest.mark.parametrize("text", ["", "  ", "NULL", " null ", "NaN", "<NA>", "n/a", "#N/A", r"\N"])
def test_no_column_holds_them(text: str) -> None:
    assert is_missing(text, of_words=True)
    assert is_missing(text, of_words=False)


@pytest.mark.parametrize("text", ["NA", "None", "unknown", "-", "?", "k.A."])
def test_words_that_are_no_number(text: str) -> None:
    """NA is North America in a column of regions, and None may be a plan."""
    assert not is_missing(text, of_words=True)
    assert is_missing(text, of_words=False)


@pytest.mark.parametrize("text", ["0", "no", "not known", "nullify", "na na"])
def test_what_only_begins_alike_is_a_value(text: str) -> None:
    assert not is_missing(text, of_words=True)
    assert not is_missing(text, of_words=False)
