"""The column names of a CSV: its first record, unless the rows that follow say otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest

from features.kit.errors import UserMistake
from features.kit.flat_files import headers
from features.kit.flat_files.reading import read_file


def test_the_twin_that_takes_any_first_line_blames_the_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(headers, "ALIKE_SHARE", 100.0)
    file = tmp_path / "leads.csv"
    file.write_text("All leads\nMay 2026\nlead,amount\na,1\nb,2\n")
    with pytest.raises(UserMistake, match="1, one for each column name of the first line"):
        read_file(file)
