"""The shared suite: every signal on every engine, over what real tables have at their edges, with the same bits."""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from features.panel.build import build_panel
from features.signals.catalog import definitions
from features.sources.loader import open_source
from features.sources.source import Source
from tests.kit.company import at, make_source, random_company

LEAP_DAY = at("2024-02-29")  # the end of a month, too
AS_OFS = [LEAP_DAY, LEAP_DAY + dt.timedelta(weeks=9)]
ENGINES = [
    "duckdb",
    "pandas",
    pytest.param(
        "spark",
        marks=[
            pytest.mark.spark,
            pytest.mark.skipif(shutil.which("java") is None, reason="Spark needs a Java runtime (java on the PATH)"),
            # its own notice, until 4.4
            pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas:FutureWarning"),
        ],
    ),
]


def edges() -> dict[str, list[dict[str, Any]]]:
    """A random company (nulls, late rows, ties at midnight) and the accounts that break careless code."""
    tables = random_company(1, days=130)
    silent = {"account_id": "silent", "event_time": at("2023-01-31")}
    once = {"account_id": "once", "event_time": at("2023-12-31T23:59:59.999999"), "domain": "Once.example"}
    tie = {"account_id": "tie", "event_time": LEAP_DAY - dt.timedelta(microseconds=1), "domain": "gmail.com"}
    at_as_of = {"account_id": "future", "event_time": LEAP_DAY}
    tables["accounts"] += [silent, once, tie, at_as_of]
    usage = {"account_id": "once", "user_id": "u", "feature": "board"}
    tables["usage"] += [
        usage | {"event_time": at("2024-01-31T23:59:59.999999")},
        {"account_id": "tie", "user_id": "u", "event_time": LEAP_DAY},
        {"account_id": "tie", "user_id": "u", "event_time": LEAP_DAY - dt.timedelta(microseconds=1)},
        # The day of a window's left end, inside and outside.
        {"account_id": "tie", "user_id": "v", "event_time": LEAP_DAY - dt.timedelta(days=28)},
        {"account_id": "tie", "user_id": "w", "event_time": LEAP_DAY - dt.timedelta(days=28, microseconds=1)},
        # Known to the microsecond at as_of, weeks late, and years late.
        {"account_id": "tie", "user_id": "x", "event_time": at("2024-02-01"), "known_time": LEAP_DAY},
        {"account_id": "tie", "user_id": "y", "event_time": at("2024-02-01"), "known_time": at("2024-03-01")},
        {"account_id": "tie", "user_id": "z", "event_time": at("2020-02-29"), "known_time": at("2024-02-28")},
    ]
    firm = {"region": "north", "country": "DE", "employees": 7, "annual_revenue": 1e6, "channel": "paid"}
    person = {"department": "it", "campaign_kind": "webinar"}
    tables["leads"].append({"lead_id": "whole", "event_time": at("2024-01-31"), "status": "open", **firm, **person})
    for number, (due, paid) in enumerate((("2024-01-01", "2024-01-03"), ("2023-11-01", "2023-11-08"))):
        bill = {"invoice_id": f"i-tie{number}", "account_id": "tie", "amount": 10.0, "due_time": at(due)}
        tables["invoices"].append(bill | {"event_time": at(paid), "status": "paid"})
    contract = {"subscription_id": "s-tie", "account_id": "tie", "status": "active", "mrr": 0.01, "seats": 1}
    tables["subscriptions"] += [
        contract | {"event_time": at("2024-01-31"), "term_end": LEAP_DAY},
        contract | {"event_time": LEAP_DAY, "mrr": 7e9},
    ]
    return tables


def everything(source: Source, engine: str, as_ofs: list[dt.datetime]) -> dict[str, dict[str, list[Any]]]:
    return {entity: build_panel(source, entity, as_ofs, engine).to_pydict() for entity in ("account", "lead")}  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Source:
    return make_source(tmp_path_factory.mktemp("edges"), edges())


@pytest.fixture(scope="module")
def expected(company: Source) -> dict[str, dict[str, list[Any]]]:
    return everything(company, "duckdb", AS_OFS)


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Source:
    tables = {name: rows if name in ("accounts", "leads") else [] for name, rows in edges().items()}
    return make_source(tmp_path_factory.mktemp("bare"), tables)


@pytest.fixture(scope="module")
def expected_of_bare(bare: Source) -> dict[str, dict[str, list[Any]]]:
    return everything(bare, "duckdb", AS_OFS[:1])


class TestEveryEngine:
    @pytest.mark.parametrize("engine", ENGINES[1:])
    def test_gives_the_same_bits(self, company: Source, expected: Any, engine: str) -> None:
        found = everything(company, engine, AS_OFS)
        for entity, columns in expected.items():
            assert [n for n, values in columns.items() if found[entity][n] != values] == []

    @pytest.mark.parametrize("engine", ENGINES[1:])
    def test_takes_empty_tables(self, bare: Source, expected_of_bare: Any, engine: str) -> None:
        assert everything(bare, engine, AS_OFS[:1]) == expected_of_bare
        assert set(expected_of_bare["account"]["events_28d"]) == {0.0}
        assert set(expected_of_bare["account"]["days_since_usage"]) == {None}

    def test_covers_every_signal_of_the_catalog(self, expected: Any) -> None:
        for entity, columns in expected.items():
            names = [d.signal.name for d in definitions(entity)]
            assert [n for n in names if n not in columns] == []
            assert [n for n in names if all(v is None for v in columns[n])] == []

    def test_by_hand_at_the_edges(self, expected: Any) -> None:
        columns = expected["account"]
        rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
        at_leap = {r["entity_id"]: r for r in rows if r["as_of"] == LEAP_DAY}
        assert "future" not in at_leap
        assert (at_leap["silent"]["events_84d"], at_leap["silent"]["days_since_usage"]) == (0.0, None)
        assert (at_leap["once"]["events_28d"], at_leap["once"]["events_84d"]) == (0.0, 1.0)
        assert at_leap["once"]["days_since_usage"] == 28.0
        tie = at_leap["tie"]
        # u a microsecond before as_of and v at the left end; not u at as_of, w before the window, x and y not yet known.
        assert (tie["active_users_28d"], tie["events_28d"], tie["active_users_84d"]) == (2.0, 2.0, 3.0)
        assert tie["account_age_days"] == 0.0
        assert tie["days_paid_late_change_84d"] == 2.0 - 7.0
        assert (tie["mrr"], tie["days_to_renewal"]) == (0.01, 0.0)
        assert (tie["has_business_domain"], at_leap["once"]["has_business_domain"]) == (0.0, 1.0)

    def test_naive_times_are_utc_and_zones_are_converted(self, tmp_path: Path, expected: Any) -> None:
        make_source(tmp_path, edges())
        naive = "SELECT * REPLACE (event_time AT TIME ZONE 'UTC' AS event_time, known_time AT TIME ZONE 'UTC' AS known_time)"
        # The same moments, written with the zone of Nepal, which is off by 5 h 45 min.
        zoned = "SELECT * REPLACE (CAST(strftime(event_time AT TIME ZONE 'Asia/Kathmandu', '%Y-%m-%d %H:%M:%S.%f') || '+05:45' AS TIMESTAMPTZ) AS event_time)"
        for name, select in (("usage", naive), ("subscriptions", naive), ("touches", zoned), ("tickets", zoned)):
            (tmp_path / f"{name}.sql").write_text(f"{select} FROM read_parquet('${{data}}/{name}.parquet')")
        assert everything(open_source(str(tmp_path), tmp_path), "duckdb", AS_OFS) == expected

    def test_a_difference_would_be_seen(self, company: Source, expected: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        """The sabotaged twin: pandas that forgets the first week of a word of bits."""
        from features.panel.engines import PandasEngine

        whole = PandasEngine.roll_up

        def forgetful(self: Any, frame: Any, keys: Any, how: Any) -> Any:
            import narwhals as nw

            found = whole(self, frame, keys, how)
            bits = [n for n, way in how.items() if way == "bits"]
            return found.with_columns(*[(nw.col(n) // 2) * 2 for n in bits]) if bits else found

        monkeypatch.setattr(PandasEngine, "roll_up", forgetful)
        found = build_panel(company, "account", AS_OFS, "pandas")
        assert [n for n in found.column_names if found[n].to_pylist() != expected["account"][n]] != []


class TestLongPanels:
    """More dates than one word of bits holds weeks, and dates years apart."""

    def test_equal_their_dates_one_by_one(self, company: Source) -> None:
        as_ofs = [LEAP_DAY + dt.timedelta(weeks=n) for n in (-3, 0, 1, 35, 36, 37, 38, 74, 75, 300)]
        names = ["active_users_7d", "active_users_28d", "active_users_84d", "stickiness_28d", "features_used_84d"]
        together = build_panel(company, "account", as_ofs, only=names)
        alone = pa.concat_tables([build_panel(company, "account", [a], only=names) for a in as_ofs])
        assert together.to_pydict() == alone.to_pydict()
