"""A footer that would take much memory is counted before it is decoded, and refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.kit.flat_files import bounds
from features.kit.flat_files.reading import open_file
from tests.kit.bombs import many_chunks, measured


class TestFooter:
    @pytest.mark.parametrize(
        "before",
        [b"", b"\x0b\x28\x01\x88\x01a\x01b", b"\x0c\x28" + b"\x1c" * 60 + b"\x00" * 61],
        ids=["plain", "a map before", "structs before"],
    )
    def test_a_footer_of_30_mb_that_becomes_7_gb_is_refused_before(self, tmp_path: Path, before: bytes) -> None:
        path = many_chunks(tmp_path / "chunks.parquet", 2_000, 5_000, before)
        code, said, taken = measured(path)
        assert (code, "a footer of 30.0 MB that becomes more than 400.0 MB" in said) == (0, True)
        assert taken < 200

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
