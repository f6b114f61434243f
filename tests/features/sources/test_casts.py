"""Times of every unit that pandas, polars and Arrow write are taken, and give the same signals to the bit."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.kit.errors import BadInput
from features.panel.build import build_panel
from features.signals.catalog import definitions
from features.sources import loader
from features.sources.fingerprint import contents_of, fingerprint
from features.sources.loader import open_source
from features.sources.source import Source
from tests.kit.company import at, make_source, random_company

UNITS = [(unit, zone) for unit in ("s", "ms", "us", "ns") for zone in (None, "UTC", "Europe/Berlin")]
AS_OFS = [at("2024-06-20"), at("2024-07-18T07:30:00")]


def company() -> dict[str, list[dict[str, Any]]]:
    """Times in whole seconds: every unit holds them."""
    tables = random_company(5, days=190)
    for rows in tables.values():
        for row in rows:
            for name, value in row.items():
                if isinstance(value, dt.datetime):
                    row[name] = value.replace(microsecond=0)
        for number, row in enumerate(rows):
            row["last_seen"] = str(number % 7)
    return tables


def rewritten(folder: Path, unit: str, zone: str | None, python: bool) -> None:
    """All time columns of a company's files in another unit; by a Python file Arrow's own types arrive."""
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


def rows(source: Source) -> dict[str, list[tuple[Any, ...]]]:
    """Every row that signals may see, by table."""
    return {name: source.query(f"SELECT * FROM {name} ORDER BY ALL") for name in source.tables}


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Source:
    return make_source(tmp_path_factory.mktemp("plain"), company())


@pytest.fixture(scope="module")
def expected(plain: Source) -> pa.Table:
    return panel(plain)


def panel(source: Source) -> pa.Table:
    """Of a fourth of the signals, from every theme: a panel takes as long as it has columns."""
    return build_panel(source, "account", AS_OFS, only=[d.signal.name for d in definitions("account")][::4])


@pytest.mark.parametrize("python", [False, True], ids=["parquet", "arrow"])
@pytest.mark.parametrize(("unit", "zone"), UNITS)
def test_any_unit_gives_the_same_rows(tmp_path: Path, plain: Source, unit: str, zone: str | None, python: bool) -> None:
    make_source(tmp_path, company())
    rewritten(tmp_path, unit, zone, python)
    assert rows(open_source(str(tmp_path), tmp_path)) == rows(plain)


def test_the_same_rows_give_the_same_panel(tmp_path: Path, expected: pa.Table) -> None:
    make_source(tmp_path, company())
    rewritten(tmp_path, "ns", "Europe/Berlin", python=True)
    assert panel(open_source(str(tmp_path), tmp_path)).equals(expected)


def test_large_tables_that_stay_in_their_files(
    tmp_path: Path, expected: pa.Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loader, "VIEW_ABOVE_ROWS", 3)
    for zone in (None, "UTC"):
        folder = tmp_path / str(zone)
        make_source(folder, company())
        rewritten(folder, "ns", zone, python=False)
        source = open_source(str(folder), folder)
        assert source.stays("usage")
        assert panel(source).equals(expected)
        assert contents_of(source).of("usage")[0] == source.rows("usage")
        assert fingerprint(source)


def test_a_custom_column_of_nanoseconds_and_days(tmp_path: Path) -> None:
    (tmp_path / "accounts.sql").write_text(
        "SELECT 'a' AS account_id, DATE '2024-01-01' AS event_time, TIMESTAMP_NS '2024-01-02 00:00:00.123456789' AS seen, "
        "CAST(TIMESTAMPTZ '2024-01-03 00:00:00+02' AS TIMESTAMPTZ_NS) AS met"
    )
    source = open_source(str(tmp_path))
    assert source.query("SELECT event_us, seen, met FROM accounts") == [
        (1704067200000000, 1704153600123456, 1704232800000000)
    ]


def test_without_the_list_nanoseconds_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The twin."""
    make_source(tmp_path, company())
    rewritten(tmp_path, "ns", "UTC", python=False)
    monkeypatch.setattr(loader, "OTHER_UNITS", {})
    with pytest.raises(BadInput, match="its type is TIMESTAMPTZ_NS"):
        open_source(str(tmp_path), tmp_path)


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
