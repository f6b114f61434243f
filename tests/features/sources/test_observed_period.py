"""How far the data reach: rows dated ahead, far off, or not known yet never move it, and tables may stop before the rest."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from features.kit.clock import DAY_US, from_us, to_us
from features.kit.errors import UserMistake
from features.outcomes.catalog import outcomes_of
from features.outcomes.churn import CHURN
from features.outcomes.labels import label
from features.outcomes.outcome import ELIGIBLE
from features.outcomes.read import read_outcomes
from features.panel.build import build_panel, grid
from features.sources import observed_period as periods
from features.sources.observed_period import Days, ObservedPeriod, TablePeriod, observed_period
from features.sources.rows_beyond import rows_beyond
from features.sources.schema import TABLES
from features.sources.source import Source
from tests.kit.checked import checked
from tests.kit.company import at, make_source, random_company

FAR, NEAR = at("2099-01-01"), at("2025-09-01")
"""After the clock; and before it, more than a year after the company's last row."""


HORIZON_US = 28 * DAY_US


LABELS = ("churn_labels", "lead_labels")


def days(*ranges: tuple[int, int], step: int = 1, at_us: int = 0) -> Days:
    return Days.of([(d, d * DAY_US + at_us, d * DAY_US + at_us) for a, b in ranges for d in range(a, b, step)])


def last_day(**tables: Days) -> int:
    found = observed_period(tables)
    assert found is not None
    return found.last_us // DAY_US


class TestTheEnd:
    def test_is_the_newest_row(self) -> None:
        assert last_day(usage=days((1000, 1500)), invoices=days((1100, 1521), step=30)) == 1520

    @pytest.mark.parametrize(("gap", "expected"), [(28, 1527), (29, 1499)])
    def test_is_cut_off_by_a_gap_above_28_days(self, gap: int, expected: int) -> None:
        assert last_day(usage=days((1000, 1500)), contracts=days((1499 + gap, 1500 + gap))) == expected

    @pytest.mark.parametrize(("gap", "expected"), [(300, 1690), (301, 1390)])
    def test_is_cut_off_by_ten_usual_gaps(self, gap: int, expected: int) -> None:
        """Monthly invoices alone: 30 days are usual, 300 are not too long."""
        assert last_day(invoices=days((1000, 1400), step=30), more=days((1390 + gap, 1391 + gap))) == expected

    def test_bills_of_the_first_days_of_a_quarter_are_not_cut_off_from_each_other(self) -> None:
        quarters = [(1000 + 91 * n, 1003 + 91 * n) for n in range(12)]
        assert last_day(invoices=days(*quarters)) == quarters[-1][1] - 1

    def test_a_company_that_was_silent_for_two_months_goes_on(self) -> None:
        assert last_day(usage=days((1000, 1300), (1360, 1500))) == 1499

    def test_several_rows_far_apart_are_all_left_out(self) -> None:
        assert last_day(usage=days((1000, 1500)), contracts=days((1600, 3000), step=90)) == 1499

    def test_rows_of_1970_do_not_move_the_begin(self) -> None:
        found = observed_period({"usage": days((0, 1), (15_000, 15_400))})
        assert found is not None
        assert (found.first_us // DAY_US, found.last_us // DAY_US) == (15_000, 15_399)

    def test_of_a_few_days_nothing_is_cut_off(self) -> None:
        """Three rows say nothing of what is usual; the clock is all there is."""
        assert last_day(accounts=days((1000, 1001)), usage=days((1400, 1402))) == 1401

    def test_the_days_on_which_companies_were_entered_are_not_what_is_usual(self) -> None:
        """Accounts of one spring, and who left two years later: the outcomes are the end."""
        tables = {"accounts": days((1000, 1200)), "churn_labels": days((1900, 1901), (2090, 2091))}
        found = observed_period(tables, entries=["accounts", "leads"])
        assert found is not None
        assert (found.first_us // DAY_US, found.last_us // DAY_US) == (1000, 2090)
        assert last_day(leads=days((1000, 1200), (1900, 1901))) == 1199, "where nothing else is dated they are"

    def test_no_row_is_no_period(self) -> None:
        assert observed_period({"usage": Days.of([])}) is None


class TestATableThatStopped:
    def test_ends_before_the_source(self) -> None:
        found = observed_period({"usage": days((1000, 1800)), "subscriptions": days((1000, 1430), step=3)})
        assert found is not None
        assert found.tables["subscriptions"] == TablePeriod(1000 * DAY_US, 1429 * DAY_US, True)
        assert found.until_us("subscriptions") == 1429 * DAY_US
        assert found.until_us("usage") == found.until_us() == 1799 * DAY_US

    def test_a_table_in_which_little_happens_has_not_stopped(self) -> None:
        """Something every 25 days: 150 days of silence are no proof."""
        found = observed_period({"usage": days((1000, 1800)), "subscriptions": days((1000, 1651), step=25)})
        assert found is not None
        assert not found.tables["subscriptions"].stopped
        assert found.until_us("subscriptions") == 1799 * DAY_US

    def test_one_later_row_does_not_bring_it_back(self) -> None:
        found = observed_period({"usage": days((1000, 1800)), "subscriptions": days((1000, 1430), (1700, 1701))})
        assert found is not None
        assert found.until_us("subscriptions") == 1429 * DAY_US


@pytest.fixture(scope="module")
def company() -> dict[str, list[dict[str, Any]]]:
    """Six months of nine tables, and ready outcomes beside them; contracts that end, so that there is something to label."""
    rows = random_company(3, accounts=8)
    start = at("2024-01-01")
    for number in range(8):
        for day, status in ((-20.0, "active"), (60.0 + 9 * number, "ended")):
            rows["subscriptions"].append(
                {
                    "subscription_id": f"k{number}",
                    "account_id": f"a{number}",
                    "status": status,
                    "mrr": 10.0,
                    "event_time": start + dt.timedelta(days=day),
                }
            )
    ready = {"event_time": start + dt.timedelta(days=100)}
    rows["churn_labels"] = [{"account_id": "a1", "churned": True, **ready}]
    rows["lead_labels"] = [{"lead_id": "l1", "converted": True, **ready}]
    return rows


def told(source: Source) -> dict[str, Any]:
    """The period, and per entity who is eligible at each date and what its label is."""
    found: dict[str, Any] = {"span": source.span}
    for entity, ids in (("account", [f"a{n}" for n in range(8)]), ("lead", [f"l{n}" for n in range(8)])):
        dates = grid(at("2024-01-20"), from_us(source.observed.last_us), 7)
        # Each date of a panel costs a fifth of a second, and that no date sees a later row is proved elsewhere.
        panel = build_panel(source, entity, dates[-1:], only=[])  # type: ignore[arg-type]  # the two above
        outcomes = read_outcomes(source, outcomes_of(entity)[0])  # type: ignore[arg-type]  # as above
        moments = np.repeat([to_us(d) for d in dates], len(ids))
        y = label(outcomes, np.tile(ids, len(dates)), moments, HORIZON_US)
        eligible = int(pc.sum(pc.equal(panel["eligibility"], ELIGIBLE)).as_py() or 0)
        found[entity] = (len(dates), eligible, np.nan_to_num(y, nan=-1.0).tolist(), outcomes.known_until_us)
    return found


WITHOUT = [name for name, table in TABLES.items() if table.kind in ("event", "state")]


TIMES = {"happens": {"event_time": NEAR, "known_time": None}, "known": {"known_time": FAR}}


TOLD = tuple(TIMES)
# Each table in one of the two ways in every run, in both in the long one.
CASES = [
    pytest.param(name, name in LABELS, times, id=f"{name}-{how}", marks=() if how == TOLD[n % 2] else pytest.mark.slow)
    for n, name in enumerate((*WITHOUT, *LABELS))
    for how, times in TIMES.items()
]


CASES.append(pytest.param("usage", False, {"event_time": FAR, "known_time": None}, id="usage-in-2099"))


def with_row_ahead(company: dict[str, list[dict[str, Any]]], table: str, ready: bool, **times: Any) -> dict[str, Any]:
    """The company with one row more, the last of a table at other times and as if all were over."""
    over = {
        "subscriptions": "ended",
        "opportunities": "won",
        "leads": "converted",
        "tickets": "closed",
        "invoices": "paid",
    }
    row = {**company[table][-1], **times}
    if table in over:
        row["status"] = over[table]
    kept = {name: rows for name, rows in company.items() if ready or name not in LABELS}
    return {**kept, table: [*kept[table], row]}


@pytest.fixture(scope="module")
def as_it_is(company: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> dict[bool, Any]:
    found = {}
    for ready in (False, True):
        rows = {name: r for name, r in company.items() if ready or name not in LABELS}
        found[ready] = told(make_source(tmp_path_factory.mktemp("company") / "source", rows))
    return found


class TestOneRowAhead:
    @pytest.mark.parametrize(("table", "ready", "times"), CASES)
    def test_changes_nothing(
        self,
        company: dict[str, Any],
        as_it_is: dict[bool, Any],
        tmp_path: Path,
        table: str,
        ready: bool,
        times: dict[str, Any],
    ) -> None:
        source = make_source(tmp_path / "source", with_row_ahead(company, table, ready, **times))
        assert told(source) == as_it_is[ready]
        beyond = rows_beyond(source)
        assert [(found.table, found.rows) for found in beyond if found.side == "after"] == [(table, 1)]

    def test_without_the_guard_it_is_the_end(
        self, company: dict[str, Any], as_it_is: dict[bool, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(periods, "_main", lambda days, longest_gap: days)
        source = make_source(
            tmp_path / "source", with_row_ahead(company, "usage", False, event_time=NEAR, known_time=None)
        )
        assert told(source)["account"] != as_it_is[False]["account"]

    def test_without_the_clock_it_would_be_known(
        self, company: dict[str, Any], as_it_is: dict[bool, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        early = {"event_time": at("2024-02-20"), "known_time": FAR}
        rows = with_row_ahead(company, "subscriptions", False, **early)
        assert told(make_source(tmp_path / "with", rows)) == as_it_is[False]
        monkeypatch.setattr(Source, "was_seen", lambda self, of="": "true")
        assert told(make_source(tmp_path / "without", rows))["account"] != as_it_is[False]["account"]


class TestTheClock:
    def test_what_comes_after_it_is_not_there_yet(
        self, company: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("ACCOUNTSCORE_NOW", "2024-05-01")
        source = make_source(tmp_path / "source", company)
        assert at("2024-04-29") < source.span[1] <= at("2024-05-01")
        assert (read_outcomes(source, CHURN).events["time_us"] <= source.observed.last_us).all()

    def test_a_row_that_was_known_ahead_says_when_it_was_known(self, tmp_path: Path) -> None:
        """An agreed end, two weeks after the last row: somebody recorded it before."""
        daily = [{"account_id": "a", "event_time": at("2024-01-01") + dt.timedelta(days=n)} for n in range(100)]
        agreed = {
            "subscription_id": "s",
            "account_id": "a",
            "status": "ended",
            "mrr": 0.0,
            "event_time": at("2024-04-24"),
        }
        accounts = [{"account_id": "a", "event_time": at("2024-01-01")}]
        rows = {"accounts": accounts, "usage": daily, "subscriptions": [{**agreed, "known_time": at("2024-03-01")}]}
        assert make_source(tmp_path / "known" / "source", rows).span[1] == at("2024-04-09")
        rows["subscriptions"] = [agreed]
        assert make_source(tmp_path / "not" / "source", rows).span[1] == at("2024-04-24")

    def test_a_source_of_the_future_is_refused_with_what_to_do(
        self, company: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("ACCOUNTSCORE_NOW", "2020-01-01")
        source = make_source(tmp_path / "source", {"accounts": company["accounts"]})
        with pytest.raises(UserMistake, match=r"only after the clock \(2020-01-01\).*accounts.*ACCOUNTSCORE_NOW"):
            assert source.span
        assert next(line.severity for line in checked(source)) == "blocks"

    def test_a_clock_that_is_none_names_its_setting(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ACCOUNTSCORE_NOW", "yesterday")
        with pytest.raises(UserMistake, match="ACCOUNTSCORE_NOW: 'yesterday' is not a date"):
            make_source(tmp_path / "source", {"accounts": []})


def test_day_rows_may_come_in_parts() -> None:
    """A table that is scanned in parts gives a day more than once."""
    together = Days.of([(5, 50, 60), (3, 30, 31), (5, 40, 55)])
    assert pa.array(together.day).to_pylist() == [3, 5]
    assert (together.first_us.tolist(), together.last_us.tolist()) == ([30, 40], [31, 60])


class TestInTheReport:
    def test_names_the_end_and_the_rows_beyond(self, company: dict[str, Any], tmp_path: Path) -> None:
        rows = with_row_ahead(company, "usage", False, event_time=FAR, known_time=None)
        rows["usage"] = [*rows["usage"], {"account_id": "a0", "event_time": at("1990-01-01")}]
        lines = checked(make_source(tmp_path / "source", rows))
        end = next(line for line in lines if line.rule.startswith("the end of the data"))
        assert end.found.startswith("2024-07-")
        beyond = {line.found: line for line in lines if line.table == "usage" and line.column == "event_time"}
        assert len(beyond) == 2
        assert any("2099-01-01 (account_id 'a" in found and line.rows == 1 for found, line in beyond.items())
        assert any("1990-01-01 (account_id 'a0')" in found for found in beyond)

    def test_names_a_table_that_stopped(self, tmp_path: Path) -> None:
        day = [at("2024-01-01") + dt.timedelta(days=n) for n in range(300)]
        rows: dict[str, list[dict[str, Any]]] = {
            "accounts": [{"account_id": "a", "event_time": day[0]}],
            "usage": [{"account_id": "a", "event_time": moment} for moment in day],
            "subscriptions": [
                {"subscription_id": f"s{n}", "account_id": "a", "status": "active", "mrr": 1.0, "event_time": moment}
                for n, moment in enumerate(day[:100])
            ],
        }
        source = make_source(tmp_path / "source", rows)
        line = next(line for line in checked(source) if line.table == "subscriptions" and "reaches" in line.rule)
        assert "2024-04-09, 200 days before the end" in line.found
        outcomes = read_outcomes(source, CHURN)
        assert from_us(outcomes.known_until_us) == at("2024-04-09"), "nobody saw who left since"
        assert "Outcomes are known up to 2024-04-09 only, where subscriptions ends" in outcomes.notes[0]
        whole = ObservedPeriod(source.observed.first_us, source.observed.last_us, {})
        source.__dict__["observed"] = whole
        assert from_us(read_outcomes(source, CHURN).known_until_us) == day[-1], "the guard is what stops it"
