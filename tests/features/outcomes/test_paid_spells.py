"""Time paid for, out of versions of contracts: where a spell begins, ends, and goes on over a gap."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from features.kit.clock import FOREVER_US, to_us
from features.outcomes.paid_spells import churn_events, contracts, paid_versions
from tests.kit.company import at
from tests.kit.outcomes import contract, customers


def spells(folder: Path, rows: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Begin and end of each spell as days, the end "" where it goes on."""
    _, found = churn_events(contracts(customers(folder, rows)))
    return [
        (day(begin), "" if end == FOREVER_US else day(end))
        for begin, end in zip(found["start_us"], found["end_us"], strict=True)
    ]


def day(us: int) -> str:
    import datetime as dt

    return (dt.datetime(1970, 1, 1) + dt.timedelta(microseconds=int(us))).isoformat().removesuffix("T00:00:00")


class TestPaidVersions:
    def test_a_version_ends_where_the_next_begins_and_only_paid_ones_are_kept(self, tmp_path: Path) -> None:
        rows = contract("a", ("2024-01-01", "trial", 0), ("2024-02-01", "active", 10), ("2024-03-01", "notice", 8))
        rows += contract("a", ("2024-01-05", "active", 0), number=1)
        found = paid_versions(contracts(customers(tmp_path, rows)))
        assert found.to_dict("list") == {
            "entity_id": ["a", "a"],
            "start_us": [to_us(at("2024-02-01")), to_us(at("2024-03-01"))],
            "end_us": [to_us(at("2024-03-01")), FOREVER_US],
            "mrr": [10.0, 8.0],
        }


class TestSpells:
    @pytest.mark.parametrize(
        ("back", "expected"),
        [
            ("2024-07-01", [("2024-01-01", "")]),  # 30 days after the end
            ("2024-07-01T00:00:00.000001", [("2024-01-01", "2024-06-01"), ("2024-07-01T00:00:00.000001", "")]),
        ],
    )
    def test_a_return_within_30_days_joins(self, tmp_path: Path, back: str, expected: list[tuple[str, str]]) -> None:
        rows = contract("a", ("2024-01-01", "active", 10), ("2024-06-01", "ended", 0))
        assert spells(tmp_path, rows + contract("a", (back, "active", 5), number=1)) == expected

    def test_a_long_contract_covers_short_ones_that_end_inside_it(self, tmp_path: Path) -> None:
        rows = contract("a", ("2024-01-01", "active", 10), ("2024-12-01", "ended", 0))
        rows += contract("a", ("2024-02-01", "active", 5), ("2024-03-01", "ended", 0), number=1)
        rows += contract("a", ("2024-08-01", "active", 5), ("2024-09-01", "ended", 0), number=2)
        assert spells(tmp_path, rows) == [("2024-01-01", "2024-12-01")]

    def test_ends_that_came_are_told_and_those_to_come_are_not(self, tmp_path: Path) -> None:
        rows = contract("a", ("2024-01-01", "active", 10)) + contract(
            "b", ("2024-01-01", "active", 1), ("2024-02-01", "ended", 0)
        )
        ends, _ = churn_events(contracts(customers(tmp_path, rows)))
        assert ends.to_dict("list") == {"entity_id": ["b"], "time_us": [to_us(at("2024-02-01"))]}

    def test_nobody_who_pays_is_no_spell(self, tmp_path: Path) -> None:
        ends, found = churn_events(contracts(customers(tmp_path, contract("a", ("2024-01-01", "trial", 0)))))
        assert (len(ends), len(found)) == (0, 0)
