"""One value has one reading: texts as numbers, flags and words, and every Arrow type that holds such a value."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from features.kit.flat_files.values import as_numbers, as_words, mark_evidence, numbers


def read(*texts: str, decimal: Any = ".") -> list[float | None]:
    found: list[float | None] = numbers(pa.chunked_array([list(texts)]), decimal).to_pylist()
    return found


class TestNumbers:
    @pytest.mark.parametrize(
        ("text", "number"),
        [
            ("612.37", 612.37),
            ("612,37", 612.37),
            ("6,123.40", 6123.4),
            ("6.123,40", 6123.4),
            ("1,234,567", 1234567.0),
            ("1.234.567,8", 1234567.8),
            ("6 123", 6123.0),
            ("6\u202f123,5", 6123.5),
            ("6'123.5", 6123.5),
            ("6’123.5", 6123.5),
            ("$6,123.40", 6123.4),
            ("€ 12,50", 12.5),
            ("12,50 €", 12.5),
            ("EUR 5", 5.0),
            ("5 USD", 5.0),
            ("R$ 1.000,50", 1000.5),
            ("12.5%", 12.5),
            ("12,5 %", 12.5),
            ("(5)", -5.0),
            ("5-", -5.0),
            ("−3", -3.0),
            ("+49", 49.0),
            (".5", 0.5),
            ("5.", 5.0),
            ("1e3", 1000.0),
            ("1,5E2", 150.0),
            ("0.123", 0.123),
            (" 7 ", 7.0),
        ],
    )
    def test_a_number_is_read_by_its_own_shape(self, text: str, number: float) -> None:
        assert read(text) == [number]
        assert read(text, decimal=",") == [number], (
            "a text that can be read in one way is read so whatever the column's mark"
        )

    @pytest.mark.parametrize(
        "text",
        [
            "many",
            "1,2,3",
            "12,34.5",
            "1_000",
            "5%%",
            "%",
            "€",
            "--5",
            "0x10",
            "1e400",
            "12/5",
            "51-200",
            "",
            "NA",
            "-",
            "2024-01-01",
            "Infinity",
            "nan",
        ],
    )
    def test_a_text_that_is_no_number_is_missing(self, text: str) -> None:
        assert read(text) == read(text, decimal=",") == [None]

    def test_an_ambiguous_number_follows_the_decimal_mark(self) -> None:
        assert read("1,234", "1.234") == [1234.0, 1.234]
        assert read("1,234", "1.234", decimal=",") == [1.234, 1234.0]
        assert mark_evidence(pa.chunked_array([["1,234", "6,5", "6.5", "7"]])) == (1, 1, 1)

    @pytest.mark.parametrize(
        ("column", "expected"),
        [
            (pa.array([True, None, False]), [1.0, None, 0.0]),
            (pa.array(["true", "No", "Y", "maybe"]), [1.0, 0.0, 1.0, None]),
            (pa.array([1, 2**53, 2**53 + 1, -(2**53) - 1]), [1.0, 2.0**53, None, None]),
            (pa.array([2**64 - 1, 5], pa.uint64()), [None, 5.0]),
            (pa.array([str(v) for v in (2**53, 2**53 + 1, -(2**53) - 1, 10**30)]), [2.0**53, None, None, None]),
            (pa.array([Decimal(2**53), Decimal(2**53 + 1), Decimal(7)], pa.decimal128(38, 0)), [2.0**53, None, 7.0]),
            (pa.array([Decimal("1.10"), None]), [1.1, None]),
            (pa.array([1.5, float("inf"), float("nan")]), [1.5, None, None]),
            (pa.array(["7,5"], pa.string_view()), [7.5]),
            (pa.array(["7", "x"], pa.large_string()), [7.0, None]),
            (pa.array(["7", "7", "8"]).dictionary_encode(), [7.0, 7.0, 8.0]),
            (pa.array([b"7"]), [7.0]),
            (pa.nulls(2), [None, None]),
            (pa.array([1.0, 2.0], pa.float16()), [1.0, 2.0]),
            (pa.RunEndEncodedArray.from_arrays([2, 3], [5, 6]), [5.0, 5.0, 6.0]),
        ],
    )
    def test_every_arrow_type_is_read_as_numbers(self, column: Any, expected: list[float | None]) -> None:
        assert as_numbers(column).to_pylist() == expected
        assert as_numbers(pa.chunked_array([column])).to_pylist() == expected


class TestWords:
    def test_texts_that_mean_not_known_are_missing(self) -> None:
        assert as_words(pa.array(["NA", "None", " x ", "", "NULL", r"\N", "nan", "unknown"])).to_pylist() == [
            "NA",
            "None",
            "x",
            None,
            None,
            None,
            None,
            "unknown",
        ]

    def test_a_word_that_was_learnt_is_that_word(self) -> None:
        assert as_words(pa.array(["NULL", "nan"]), {"NULL": 0.0}).to_pylist() == ["NULL", None]

    def test_numbers_are_written_as_in_a_csv(self) -> None:
        assert as_words(pa.array([7.0, None, 1.5])).to_pylist() == ["7", None, "1.5"]
        assert as_words(pa.array([12, 7])).to_pylist() == ["12", "7"]

    @pytest.mark.parametrize("vocabulary", [("True", "False", "Unknown"), ("yes", "no"), ("true", "false")])
    def test_a_flag_is_the_word_that_says_so(self, vocabulary: tuple[str, ...]) -> None:
        codes = {word: float(code) for code, word in enumerate(vocabulary)}
        assert as_words(pa.array([True, False, None]), codes).to_pylist() == [*vocabulary[:2], None]
