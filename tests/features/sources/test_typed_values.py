"""Values as CRMs write them, in the types that tables hold."""

from __future__ import annotations

import datetime as dt

import pytest

from features.sources.schema import TABLES
from features.sources.typed_values import coerce


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
