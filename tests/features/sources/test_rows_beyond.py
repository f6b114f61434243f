"""Rows outside of what was observed: dated after its end, known after the clock, or decades before the rest."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from features.kit.clock import to_us
from features.sources.rows_beyond import Beyond, rows_beyond
from tests.kit.company import at, make_source

FAR, OLD = at("2099-01-01"), at("1990-01-01")


def company(*usage: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    daily = [{"account_id": "a", "event_time": at("2024-01-01") + dt.timedelta(days=n)} for n in range(40)]
    return {"accounts": [{"account_id": "a", "event_time": at("2024-01-01")}], "usage": [*daily, *usage]}


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACCOUNTSCORE_NOW", "2024-06-01")


def test_a_company_within_its_time_has_none(tmp_path: Path) -> None:
    assert rows_beyond(make_source(tmp_path, company())) == []


def test_each_side_is_counted_with_up_to_three_of_the_entities(tmp_path: Path) -> None:
    ahead = [{"account_id": f"b{n}", "event_time": FAR - dt.timedelta(days=n)} for n in range(5)]
    before = {"account_id": "c", "event_time": OLD}
    found = rows_beyond(make_source(tmp_path, company(*ahead, before)))
    last = to_us(FAR)
    assert found == [
        Beyond("usage", "event_time", "after", 5, last - 4 * 86_400_000_000, last, "account_id", ("b0", "b1", "b2")),
        Beyond("usage", "event_time", "before", 1, to_us(OLD), to_us(OLD), "account_id", ("c",)),
    ]


def test_a_row_that_became_known_after_the_clock_is_told_by_when_it_was_known(tmp_path: Path) -> None:
    late = {"account_id": "b", "event_time": at("2024-01-05"), "known_time": FAR}
    (found,) = rows_beyond(make_source(tmp_path, company(late)))
    assert (found.column, found.side, found.rows, found.first_us) == ("known_time", "after", 1, to_us(FAR))


def test_a_company_may_be_older_than_all_that_was_recorded_of_it(tmp_path: Path) -> None:
    tables = company()
    tables["accounts"].append({"account_id": "z", "event_time": OLD})
    assert rows_beyond(make_source(tmp_path, tables)) == []
