"""Times of every unit that pandas, polars and Arrow write are taken, and give the same signals to the bit."""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.kit.errors import BadInput
from features.panel.build import build_panel
from features.sources import loader
from features.sources.fingerprint import contents_of, fingerprint
from features.sources.loader import open_source
from features.sources.source import Source
from tests.kit.company import at, make_source, random_company

UNITS = [
    *(
        (unit, zone, python)
        for unit in ("s", "ms", "us", "ns")
        for zone in (None, "Europe/Berlin")
        for python in (False, True)
    ),
    ("ns", "UTC", False),
]
"""Unit, zone, and whether a Python file hands over Arrow's own types; else Parquet does."""
SIGNALS = [
    "company_age_years",
    "inbound_touches_28d",
    "active_users_28d",
    "days_since_usage",
    "mrr",
    "tickets_open",
    "overdue_amount",
]
AS_OFS = [at("2024-06-20"), at("2024-07-18T07:30:00")]


def company() -> dict[str, list[dict[str, Any]]]:
    """Times in whole seconds: every unit holds them."""
    tables = random_company(5, accounts=3, days=190)
    for rows in tables.values():
        for row in rows:
            for name, value in row.items():
                if isinstance(value, dt.datetime):
                    row[name] = value.replace(microsecond=0)
        for number, row in enumerate(rows):
            row["last_seen"] = str(number % 7)
    return tables


def rewritten(plain: Source, folder: Path, unit: str, zone: str | None, python: bool) -> Path:
    """A copy of the company with all time columns in another unit; with `python` Arrow's own types arrive."""
    shutil.copytree(plain.folder, folder)
    for path in folder.glob("*.parquet"):
        table = pq.read_table(path)
        for place, field in enumerate(table.schema):
            if pa.types.is_timestamp(field.type):
                column = table[field.name].cast(pa.timestamp(unit, "UTC"))
                kind = pa.timestamp(unit, zone)
                table = table.set_column(place, field.name, column.cast(kind))
        pq.write_table(table, path, version="2.6")
        if python:
            sql = folder / f"{path.stem}.sql"
            sql.unlink()
            sql.with_suffix(".py").write_text(
                f"import pyarrow.parquet as pq\n\ndef rows(data):\n    return pq.read_table(data / '{path.name}').cast(pq.read_schema(data / '{path.name}'))\n"
            )
    return folder


Rows = dict[str, list[tuple[Any, ...]]]


def rows(source: Source) -> Rows:
    """Every row that signals may see, by table."""
    return {name: source.query(f"SELECT * FROM {name} ORDER BY ALL") for name in source.tables}


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Source:
    return make_source(tmp_path_factory.mktemp("plain"), company())


@pytest.fixture(scope="module")
def expected_rows(plain: Source) -> Rows:
    return rows(plain)


@pytest.fixture(scope="module")
def expected(plain: Source) -> pa.Table:
    return panel(plain)


def panel(source: Source) -> pa.Table:
    """Of one signal for each way to count, from every table with times: a panel takes as long as it has columns."""
    return build_panel(source, "account", AS_OFS, only=SIGNALS)


@pytest.mark.parametrize(("unit", "zone", "python"), UNITS)
def test_any_unit_gives_the_same_rows(
    tmp_path: Path, plain: Source, expected_rows: Rows, unit: str, zone: str | None, python: bool
) -> None:
    folder = rewritten(plain, tmp_path / "source", unit, zone, python)
    assert rows(open_source(str(folder), folder)) == expected_rows


def test_the_same_rows_give_the_same_panel(tmp_path: Path, plain: Source, expected: pa.Table) -> None:
    folder = rewritten(plain, tmp_path / "source", "ns", "Europe/Berlin", python=True)
    assert panel(open_source(str(folder), folder)).equals(expected)


def test_tables_that_stay_in_their_files_give_the_same_panel(
    tmp_path: Path, plain: Source, expected: pa.Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loader, "VIEW_ABOVE_ROWS", 3)
    for zone in (None, "UTC"):
        folder = rewritten(plain, tmp_path / str(zone), "ns", zone, python=False)
        source = open_source(str(folder), folder)
        assert source.stays("usage")
        assert panel(source).equals(expected)
        assert contents_of(source).of("usage")[0] == source.rows("usage")
        assert fingerprint(source)


def test_custom_columns_of_nanoseconds_are_rounded_down(tmp_path: Path) -> None:
    (tmp_path / "accounts.sql").write_text(
        "SELECT 'a' AS account_id, DATE '2024-01-01' AS event_time, TIMESTAMP_NS '2024-01-02 00:00:00.123456789' AS seen, "
        "CAST(TIMESTAMPTZ '2024-01-03 00:00:00+02' AS TIMESTAMPTZ_NS) AS met"
    )
    source = open_source(str(tmp_path))
    assert source.query("SELECT event_us, seen, met FROM accounts") == [
        (1704067200000000, 1704153600123456, 1704232800000000)
    ]


def test_without_the_list_nanoseconds_are_refused(
    tmp_path: Path, plain: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The twin."""
    folder = rewritten(plain, tmp_path / "source", "ns", "UTC", python=False)
    monkeypatch.setattr(loader, "OTHER_UNITS", {})
    with pytest.raises(BadInput, match="its type is TIMESTAMPTZ_NS"):
        open_source(str(folder), folder)


def test_every_time_type_of_duckdb_is_taken(tmp_path: Path) -> None:
    """A type that a later version of DuckDB brings is seen here."""
    import duckdb

    known = duckdb.execute(
        "SELECT DISTINCT logical_type FROM duckdb_types() WHERE logical_type LIKE 'TIMESTAMP%' OR logical_type = 'DATE'"
    ).fetchall()
    for (kind,) in known:
        (tmp_path / "accounts.sql").write_text(
            f"SELECT 'a' AS account_id, CAST(DATE '2024-01-01' AS {kind}) AS event_time"
        )
        source: Source = open_source(str(tmp_path))
        assert source.query("SELECT event_us FROM accounts") == [(1704067200000000,)], kind
