"""Times of every unit that pandas, polars and Arrow write are taken, and give the same signals to the bit."""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.kit.clock import FOREVER_US
from features.kit.errors import BadInput
from features.panel.build import build_panel
from features.sources import loader
from features.sources.casts import canonical_item, custom_item, versions
from features.sources.fingerprint import contents_of, fingerprint
from features.sources.loader import open_source
from features.sources.schema import Column
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
]
AS_OFS = [at("2024-06-20"), at("2024-07-18T07:30:00")]


def company() -> dict[str, list[dict[str, Any]]]:
    """Times in whole seconds: every unit holds them."""
    every = random_company(5, accounts=3, days=190)
    tables = {name: every[name] for name in ("accounts", "touches", "usage", "subscriptions")}
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
    """Of one signal for each way to count, over states and events: a panel takes as long as it has columns."""
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


class TestItems:
    @pytest.mark.parametrize(
        ("kind", "given", "held"),
        [
            ("money", "12.345", 1_235),  # cents, rounded half away from zero
            ("money", "-0.005", -1),
            ("integer", "7::UTINYINT", 7),
            ("number", "'nan'::DOUBLE", None),
            ("number", "'-inf'::DOUBLE", None),
            ("number", "1.5::DECIMAL(4, 1)", 1.5),
            ("boolean", "true", True),
            ("time", "DATE '1970-01-02'", 86_400_000_000),
            ("time", "TIMESTAMPTZ '1970-01-01 01:00:00+01'", 0),
            ("text", "42", "42"),
        ],
    )
    def test_a_canonical_column_has_the_type_that_signals_see(self, kind: Any, given: str, held: object) -> None:
        item = canonical_item("accounts", Column("value_time" if kind == "time" else "value", kind, ""), present=True)
        name = "value_time" if kind == "time" else "value"
        assert duckdb.execute(f"SELECT {item} FROM (SELECT {given} AS {name})").fetchall() == [(held,)]

    @pytest.mark.parametrize("kind", ["money", "integer", "number", "boolean", "time", "text"])
    def test_an_absent_column_is_null_of_its_type(self, kind: Any) -> None:
        item = canonical_item("accounts", Column("value", kind, ""), present=False)
        assert duckdb.execute(f"SELECT {item}").fetchall() == [(None,)]

    @pytest.mark.parametrize(
        ("kind", "given", "held"),
        [
            ("DECIMAL(9,2)", "1.25", 1.25),
            ("BOOLEAN", "true", 1.0),
            ("TIMESTAMP", "TIMESTAMP '1970-01-01 00:00:01'", 1_000_000),
            ("UUID", "'00000000-0000-0000-0000-000000000001'::UUID", "00000000-0000-0000-0000-000000000001"),
        ],
    )
    def test_a_custom_column_is_a_number_a_time_or_a_text(self, kind: str, given: str, held: object) -> None:
        item = custom_item("Deal Size", kind, "deal_size")
        found = duckdb.execute(f'SELECT {item} FROM (SELECT {given} AS "Deal Size")')
        assert (found.description[0][0], found.fetchall()) == ("deal_size", [(held,)])


class TestVersions:
    def intervals(self, *rows: tuple[str, int, int]) -> list[tuple[Any, ...]]:
        """Key, event, from, until and created of each version; `rows` are key, event and known moments."""
        given = ", ".join(f"('{key}', {event}, {known}, {max(event, known)})" for key, event, known in rows)
        select = f"SELECT * FROM (VALUES {given}) t(k, event_us, known_us, visible_us)"
        query = f"SELECT k, event_us, from_us, until_us, created_us FROM ({versions(select, 'k')}) ORDER BY ALL"
        return duckdb.execute(query).fetchall()

    def test_each_version_holds_until_the_next_one_is_visible(self) -> None:
        assert self.intervals(("a", 10, 10), ("a", 20, 20), ("b", 15, 15)) == [
            ("a", 10, 10, 20, 10),
            ("a", 20, 20, FOREVER_US, 10),
            ("b", 15, 15, FOREVER_US, 15),
        ]

    def test_a_version_that_became_known_late_starts_when_it_was_known(self) -> None:
        assert self.intervals(("a", 10, 10), ("a", 20, 50)) == [("a", 10, 10, 50, 10), ("a", 20, 50, FOREVER_US, 10)]

    def test_an_older_version_that_became_known_after_a_newer_one_never_holds(self) -> None:
        late = self.intervals(("a", 10, 60), ("a", 20, 20))
        assert [row[:4] for row in late] == [("a", 10, 60, 20), ("a", 20, 20, FOREVER_US)]

    def test_what_is_known_of_the_creation_grows_only_by_what_is_visible(self) -> None:
        """The first version became known at 60: until then the key was created at 20."""
        late = self.intervals(("a", 10, 60), ("a", 20, 20), ("a", 70, 70))
        assert [row[4] for row in late] == [10, 20, 10]
