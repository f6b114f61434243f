"""The sample company is the same whatever day it ends on: a newcomer's models hang on the seed, not on the day of the demo."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from features.simulate import company, simulate
from features.simulate import parameters as p
from features.simulate.company import DEFAULT_END, tables_written
from features.sources.loader import open_source
from tests.kit.simulated import connect, one

SIZES: dict[str, Any] = {"accounts": 20, "leads": 30, "days": 140, "usage_events": 400}


WHOLE, CUT = dt.date(2024, 2, 29), dt.date(2027, 3, 28)
"""Whole steps before DEFAULT_END; and a day on which clocks change, for which 25 days are cut."""
ENDS = [WHOLE, CUT, pytest.param(dt.date(2026, 11, 28), marks=pytest.mark.slow)]
"""The last is a Saturday, for which five days are cut."""


def rows(folder: Path, name: str, end: dt.date, cut_days: int = 0) -> list[tuple[Any, ...]]:
    """The rows of a table with each time as the distance to `end`, sorted; the last `cut_days` before it unseen."""
    connection = connect(folder)
    columns = connection.sql(f"SELECT * FROM {name}")
    told = [
        f"epoch_us({column}) - epoch_us(TIMESTAMPTZ '{end}') AS {column}" if "TIME" in str(kind) else column
        for column, kind in zip(columns.columns, columns.types, strict=True)
    ]
    seen = "coalesce(greatest(event_time, known_time), event_time)" if "known_time" in columns.columns else "event_time"
    query = (
        f"SELECT {', '.join(told)} FROM {name} WHERE {seen} < TIMESTAMPTZ '{end}' - to_days({cut_days}) ORDER BY ALL"
    )
    return connection.sql(query).fetchall()


class Companies(dict[dt.date, Path]):
    """One company for each day on which it ends, without the season, which follows the calendar that people work by."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __missing__(self, end: dt.date) -> Path:
        self[end] = self.folder / str(end)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(p, "YEAR_DIP_SUMMER", 0.0)
            patch.setattr(p, "YEAR_DIP_WINTER", 0.0)
            simulate(self[end], **SIZES, end=end)
        return self[end]


@pytest.fixture(scope="module")
def companies(tmp_path_factory: pytest.TempPathFactory) -> Companies:
    return Companies(tmp_path_factory.mktemp("ends"))


def differences(one_: Path, end: dt.date, other: Path) -> list[str]:
    """Tables in which a company that ends on `end` is another than `other`, which ends on DEFAULT_END, seen from its end."""
    cut = (DEFAULT_END - end).days % 28
    return [
        name
        for name in tables_written()
        if rows(one_, name, end + dt.timedelta(days=cut), cut) != rows(other, name, DEFAULT_END, cut)
    ]


class TestAnyEnd:
    @pytest.mark.parametrize("end", ENDS, ids=str)
    def test_the_same_company_seen_from_its_end(self, companies: Companies, end: dt.date) -> None:
        assert differences(companies[end], end, companies[DEFAULT_END]) == []

    def test_a_company_drawn_in_the_months_before_its_own_end_is_another_one(
        self, companies: Companies, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The sabotaged twin: as it was before, when two renewals in a longer month shifted every later draw."""
        monkeypatch.setattr(company, "DEFAULT_END", WHOLE)
        simulate(tmp_path, **SIZES, end=WHOLE)
        assert {"subscriptions", "usage"} <= set(differences(tmp_path, WHOLE, companies[DEFAULT_END]))

    @pytest.mark.parametrize("end", ENDS, ids=str)
    def test_everything_lies_before_the_end_and_the_truth_on_the_grid_of_as_of(
        self, companies: Companies, end: dt.date
    ) -> None:
        connection = connect(companies[end])
        for name in tables_written():
            last = one(connection, f"SELECT max(event_time) < TIMESTAMPTZ '{end}' FROM {name}")
            assert last == (True,), name
        off, first, last_as_of, count = one(
            connection,
            "SELECT count(*) FILTER (epoch(as_of) % (28 * 86400) <> 0), min(as_of)::DATE, max(as_of)::DATE, "
            "count(DISTINCT as_of) FROM truth",
        )
        assert off == 0
        assert end - dt.timedelta(days=28) < last_as_of <= end
        assert count == (last_as_of - first).days // 28 + 1
        assert (end - first).days > SIZES["days"] - 28 - 28

    @pytest.mark.parametrize(("end", "as_ofs"), [("2026-01-01", 2), ("2026-01-02", 1)])
    def test_the_shortest_history_is_a_source_on_any_day(self, tmp_path: Path, end: str, as_ofs: int) -> None:
        """The whole company, and the one that is cut the most."""
        simulate(tmp_path, accounts=2, leads=3, days=56, usage_events=1, end=dt.date.fromisoformat(end))
        assert one(connect(tmp_path), "SELECT count(DISTINCT as_of) FROM truth") == (as_ofs,)
        assert open_source("sample", tmp_path).tables == tables_written()
