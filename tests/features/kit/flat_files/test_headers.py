"""The column names of a CSV: its first record, unless the rows that follow say otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest

from features.kit.errors import UserMistake
from features.kit.flat_files import headers
from features.kit.flat_files.headers import column_names
from features.kit.flat_files.reading import read_file


def test_the_twin_that_takes_any_first_line_blames_the_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(headers, "ALIKE_SHARE", 100.0)
    file = tmp_path / "leads.csv"
    file.write_text("All leads\nMay 2026\nlead,amount\na,1\nb,2\n")
    with pytest.raises(UserMistake, match="1, one for each column name of the first line"):
        read_file(file)


class TestColumnNames:
    @pytest.mark.parametrize(
        ("text", "names"),
        [
            ("a,b\n1,2\n", ["a", "b"]),
            ("\n\na,b\n1,2\n", ["a", "b"]),
            ('"a, b",c\n1,2\n', ["a, b", "c"]),
            ("a,b", ["a", "b"]),
            ("", []),
            ("a,b\n1,2\n3\n4,5\n6,7\n8,9\n0,1\n2,3\n4,5\n6,7\n8,9\n", ["a", "b"]),
        ],
        ids=["names", "blank lines first", "quoted", "no rows", "nothing", "one short row"],
    )
    def test_they_are_the_first_record(self, text: str, names: list[str]) -> None:
        assert column_names("the file", text, ",") == names

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            (
                "All leads\n\na,b,c\n1,2,3\n4,5,6\n",
                "has 1 value, the rows have 3 from line 3 on: .* delete the lines above them",
            ),
            ("a\n1,2\n3,4\n", "has 1 value, the rows have 2: .* add the name that lacks"),
            ("a,b,c\n1,2\n3,4\n", "has 3 values, the rows have 2: delete the names of which the rows have no value"),
        ],
    )
    def test_rows_of_another_width_blame_the_first_line(self, text: str, said: str) -> None:
        with pytest.raises(UserMistake, match=f"the file: its first line {said}"):
            column_names("the file", text, ",")
