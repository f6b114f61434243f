"""SQL that places rows on the lattice of weeks, run on rows whose places are known."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest

from features.kit.clock import DAY_US, WEEK_US
from features.panel.placement import events, versions

ANCHOR = 2 * DAY_US
"""Weeks begin two days after the epoch."""


def rows_of(sql: str, columns: str) -> list[tuple[Any, ...]]:
    return duckdb.sql(f"SELECT {columns} FROM ({sql}) ORDER BY ALL").fetchall()


def used(*rows: tuple[str | None, int, int]) -> str:
    values = ", ".join(f"({'NULL' if who is None else repr(who)}, {event}, {seen})" for who, event, seen in rows)
    return f"(SELECT * FROM (VALUES {values}) t(account_id, event_us, visible_us))"


class TestEvents:
    def test_a_row_lies_in_the_week_and_on_the_day_on_which_it_happened(self) -> None:
        moment = ANCHOR + 3 * WEEK_US + 5 * DAY_US
        sql = events(used(("a", moment, moment)), "account_id", ANCHOR, 10 * WEEK_US)
        assert rows_of(sql, "entity_id, week, seen, day") == [("a", 3, 3, 5)]

    @pytest.mark.parametrize(
        ("moment", "week", "day"), [(ANCHOR, 0, 0), (ANCHOR - 1, -1, 6), (ANCHOR - WEEK_US, -1, 0), (-1, -1, 4)]
    )
    def test_weeks_before_the_first_are_counted_downwards(self, moment: int, week: int, day: int) -> None:
        """DuckDB's own division would put a time before the anchor into the week after it."""
        sql = events(used(("a", moment, moment)), "account_id", ANCHOR, WEEK_US)
        assert rows_of(sql, "week, day") == [(week, day)]

    def test_a_row_that_is_not_visible_yet_or_is_nobodys_is_left_out(self) -> None:
        rows = used(("a", 0, 99), ("b", 0, 100), (None, 0, 1))
        assert rows_of(events(rows, "account_id", 0, 100), "entity_id") == [("a",)]

    def test_late_rows_are_those_seen_in_a_later_week(self) -> None:
        rows = used(("on time", 0, WEEK_US - 1), ("late", 0, WEEK_US))
        assert rows_of(events(rows, "account_id", 0, 9 * WEEK_US, late=True), "entity_id, seen") == [("late", 1)]


class TestVersions:
    def test_a_version_is_kept_when_some_moment_may_lie_in_its_interval(self) -> None:
        rows = "(SELECT * FROM (VALUES ('ends before', 0, 9), ('ends at', 0, 10), ('begins before', 19, 99), ('begins at', 20, 99)) t(lead_id, from_us, until_us))"
        assert rows_of(versions(rows, "lead_id", [10, 20]), "entity_id") == [("begins before",), ("ends at",)]
