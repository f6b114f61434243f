"""An error of DuckDB in its parts: kind, message, place, and the value that could not be read."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from features.sources.duckdb_errors import Told, asking, honest_casts, said_by


class TestPlace:
    def test_a_name_that_is_not_there_has_its_place_in_the_statement(self) -> None:
        with asking() as connection:
            told = said_by(connection, "SELECT a, acount_id FROM (SELECT 1 AS a, 2 AS account_id)")
        assert told is not None
        assert (told.kind, told.name, told.position) == ("Binder", "acount_id", len("SELECT a, "))

    def test_places_are_bytes(self) -> None:
        with asking() as connection:
            told = said_by(connection, "SELECT 'ü' AS a FRM x")
        assert told is not None
        assert (told.kind, told.position) == ("Parser", len("SELECT 'ü' AS a ".encode()))

    def test_a_statement_that_runs_has_no_error(self) -> None:
        with asking() as connection:
            assert said_by(connection, "SELECT 1") is None

    def test_an_error_that_is_no_json_keeps_its_words(self) -> None:
        told = Told.of(duckdb.ConversionException("Conversion Error: it is broken!\nand more"))
        assert (told.kind, told.line, told.position) == ("Conversion Error", "it is broken", None)


class TestValue:
    @pytest.mark.parametrize(
        ("statement", "value"),
        [
            ("SELECT CAST('x y' AS INTEGER)", "x y"),
            ("SELECT CAST('it''s' AS DOUBLE)", "it's"),
            ("SELECT CAST('2024-13-01' AS TIMESTAMP)", "2024-13-01"),
            ("SELECT CAST(300 AS TINYINT)", "300"),
            ("SELECT strptime('soon', '%Y')", "soon"),
            ("SELECT nothing", None),
        ],
    )
    def test_the_one_value_is_found_in_the_message(self, statement: str, value: str | None) -> None:
        with asking() as connection:
            told = said_by(connection, statement)
        assert told is not None
        assert told.value == value

    def test_the_csv_reader_names_its_value(self, tmp_path: Path) -> None:
        (tmp_path / "a.csv").write_text("n\n1\nmany\n")
        with asking() as connection:
            told = said_by(connection, f"SELECT * FROM read_csv('{tmp_path}/a.csv', types = {{'n': 'INTEGER'}})")
        assert told is not None
        assert (told.is_of_csv, told.value) == (True, "many")


class TestHonestCasts:
    def test_a_tolerant_cast_over_a_file_is_null_for_what_it_does_not_read(self, tmp_path: Path) -> None:
        (tmp_path / "a.csv").write_text("n\n" + "many\n" * 3 + "1\n")
        select = f"SELECT TRY_CAST(n AS INTEGER) FROM read_csv('{tmp_path}/a.csv', all_varchar = true)"
        with duckdb.connect() as connection:
            honest_casts(connection)
            assert connection.execute(select).fetchall() == [(None,)] * 3 + [(1,)]
