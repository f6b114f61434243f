"""An empty file is an empty file: a table without rows, and a word for it; never a fault of the SELECT, never an absent table."""

from __future__ import annotations

import gzip
from pathlib import Path

import pandas as pd
import pytest

from features.kit.errors import BadInput
from features.sources import loader
from features.sources.loader import open_source
from features.sources.source import Source
from tests.kit.checked import checked

HEADER = "account_id,event_time,quantity\n"
ACCOUNTS = "SELECT 'a' AS account_id, TIMESTAMP '2024-01-01' AS event_time"
FILES = {
    "nothing.csv": b"",
    "blank.csv": b"\n\n  \r\n",
    "mark.csv": b"\xef\xbb\xbf",
    "header.csv": HEADER.encode(),
    "header_mark.csv": b"\xef\xbb\xbf" + HEADER.encode(),
    "header_blank.csv": f"{HEADER}\n\n".encode(),
    "nothing.csv.gz": b"",
    "packed.csv.gz": gzip.compress(b""),
    "packed_blank.csv.gz": gzip.compress(b"\n\n"),
    "packed_header.csv.gz": gzip.compress(HEADER.encode()),
    "nothing.parquet": b"",
    "nothing.json": b"",
    "list.json": b"[]\n",
}
SELECTS = {
    "named": "SELECT account_id, event_time, quantity FROM {read}('{file}')",
    "all": "SELECT * FROM {read}('{file}')",
    "by its name": "SELECT account_id, event_time, quantity FROM '{file}'",
    "cast": "SELECT account_id, CAST(event_time AS TIMESTAMP) AS event_time, quantity::INT AS quantity FROM {read}('{file}') WHERE account_id <> ''",
}
PAIRS = [
    pytest.param(file, select, marks=() if (place + other) % 2 == 0 else pytest.mark.slow)
    for place, file in enumerate(FILES)
    for other, select in enumerate(SELECTS)
]
"""Half of the pairs: each file is read in two ways, each way reads every second file; the rest is slow."""


def opened(folder: Path, file: str, select: str) -> Source:
    read = "read_parquet" if "parquet" in file else "read_json" if "json" in file else "read_csv"
    (folder / "accounts.sql").write_text(ACCOUNTS)
    (folder / "usage.sql").write_text(SELECTS[select].format(read=read, file=f"${{data}}/{file}"))
    return open_source(str(folder), folder)


def said_of(source: Source, table: str) -> str:
    return next(line.found for line in checked(source) if line.table == table and line.rule == "a table has rows")


class TestEmptyFiles:
    @pytest.mark.parametrize(("file", "select"), PAIRS)
    def test_an_empty_file_is_a_table_without_rows_and_a_note_says_why(
        self, tmp_path: Path, file: str, select: str
    ) -> None:
        (tmp_path / file).write_bytes(FILES[file])
        source = opened(tmp_path, file, select)
        assert source.rows("usage") == 0
        assert source.has("usage", "event_time")
        said = said_of(source, "usage")
        assert said.startswith(f"{file} ")
        assert ("only its header" if "header" in file else "is empty") in said

    def test_parquet_without_rows_is_a_table_without_rows(self, tmp_path: Path) -> None:
        pd.DataFrame(columns=["account_id", "event_time", "quantity"]).to_parquet(tmp_path / "usage.parquet")
        source = opened(tmp_path, "usage.parquet", "named")
        assert (source.rows("usage"), said_of(source, "usage")) == (0, "usage.parquet has no row")

    def test_a_filter_that_keeps_nothing_is_no_empty_file(self, tmp_path: Path) -> None:
        (tmp_path / "usage.csv").write_text(f"{HEADER}b,2024-01-01,1\nc,2024-01-02,1\n")
        (tmp_path / "accounts.sql").write_text(ACCOUNTS)
        (tmp_path / "usage.sql").write_text("SELECT * FROM read_csv('${data}/usage.csv') WHERE account_id = 'a'")
        assert said_of(open_source(str(tmp_path), tmp_path), "usage") == "its SELECT gives no row"

    def test_a_python_table_without_rows_is_one_too(self, tmp_path: Path) -> None:
        (tmp_path / "accounts.sql").write_text(ACCOUNTS)
        (tmp_path / "usage.py").write_text(
            "import pyarrow as pa\ndef rows(data):\n    return pa.table({'account_id': pa.nulls(0), 'event_time': pa.array([], pa.string())})\n"
        )
        source = open_source(str(tmp_path))
        assert (source.rows("usage"), said_of(source, "usage")) == (0, "rows(data) gives no row")

    def test_a_header_that_lacks_a_column_is_a_fault(self, tmp_path: Path) -> None:
        (tmp_path / "usage.csv").write_text("account_id,quantity\n")
        (tmp_path / "accounts.sql").write_text(ACCOUNTS)
        (tmp_path / "usage.sql").write_text("SELECT * FROM read_csv('${data}/usage.csv')")
        with pytest.raises(BadInput, match="column event_time: it is missing"):
            open_source(str(tmp_path), tmp_path)

    @pytest.mark.parametrize(("file", "select"), [("nothing.csv", "named"), ("header.csv", "all")])
    def test_without_the_guard_the_select_is_blamed(
        self, tmp_path: Path, file: str, select: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The sabotaged twin."""
        monkeypatch.setattr(loader, "empty_rows", lambda *_: None)
        monkeypatch.setattr(loader, "typed", lambda *_: None)
        (tmp_path / file).write_bytes(FILES[file])
        with pytest.raises(BadInput):
            opened(tmp_path, file, select)
