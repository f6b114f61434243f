"""Values as CRMs write them, in the types that tables hold."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from features.sources.schema import TABLES, Column
from features.sources.typed_values import Unreadable, coerce, coerce_custom


class TestCoerce:
    """What a CRM tells us since lies over the source as a new version, as known when we learnt it."""

    @pytest.mark.parametrize(
        ("column", "value", "held"),
        [
            ("employees", "12.0", 12),
            ("annual_revenue", "99.99", 9999),
            ("is_trial", "True", True),
            ("founded_time", "2024-01-01", 1_704_067_200_000_000),
            ("founded_time", "1704067200000", 1_704_067_200_000_000),
            (
                "founded_time",
                dt.datetime(2024, 1, 1, 2, tzinfo=dt.timezone(dt.timedelta(hours=2))),
                1_704_067_200_000_000,
            ),
            ("industry", "  ", None),
        ],
    )
    def test_a_value_is_read_as_crms_write_it(self, column: str, value: object, held: object) -> None:
        definition = TABLES["accounts"].column(column)
        assert definition is not None
        assert coerce(definition, value) == held


class TestRefused:
    @pytest.mark.parametrize(
        ("kind", "value", "rule"),
        [
            ("integer", "12.5", "not an integer"),
            ("integer", True, "not an integer"),
            ("integer", 2**63, "not an integer between -2^63 and 2^63 - 1"),
            ("number", "1e999", "not a finite number"),
            ("number", "nan", "not a number"),
            ("money", "1e300", "not an amount whose cents lie between -2^63 and 2^63 - 1"),
            ("money", "$12", "not an amount"),
            ("boolean", "maybe", "not a boolean: one of true, false, yes, no, 1, 0"),
            ("time", "31.12.2024", "not a time of the years 1 to 9999: ISO 8601, or milliseconds since 1970"),
            ("time", "9" * 30, "not a time of the years 1 to 9999: ISO 8601, or milliseconds since 1970"),
            ("time", True, "not a time of the years 1 to 9999: ISO 8601, or milliseconds since 1970"),
            ("text", "x" * 10_001, "not text of at most 10,000 characters"),
            ("text", "a\x00b", "not text that every database keeps: it has a NUL or half a surrogate pair"),
        ],
    )
    def test_a_value_that_does_not_fit_is_refused_and_the_rule_does_not_repeat_it(
        self, kind: Any, value: object, rule: str
    ) -> None:
        with pytest.raises(Unreadable) as caught:
            coerce(Column("value", kind, ""), value)
        assert caught.value.rule == rule

    def test_an_id_is_shorter_than_a_text(self) -> None:
        assert coerce(Column("name", "text", ""), "x" * 257) == "x" * 257
        with pytest.raises(Unreadable, match="not text of at most 256 characters"):
            coerce(Column("account_id", "text", ""), "x" * 257)

    def test_whole_numbers_keep_every_digit(self) -> None:
        """As a float 2^53 + 1 is 2^53."""
        for value in (2**53 + 1, str(2**53 + 1), 2**63 - 1, -(2**63)):
            assert coerce(Column("seats", "integer", ""), value) == int(value)


class TestCustom:
    @pytest.mark.parametrize(
        ("value", "held"), [("true", 1.0), (False, 0.0), (" TRUE ", 1.0), ("2.5", 2.5), ("", None)]
    )
    def test_a_flag_in_a_column_of_numbers_is_0_or_1(self, value: object, held: float | None) -> None:
        assert coerce_custom(Column("vip", "number", ""), value) == held
