"""What a column holds: one bad value never costs it, and what only looks like a number is none."""

from __future__ import annotations

from decimal import Decimal

import pyarrow as pa
import pytest

from features.kit.flat_files import values
from features.kit.flat_files.kinds import file_mark, settle, settle_table


def texts(*written: str | None) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(written, pa.string())])


class TestOneBadValue:
    @pytest.mark.parametrize(
        ("good", "kind"),
        [
            (["true", "false"], "flag"),
            (["12", "7"], "integer"),
            (["1.5", "2"], "number"),
            (["2026-01-02", "2026-01-03"], "time"),
        ],
    )
    def test_one_bad_value_is_counted_and_the_column_keeps_its_kind(self, good: list[str], kind: str) -> None:
        found = settle(texts(*(good * 50), "maybe", "", None))
        assert (found.kind if kind != "integer" else "integer", found.unreadable, found.example) == (kind, 1, "maybe")
        assert found.values.null_count == 3
        assert found.kind in (kind, "number")

    def test_many_bad_values_make_it_a_column_of_words(self) -> None:
        assert settle(texts(*(["1.50", "2.00"] * 10), *(["free"] * 10))).kind == "words"


class TestWhatLooksLikeANumber:
    def test_codes_with_a_zero_before_them_are_words(self) -> None:
        assert settle(texts("007", "012", "100")).kind == "words"
        assert settle(texts("0", "0.5", "7")).kind == "number"

    def test_whole_numbers_beyond_a_float_are_no_quantity(self) -> None:
        for column in (texts(*(str(2**60 + i) for i in range(40))), pa.chunked_array([[2**60 + i for i in range(40)]])):
            found = settle(column)
            assert (found.kind, "beyond 2^53" in found.why) == ("other", True)

    @pytest.mark.parametrize(("first", "kind"), [(1, "integer"), (2**60, "other")])
    def test_whole_numbers_are_so_in_every_type(self, first: int, kind: str) -> None:
        """A database writes them as NUMBER(38, 0): ids that are neighbours as floats must stay apart."""
        whole = [first + i for i in range(40)]
        for column in (
            pa.chunked_array([whole]),
            pa.chunked_array([pa.array([Decimal(v) for v in whole], pa.decimal128(38, 0))]),
            texts(*map(str, whole)),
        ):
            found = settle(column)
            assert (found.kind, found.unreadable, len(found.values.unique())) == (kind, 0, 40)

    def test_one_that_is_too_large_is_lost_alike(self) -> None:
        whole = [*range(1, 40), 2**53 + 1]
        for column in (pa.chunked_array([whole]), texts(*map(str, whole))):
            found = settle(column)
            assert (found.kind, found.unreadable, found.values.null_count) == ("integer", 1, 1)

    def test_the_twin_that_takes_decimals_for_fractions_merges_ids(self) -> None:
        whole = [Decimal(2**60 + i) for i in range(40)]
        found = settle(pa.chunked_array([pa.array(whole, pa.decimal128(38, 2))]))
        assert found.kind == "number"
        assert len(found.values.unique()) < 3

    def test_words_of_a_flag_that_people_write_stay_words(self) -> None:
        assert settle(texts("Yes", "No", "Yes")).kind == "words"

    def test_regions_are_words_and_gaps_of_numbers_are_not(self) -> None:
        assert settle(texts("NA", "EMEA", "NA")).values.to_pylist() == ["NA", "EMEA", "NA"]
        found = settle(texts("NA", "1", "2"))
        assert (found.kind, found.unreadable) == ("integer", 0)


class TestMarks:
    def test_each_column_has_its_own(self) -> None:
        found = settle_table(pa.table({"revenue": ["612,37", "1,234"], "arr": ["$6,123.40", "$1,234"]}), ";")
        assert found["revenue"].values.to_pylist() == [612.37, 1.234]
        assert found["arr"].values.to_pylist() == [6123.4, 1234.0]
        assert (found["revenue"].decimal, found["arr"].decimal) == (",", ".")
        assert found["revenue"].said() == "read as numbers written with a decimal comma"
        assert "a currency" in str(found["arr"].said())

    @pytest.mark.parametrize(
        ("written", "default", "said"),
        [
            (("1,234", "567", "89"), ".", "thousands apart"),
            (("1.234", "567", "89"), ",", "thousands apart"),
            (("1 234", "567", "89"), ".", "thousands apart"),
            (("€1.234,50", "7,5", "8"), ".", "a decimal comma, a currency, thousands apart"),
            (("0,123", "0,456", "1,5"), ".", "a decimal comma"),
            (("1.234", "567", "89"), ".", None),
        ],
    )
    def test_what_was_taken_for_thousands_is_said(
        self, written: tuple[str, ...], default: values.DecimalMark, said: str | None
    ) -> None:
        found = settle(texts(*written), default).said()
        assert found == (said and f"read as numbers written with {said}")

    def test_a_column_that_does_not_tell_follows_the_others(self) -> None:
        found = settle_table(pa.table({"a": ["1,5", "2,5"], "b": ["1,234", "5,678"]}), "|")
        assert found["b"].values.to_pylist() == [1.234, 5.678]
        assert settle_table(pa.table({"b": ["1,234", "5,678"]}), ",")["b"].values.to_pylist() == [1234, 5678]

    def test_semicolons_between_columns_mean_commas_in_numbers(self) -> None:
        assert file_mark([texts("1,234")], ";") == ","
        assert file_mark([texts("1.234", "1.5")], ";") == "."

    def test_percent_signs_are_dropped(self) -> None:
        assert settle(texts("12.5%", "50%")).values.to_pylist() == [12.5, 50.0]
