"""Columns of a panel as numbers: words by their place in a vocabulary, what is missing as NaN."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from features.readiness.encoding import FEWEST_ROWS_PER_WORD, MOST_WORDS, encode, is_constant, vocabulary


class TestVocabulary:
    def test_the_most_frequent_come_first_and_ties_go_by_name(self) -> None:
        column = pa.chunked_array([["b"] * 5 + ["c"] * 6, ["a"] * 5 + [None] * 9])
        assert vocabulary(column) == ("c", "a", "b")

    def test_a_word_of_fewer_rows_is_no_word(self) -> None:
        column = pa.array(["often"] * FEWEST_ROWS_PER_WORD + ["rare"] * (FEWEST_ROWS_PER_WORD - 1))
        assert vocabulary(column) == ("often",)

    def test_it_holds_so_many_words_at_most(self) -> None:
        words = [f"w{n:03}" for n in range(MOST_WORDS + 2)]
        assert vocabulary(pa.array(words * FEWEST_ROWS_PER_WORD)) == tuple(words[:MOST_WORDS])

    def test_of_nothing_it_is_empty(self) -> None:
        assert vocabulary(pa.array([None, None], pa.string())) == ()


class TestEncode:
    def test_words_are_codes_others_share_one_and_missing_is_nan(self) -> None:
        found = encode(pa.chunked_array([["b", "x"], [None, "a"]], pa.string()), ("a", "b"))
        assert found.dtype == np.float64
        assert found[[0, 1, 3]].tolist() == [1.0, 2.0, 0.0]
        assert np.isnan(found[2])

    def test_numbers_stay_as_they_are(self) -> None:
        found = encode(pa.array([3, None, -1], pa.int64()), None)
        assert found[[0, 2]].tolist() == [3.0, -1.0]
        assert np.isnan(found[1])


@pytest.mark.parametrize(
    ("values", "constant"),
    [([1.0, 1.0], True), ([1.0, 2.0], False), ([1.0, np.nan], False), ([np.nan, np.nan], True), ([], True)],
)
def test_a_column_is_constant_when_missing_counts_as_a_value(values: list[float], constant: bool) -> None:
    assert is_constant(np.array(values)) is constant
