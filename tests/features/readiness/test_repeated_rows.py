"""Rows that are there twice, and versions of one moment that contradict each other."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from tests.kit.checked import account, contract, lines, query_of, wrapped
from tests.kit.company import at, make_source

DAY = dt.timedelta(days=1)


class TestRepeatedRows:
    def used(self, times: int = 1, hour: int = 9) -> list[dict[str, Any]]:
        one = [
            {
                "account_id": "a",
                "user_id": f"u{n % 7}",
                "event_time": at("2024-02-01") + n // 8 * DAY + dt.timedelta(hours=hour, minutes=n % 8),
            }
            for n in range(80)
        ]
        return one * times

    def test_an_export_loaded_twice_is_found_and_the_advice_mends_it(self, tmp_path: Path) -> None:
        source = make_source(tmp_path, {"accounts": [account()], "usage": self.used(2)})
        (line,) = lines(source, "usage", "a row is there once")
        assert (line.severity, line.rows) == ("weakens", 80)
        assert "on 10 days from 2024-02-01 to 2024-02-10" in line.found
        assert lines(wrapped(tmp_path, "usage", query_of(line)), "usage", "a row is there once") == []

    def test_one_day_that_was_loaded_twice_is_found(self, tmp_path: Path) -> None:
        rows = self.used()
        source = make_source(tmp_path, {"accounts": [account()], "usage": rows + rows[:8]})
        (line,) = lines(source, "usage", "a row is there once")
        assert (line.severity, line.rows) == ("weakens", 8)

    def test_rows_loaded_once_are_no_finding(self, tmp_path: Path) -> None:
        """The twin; and days without a time of day, on which two rows alike are two uses."""
        assert (
            lines(make_source(tmp_path / "one", {"accounts": [account()], "usage": self.used()}), "usage", "there once")
            == []
        )
        daily = [row | {"event_time": row["event_time"].replace(hour=0, minute=0)} for row in self.used()]
        daily += [row for row in daily if row["user_id"] == "u0"]
        assert (
            lines(make_source(tmp_path / "two", {"accounts": [account()], "usage": daily}), "usage", "there once") == []
        )

    def test_some_of_a_large_table_stand_for_all(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        from features.readiness import repeated_rows

        monkeypatch.setattr(repeated_rows, "MOST_COMPARED", 40)
        source = make_source(tmp_path, {"accounts": [account()], "usage": self.used(3)})
        (line,) = lines(source, "usage", "a row is there once")
        assert line.severity == "weakens"
        assert line.found.startswith("about ")

    def test_versions_that_contradict_each_other_are_found(self, tmp_path: Path) -> None:
        rows = [contract("2024-02-01", 50.0), contract("2024-02-01", 0.0, "ended"), contract("2024-03-01", 50.0)]
        source = make_source(tmp_path, {"accounts": [account()], "subscriptions": rows})
        (line,) = lines(source, "subscriptions", "one version of each moment")
        assert (line.severity, line.rows, line.column) == ("weakens", 2, "status, mrr")
        assert "'s' at 2024-02-01" in line.found
        source = wrapped(tmp_path, "subscriptions", query_of(line))
        assert lines(source, "subscriptions", "one version of each moment") == []
        assert source.rows("subscriptions") == 2

    def test_versions_that_agree_are_no_finding(self, tmp_path: Path) -> None:
        """The twin: the same version twice, and two that became known one after the other."""
        rows = [
            contract("2024-02-01", 50.0),
            contract("2024-02-01", 50.0),
            contract("2024-02-01", 0.0, "ended", known_time=at("2024-02-05")),
        ]
        source = make_source(tmp_path, {"accounts": [account()], "subscriptions": rows})
        assert lines(source, "subscriptions", "one version of each moment") == []
