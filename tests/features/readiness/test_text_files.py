"""Types that a SELECT names itself, and cut values of the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from features.readiness.text_files import text_file_lines
from features.sources.loader import open_source
from features.sources.source import Source

ROWS = "account_id,event_time,annual_revenue\na,2024-01-01 12:30:00,5.5\nb,2024-01-02 00:00:00,7\n"


def opened(folder: Path, named: str) -> Source:
    (folder / "a.csv").write_text(ROWS)
    (folder / "accounts.sql").write_text(f"SELECT * FROM read_csv('${{data}}/a.csv', {named})")
    return open_source(str(folder), folder)


@pytest.mark.parametrize(
    ("named", "column", "found", "wider"),
    [
        (
            "types = {'annual_revenue': 'BIGINT'}",
            "annual_revenue",
            "1 values are more than BIGINT, such as '5.5'",
            "DOUBLE",
        ),
        (
            "types = {'event_time': 'DATE'}",
            "event_time",
            "1 values are more than DATE, such as '2024-01-01 12:30:00'",
            "TIMESTAMP",
        ),
    ],
)
def test_a_named_type_that_cuts_a_value_is_told_with_the_one_that_holds_it(
    tmp_path: Path, named: str, column: str, found: str, wider: str
) -> None:
    (line,) = text_file_lines(opened(tmp_path, named), "accounts")
    assert (line.severity, line.column, line.rows, line.needed) == ("weakens", column, 1, wider)
    assert line.found == f"{found}: they are rounded or cut"
    assert line.what_to_do.startswith(f"write '{column}': '{wider}' in the place of ")


def test_types_that_hold_every_value_are_no_line(tmp_path: Path) -> None:
    assert list(text_file_lines(opened(tmp_path, "types = {'annual_revenue': 'DOUBLE'}"), "accounts")) == []


def test_types_from_the_first_rows_alone_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = opened(tmp_path, "types = {'annual_revenue': 'DOUBLE'}")
    monkeypatch.setattr(Source, "is_sampled", lambda self, table: True)
    (line,) = text_file_lines(source, "accounts")
    assert line.rule == "the types of a CSV or JSON file are settled by all of its rows"
    assert "sample_size = -1" in line.what_to_do
