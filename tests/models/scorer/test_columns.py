"""Columns as a scorer reads them: one number a row, NaN for everything that is missing, and texts refused where numbers belong."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from features.kit.errors import BadInput
from models.scorer.columns import numbers, words

CODES = {"pro": 0.0, "free": 1.0}


class TestNumbers:
    @pytest.mark.parametrize(
        "column",
        [
            [1, None, float("inf"), 2.5],
            (1.0, float("nan"), float("-inf"), 2.5),
            np.array([1.0, np.nan, np.inf, 2.5]),
            pa.array([1.0, None, float("inf"), 2.5]),
            pa.chunked_array([pa.array([1.0, None]), pa.array([float("nan"), 2.5])]),
        ],
        ids=["list", "tuple", "array", "arrow", "chunks"],
    )
    def test_null_nan_and_infinity_are_missing(self, column: Any) -> None:
        assert np.array_equal(numbers("mrr", column), [1.0, np.nan, np.nan, 2.5], equal_nan=True)

    def test_whole_numbers_and_flags_are_numbers(self) -> None:
        assert numbers("seats", pa.array([3, None], pa.int32())).tolist()[0] == 3.0
        assert numbers("trial", pa.array([True, False])).tolist() == [1.0, 0.0]

    @pytest.mark.parametrize(
        "column", [["12", "many"], pa.array(["12", "many"]), pa.array([[1.0], [2.0]])], ids=["list", "arrow", "lists"]
    )
    def test_texts_and_lists_are_refused_with_the_name_of_the_column(self, column: Any) -> None:
        with pytest.raises(BadInput, match="column mrr: it holds") as refused:
            numbers("mrr", column)
        assert refused.value.faults[0].rule == "numbers or null"

    def test_no_rows(self) -> None:
        assert numbers("mrr", []).shape == numbers("mrr", pa.chunked_array([], pa.float64())).shape == (0,)


class TestWords:
    @pytest.mark.parametrize(
        "column",
        [
            ["pro", " free ", "gold", None, "n/a"],
            np.array(["pro", " free ", "gold", float("nan"), "n/a"], dtype=object),
            pa.array(["pro", " free ", "gold", None, "n/a"]),
            pa.chunked_array([pa.array(["pro", " free "]), pa.array(["gold", None, "n/a"])]),
        ],
        ids=["list", "array", "arrow", "chunks"],
    )
    def test_a_code_for_each_word_another_for_unseen_ones_and_nan_when_missing(self, column: Any) -> None:
        assert np.array_equal(words(column, CODES), [0.0, 1.0, 2.0, np.nan, np.nan], equal_nan=True)

    def test_a_word_of_the_vocabulary_is_a_word_even_when_it_reads_as_missing(self) -> None:
        assert words(["NULL", "n/a"], {"NULL": 0.0}).tolist()[0] == 0.0

    def test_no_rows(self) -> None:
        assert words(pa.chunked_array([], pa.string()), CODES).shape == (0,)
