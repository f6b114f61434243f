"""Small files that ask for much memory: the reader refuses them in a line, or reads them in little memory."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.kit.errors import BadInput, UserMistake
from features.kit.flat_files import bounds, reading
from features.kit.flat_files.reading import open_file, read_file
from tests.kit.bombs import footer_only, inflating, measured, prefixed_text, repeated_text, wide


class TestParquet:
    def test_a_footer_that_asks_for_20_gb_is_refused(self, tmp_path: Path) -> None:
        path = footer_only(tmp_path / "rows.parquet", rows=2_500_000_000)
        with pytest.raises(UserMistake, match=r"2,500,000,000 values .* in a file of 43 bytes. Rule: at most 1,000"):
            open_file(path)

    def test_without_the_bound_it_would_be_opened(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The sabotaged twin."""
        monkeypatch.setattr(bounds, "FREE_VALUES", 10**12)
        opened = open_file(footer_only(tmp_path / "rows.parquet", rows=2_500_000_000))
        assert opened.schema.names == ["a"]

    def test_texts_that_share_their_beginning_are_refused(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = prefixed_text(tmp_path / "prefixed.parquet", 50_000, 500)
        assert path.stat().st_size < 1_000
        assert sum(len(batch) for batch in open_file(path).batches) == 500  # the sabotaged twin: 25 MB are let in
        monkeypatch.setattr(bounds, "FREE_DECODED_BYTES", 10**7)
        with pytest.raises(UserMistake, match=r"bytes that become more than 10.0 MB"):
            list(open_file(path).batches)

    @pytest.mark.slow
    def test_a_gigabyte_of_texts_that_share_their_beginning_does_not_fill_the_memory(self, tmp_path: Path) -> None:
        path = prefixed_text(tmp_path / "prefixed.parquet", 400_000, 2_500)
        code, said, taken = measured(path, "bounds.FREE_DECODED_BYTES = 10**8")
        assert (code, "bytes that become more than 100.0 MB" in said) == (0, True)
        assert taken < 900

    def test_numbers_stored_without_width_are_read_a_batch_at_a_time(self, tmp_path: Path) -> None:
        path = tmp_path / "numbers.parquet"
        zeros = pa.table({"a": np.zeros(16_000_000, np.int64)})
        encoding = {"a": "DELTA_BINARY_PACKED"}
        pq.write_table(zeros, path, use_dictionary=False, column_encoding=encoding, compression="zstd")
        code, said, taken = measured(path)
        assert (code, said) == (0, "16000000")  # 128 MB, read a batch at a time
        assert taken < 100

    def test_too_many_columns_and_too_deep_nesting_are_refused(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name, most in (("COLUMNS", 500), ("ROW_GROUPS", 600)):
            monkeypatch.setattr(bounds, name, most)
        with pytest.raises(UserMistake, match="more than 500 columns or 600 row groups"):
            open_file(wide(tmp_path / "wide.parquet", 650))
        with pytest.raises(UserMistake, match=r"100 levels of nesting. Rule: at most 50"):
            open_file(footer_only(tmp_path / "deep.parquet", levels=100))
        monkeypatch.setattr(bounds, "ROW_GROUPS", 10**6)
        with pytest.raises(UserMistake, match=r"650 columns. Rule: at most 500"):
            open_file(tmp_path / "wide.parquet")
        monkeypatch.setattr(bounds, "COLUMNS", 10**6)
        assert len(open_file(tmp_path / "wide.parquet").schema) == 650

    def test_a_schema_so_deep_that_it_ends_the_process(self, tmp_path: Path) -> None:
        path = footer_only(tmp_path / "deep.parquet", levels=100_000)
        code, said, taken = measured(path)
        assert (code, "more than 5,000 columns" in said) == (0, True)
        assert taken < 200
        assert measured(path, "bounds.ROW_GROUPS = 10**6")[0] < 0  # the sabotaged twin: killed by a signal

    def test_long_texts_of_a_dictionary_are_decoded_few_at_a_time(self, tmp_path: Path) -> None:
        path = repeated_text(tmp_path / "texts.parquet", 6_000, 32_768)
        assert path.stat().st_size < 3_000
        smaller = "bounds.BATCH_BYTES = 2**23"
        code, said, taken = measured(path, smaller)
        assert (code, said) == (0, "32768")
        assert taken < 120
        _, said, unbounded = measured(path, f"{smaller}; bounds.batch_rows = lambda path, metadata, most: most")
        assert (said, unbounded > 180) == ("32768", True)  # the sabotaged twin: 200 MB at once

    def test_what_becomes_absurdly_much_is_refused_on_the_way(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = repeated_text(tmp_path / "texts.parquet", 1_000, 20_000)
        monkeypatch.setattr(bounds, "DECODED_PER_BYTE", 1_000)
        assert read_file(path).table.num_rows == 20_000  # the sabotaged twin: 20 MB are below the free bound
        monkeypatch.setattr(bounds, "FREE_DECODED_BYTES", 10**7)
        for read in (read_file, lambda path: list(open_file(path).batches)):
            with pytest.raises(UserMistake, match=r"kB that become more than 10.0 MB"):
                read(path)

    def test_a_table_larger_than_the_memory_is_not_read_whole(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pq.write_table(pa.table({"a": np.arange(10_000.0)}), tmp_path / "a.parquet")
        (tmp_path / "a.csv").write_text("a\n" + "12345678\n" * 10_000)
        monkeypatch.setattr(bounds, "whole_bytes", lambda: 50_000)
        for name in ("a.parquet", "a.csv"):
            with pytest.raises(UserMistake, match=r"when it is read. Rule: half of the memory at most"):
                read_file(tmp_path / name)
            assert sum(len(batch) for batch in open_file(tmp_path / name).batches) == 10_000

    def test_an_ordinary_table_is_read_as_ever(self, tmp_path: Path) -> None:
        rng = np.random.default_rng(0)
        table = pa.table({f"c{k}": rng.integers(0, 9, 4_000) for k in range(280)})
        for k in range(20):
            table = table.append_column(f"t{k}", pa.array([f"word {n}" for n in rng.integers(0, 300, 4_000)]))
        path = tmp_path / "ordinary.parquet"
        pq.write_table(table, path, row_group_size=1_000)
        assert bounds.batch_rows(path, bounds.metadata_of(path), reading.ROWS) == reading.ROWS
        assert read_file(path).table.equals(table)


class TestTexts:
    def test_a_csv_with_too_many_columns_is_refused(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        for count, said in ((5_001, "5,001 columns"), (200_000, "a first line of more than 1 MB")):
            path = tmp_path / f"{count}.csv"
            path.write_text(",".join(f"c{k}" for k in range(count)) + "\n")
            with pytest.raises(UserMistake, match=rf"{said}. Rule: at most 5,000 columns"):
                open_file(path)
        monkeypatch.setattr(bounds, "COLUMNS", 10**6)
        assert len(open_file(tmp_path / "5001.csv").schema) == 5_001

    def test_a_value_of_many_megabytes_is_refused(self, tmp_path: Path) -> None:
        for name, row in (("value", "1," + "x" * 10**7), ("name", "")):
            path = tmp_path / f"{name}.csv"
            path.write_text(("a,b\n" if row else "a," + "b" * 150_000 + "\n") + row + "\n")
            with pytest.raises(UserMistake, match=r"longer than 4 MB|cannot be read as column names"):
                read_file(path)

    def test_a_compressed_file_may_not_grow_without_end(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = inflating(tmp_path / "a.csv.gz", megabytes=40)
        monkeypatch.setattr(bounds, "FREE_INFLATED_BYTES", 2**25)
        for encoding in (None, "utf-8"):
            with pytest.raises(
                UserMistake, match=r"kB that become more than 33.6 MB. Rule: at most 500 times its size"
            ):
                open_file(path, encoding)
        monkeypatch.setattr(bounds, "INFLATION", 10**6)
        assert len(next(open_file(path, "utf-8").batches)) == reading.ROWS

    def test_a_bomb_in_a_bomb_is_no_table(self, tmp_path: Path) -> None:
        path = tmp_path / "a.csv.gz"
        path.write_bytes(gzip.compress(gzip.compress(b"0" * 10**6)))
        with pytest.raises(UserMistake, match=r"not UTF-8|NUL characters"):
            open_file(path)

    def test_rows_of_another_length_are_counted_up_to_a_bound(self, tmp_path: Path) -> None:
        (tmp_path / "a.csv").write_text("a,b\n" + "1\n" * 50_000)
        with pytest.raises(BadInput, match=r"10,000 rows, or more, the first 5 are shown"):
            read_file(tmp_path / "a.csv")
