"""Whether a file holds nothing, whatever it is packed with, and how that is said."""

from __future__ import annotations

import gzip
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.sources.empty_files import why_empty, without_rows

HEADER = b"account_id,event_time\n"


def made(folder: Path, held: bytes, name: str = "a.csv") -> Path:
    (folder / name).write_bytes(held)
    return folder / name


class TestNothing:
    @pytest.mark.parametrize(
        ("held", "why"),
        [
            (b"", "0 bytes"),
            (b"\xef\xbb\xbf", "0 bytes"),
            (b" \r\n\t\n", "only blank lines"),
            (b"\xff\xfe\n\x00\n\x00", "only blank lines"),
            (b"[ ]\n", "an empty list"),
            (b"\n" * 200_000, "only blank lines"),
        ],
    )
    def test_it_is_said_what_it_is_like(self, tmp_path: Path, held: bytes, why: str) -> None:
        assert why_empty(made(tmp_path, held)) == why
        if held:
            assert why_empty(made(tmp_path, gzip.compress(held), "a.csv.gz")) == why

    @pytest.mark.parametrize("held", [HEADER, b"0", b"[1]", b"[", b"\n" * 200_000 + b"x"])
    def test_a_file_with_something_in_it_is_not_empty(self, tmp_path: Path, held: bytes) -> None:
        assert why_empty(made(tmp_path, held)) is None

    def test_a_file_that_cannot_be_read_is_left_to_duckdb(self, tmp_path: Path) -> None:
        assert why_empty(tmp_path / "absent.csv") is None
        assert why_empty(made(tmp_path, b"no gzip", "a.csv.gz")) is None


class TestWithoutRows:
    @pytest.mark.parametrize(
        ("held", "said"),
        [
            (b"", "is empty (0 bytes)"),
            (HEADER, "has only its header"),
            (HEADER + b"\n\n", "has only its header"),
            (HEADER + b"a,2024-01-01\n", None),
        ],
    )
    def test_a_header_alone_is_told_from_nothing_and_from_rows(
        self, tmp_path: Path, held: bytes, said: str | None
    ) -> None:
        assert without_rows(made(tmp_path, held)) == said

    @pytest.mark.parametrize(("ids", "said"), [([], "has no row"), (["a"], None)])
    def test_parquet_says_it_by_its_footer(self, tmp_path: Path, ids: list[str], said: str | None) -> None:
        pq.write_table(pa.table({"account_id": pa.array(ids, pa.string())}), tmp_path / "a.parquet")
        assert without_rows(tmp_path / "a.parquet") == said
