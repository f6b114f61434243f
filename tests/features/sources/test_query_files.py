"""What a SELECT reads: the files that it names, and whether it goes row by row."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from features.sources.query_files import by_file, files_read
from tests.kit.monthly_usage import make_company, opened


@pytest.fixture
def company(tmp_path: Path) -> Path:
    return make_company(tmp_path / "company")


class TestByFile:
    @pytest.mark.parametrize(
        "select",
        [
            "SELECT DISTINCT * FROM {files}",
            "SELECT event_time, count(*) FROM {files} GROUP BY event_time",
            "SELECT *, row_number() OVER () AS n FROM {files}",
            "SELECT * FROM {files} LIMIT 10",
            "SELECT * FROM {files} WHERE event_time > (SELECT min(event_time) FROM {files})",
            "SELECT * FROM {files} UNION ALL SELECT * FROM {files}",
            "SELECT a.* FROM {files} a JOIN {files} b USING (event_time)",
            "WITH f AS (SELECT * FROM {files}) SELECT * FROM f",
            "SELECT * FROM read_parquet('https://nowhere.test/x.parquet')",
            "SELECT * FROM read_parquet('none/*.parquet')",
        ],
    )
    def test_a_select_that_is_not_row_by_row_is_not_split_by_file(self, company: Path, select: str) -> None:
        files = f"read_parquet('{company}/usage/*.parquet')"
        assert by_file(opened(company).connection, select.format(files=files)) is None

    @pytest.mark.parametrize(
        "files",
        [
            "read_parquet('{0}/*.parquet')",
            "'{0}/*.parquet'",
            "read_parquet(['{0}/1.parquet', '{0}/3.parquet'], union_by_name = true)",
        ],
    )
    def test_a_row_by_row_select_is_split_into_one_per_file(self, company: Path, files: str) -> None:
        connection = opened(company).connection
        folder = company / "usage"
        select = (
            f"SELECT lower(user_id) AS u, quantity + 1 AS q FROM {files.format(folder)} AS t WHERE t.user_id <> 'u1'"
        )
        found = by_file(connection, select)
        assert found is not None
        alone = sorted(row for one in found.values() for row in connection.execute(one).fetchall())
        assert alone == sorted(connection.execute(select).fetchall())
        assert {Path(p).name for p in found} <= {"1.parquet", "3.parquet", "5.parquet"}


class TestFilesRead:
    @pytest.mark.parametrize(
        ("select", "expected"),
        [
            ("SELECT * FROM read_parquet('{0}/*.parquet')", ["1", "3", "5"]),
            ("WITH a AS (FROM '{0}/1.parquet') SELECT * FROM a JOIN '{0}/3.parquet' b USING (user_id)", ["1", "3"]),
            ("SELECT * FROM t WHERE x IN (SELECT user_id FROM '{0}/5.parquet')", ["5"]),
            ("SELECT * FROM read_parquet(['{0}/1.parquet', '{0}/1.parquet'])", ["1"]),
            ("SELECT '{0}/1.parquet' AS name", []),
            ("SELECT * FROM read_parquet('https://nowhere.test/1.parquet')", []),
            ("SELECT * FROM '{0}/7.parquet'", []),
            ("SELEKT", []),
        ],
    )
    def test_the_files_that_a_query_names_anywhere(self, company: Path, select: str, expected: list[str]) -> None:
        with duckdb.connect() as connection:
            found = files_read(connection, select.format(company / "usage"))
        assert [file.stem for file in found] == expected
