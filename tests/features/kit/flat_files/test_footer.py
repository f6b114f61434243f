"""A footer that would take much memory is counted before it is decoded, and refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.kit.errors import UserMistake
from features.kit.flat_files import bounds
from features.kit.flat_files.footer import decoded_bytes
from features.kit.flat_files.reading import open_file
from tests.kit.bombs import many_chunks, measured


class TestDecodedBytes:
    def test_lists_are_counted_as_they_are_announced(self, tmp_path: Path) -> None:
        """2 columns in 3 row groups: 6 descriptions of 1,000 bytes, 3 groups and 2 elements of the schema of 120, names of 4 + 1."""
        path = many_chunks(tmp_path / "chunks.parquet", 3, 2)
        footer = path.read_bytes()[4:-8]
        assert decoded_bytes(footer, 10**9) == 6 * 1_000 + 3 * 120 + 2 * 120 + 5

    def test_the_count_stops_above_the_bound(self, tmp_path: Path) -> None:
        footer = many_chunks(tmp_path / "chunks.parquet", 3, 2_000).read_bytes()[4:-8]
        assert 10_000 < decoded_bytes(footer, 10_000) <= 10_000 + 2_000 * 1_000

    def test_a_damaged_footer_is_counted_up_to_the_damage(self, tmp_path: Path) -> None:
        footer = many_chunks(tmp_path / "chunks.parquet", 3, 2).read_bytes()[4:-8]
        assert 0 < decoded_bytes(footer[: len(footer) // 2], 10**9) < decoded_bytes(footer, 10**9)
        assert decoded_bytes(b"", 10**9) == 0


class TestFooter:
    def test_a_footer_of_30_mb_that_becomes_7_gb_is_refused_before_it_is_decoded(self, tmp_path: Path) -> None:
        code, said, taken = measured(many_chunks(tmp_path / "chunks.parquet", 2_000, 5_000))
        assert (code, "a footer of 30.0 MB that becomes more than 400.0 MB" in said) == (0, True)
        assert taken < 200

    @pytest.mark.parametrize(
        "before",
        [b"\x0b\x28\x01\x88\x01a\x01b", b"\x0c\x28" + b"\x1c" * 60 + b"\x00" * 61],
        ids=["a map before", "structs before"],
    )
    def test_fields_that_parquet_does_not_have_do_not_hide_it(self, tmp_path: Path, before: bytes) -> None:
        with pytest.raises(UserMistake, match=r"a footer of 3.0 MB that becomes more than 400.0 MB"):
            open_file(many_chunks(tmp_path / "chunks.parquet", 200, 5_000, before))

    def test_without_the_count_it_is_decoded(self, tmp_path: Path) -> None:
        """The sabotaged twin, with a tenth of a tenth of it."""
        path = many_chunks(tmp_path / "chunks.parquet", 60, 5_000)
        assert path.stat().st_size < 10**6
        assert measured(path, "bounds.decoded_bytes = lambda footer, most: 0")[2] > 150
        assert "a footer of" in measured(path, "bounds.DECODED_FOOTER_BYTES = 10**8")[1]

    def test_a_large_footer_of_an_ordinary_table_is_read(self, tmp_path: Path) -> None:
        pq.write_table(
            pa.table({f"c{k}": np.arange(60.0) for k in range(300)}), tmp_path / "a.parquet", row_group_size=2
        )
        assert (tmp_path / "a.parquet").stat().st_size > bounds.FREE_FOOTER_BYTES
        assert open_file(tmp_path / "a.parquet").schema.names[0] == "c0"
