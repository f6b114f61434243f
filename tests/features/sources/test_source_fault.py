"""A fault of a source's file: one sentence for people, and its parts for the report."""

from __future__ import annotations

from pathlib import Path

from features.kit.errors import Fault
from features.sources.source_fault import of_file, source_fault

USAGE = Path("s/usage.sql")


def test_a_line_of_the_select_is_its_place() -> None:
    fault = source_fault(USAGE, found="syntax error", rule="r", next_step="n", line=3, excerpt="3 | SELEKT")
    assert (fault.where, fault.found, fault.what) == (
        "s/usage.sql, line 3",
        "syntax error",
        "line 3: syntax error",
    )
    assert (fault.table, fault.column, fault.rows, fault.excerpt) == ("usage", "", None, "3 | SELEKT")


def test_counted_rows_are_said_and_stand_apart() -> None:
    fault = source_fault(USAGE, found="is null", rule="r", next_step="n", column="user_id", rows=1_200)
    assert (fault.where, fault.found) == ("s/usage.sql, table usage, column user_id", "1,200 rows where it is null")
    assert (fault.rows, fault.what) == (1_200, "is null")


def test_no_row_is_a_count_too() -> None:
    assert source_fault(USAGE, found="is null", rule="r", next_step="n", rows=0).found == "0 rows where it is null"


def test_a_fault_of_a_file_that_is_read_names_both(tmp_path: Path) -> None:
    fault = of_file(USAGE, "'x.parquet'", Fault(where="'x.parquet'", found="too deep", rule="r", next_step="n"))
    assert fault.where == "s/usage.sql, file 'x.parquet'"
    assert (fault.table, fault.what) == ("usage", "file 'x.parquet': too deep")
