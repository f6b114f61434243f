"""Small files that ask for much memory: each door refuses them in a line, or reads them in little memory."""

from __future__ import annotations

import contextlib
import gzip
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import typer

from features.kit import cli
from features.kit.errors import BadInput, UserMistake
from features.kit.flat_files import bounds, reading
from features.kit.flat_files.reading import open_file, read_file
from features.sources import held_text, loader
from features.sources.loader import open_source

MEASURED = """
import sys
from pathlib import Path
import pyarrow
from features.kit.errors import UserMistake
from features.kit.flat_files import bounds, reading
{sabotage}
def most():
    # kB of this process alone; what getrusage tells begins with the memory of the process that started it.
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1])
before = most()
try:
    print(sum(len(batch) for batch in reading.open_file(Path(sys.argv[1])).batches))
except UserMistake as error:
    print(error)
print((most() - before) // 1024)
"""


def measured(path: Path, sabotage: str = "") -> tuple[int, str, int]:
    """Exit code, what was said, and the megabytes that reading took above what the process took before."""
    code = MEASURED.format(sabotage=sabotage)
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, timeout=300, check=False
    )
    said, _, taken = done.stdout.strip().rpartition("\n")
    return done.returncode, said, int(taken or -1)


def varint(number: int) -> bytes:
    out = b""
    while number > 0x7F:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


def footer_only(path: Path, levels: int = 0, rows: int = 0) -> Path:
    """A Parquet file of a footer: one column of doubles inside of so many structs (Thrift's compact protocol)."""
    root, group, leaf = b"\x48\x04root\x15\x02\x00", b"\x35\x02\x18\x01a\x15\x02\x00", b"\x15\x0a\x25\x02\x18\x01a\x00"
    schema = b"\x19\xfc" + varint(levels + 2) + root + group * levels + leaf
    footer = b"\x15\x04" + schema + b"\x16" + varint(2 * rows) + b"\x19\x0c\x00"
    path.write_bytes(b"PAR1" + footer + struct.pack("<I", len(footer)) + b"PAR1")
    return path


def listed(kind: int, count: int) -> bytes:
    """The head of a list in Thrift's compact protocol."""
    return bytes([count << 4 | kind]) if count < 15 else bytes([0xF0 | kind]) + varint(count)


def many_chunks(path: Path, groups: int, columns: int, before: bytes = b"") -> Path:
    """A Parquet file of a footer that describes columns of row groups in three bytes each; `before` are its first fields."""
    root, leaf = b"\x48\x04root\x15\x02\x00", b"\x15\x0a\x25\x02\x18\x01a\x00"
    group = b"\x19" + listed(12, columns) + b"\x26\x00\x00" * columns + b"\x16\x00\x16\x00\x00"
    fields = b"\x05\x02\x04" + b"\x09\x04" + listed(12, 2) + root + leaf + b"\x06\x06\x00"  # version, schema, rows
    footer = before + fields + b"\x09\x08" + listed(12, groups) + group * groups + b"\x00"
    path.write_bytes(b"PAR1" + footer + struct.pack("<I", len(footer)) + b"PAR1")
    return path


def prefixed_text(path: Path, length: int, rows: int) -> Path:
    """Texts of which each begins as the one before, whole (DELTA_BYTE_ARRAY): 400 bytes become 2 GB, at 5,000 rows."""
    texts = pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int32)), pa.array(["x" * length])).cast(
        pa.string()
    )
    pq.write_table(
        pa.table({"t": texts}), path, use_dictionary=False, column_encoding={"t": "DELTA_BYTE_ARRAY"}, compression="zstd",
        store_schema=False, write_statistics=False,
    )  # fmt: skip
    return path


def wide(path: Path) -> Path:
    table = pa.table({f"c{k}": pa.array([1.0]) for k in range(6_500)})
    pq.write_table(table, path, store_schema=False, write_statistics=False)
    return path


def repeated_text(path: Path, length: int, rows: int) -> Path:
    """A dictionary of one long text that every row names."""
    texts = pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int32)), pa.array(["x" * length]))
    pq.write_table(pa.table({"t": texts, "y": np.zeros(rows)}), path, store_schema=False, compression="zstd")
    return path


def inflating(path: Path) -> Path:
    rows = gzip.compress(b"0,0\n" * 2**21)
    path.write_bytes(gzip.compress(b"a,b\n") + rows * 33)  # 270 MB in 270 kB
    return path


class TestParquet:
    def test_a_footer_that_asks_for_20_gb_is_refused(self, tmp_path: Path) -> None:
        path = footer_only(tmp_path / "rows.parquet", rows=2_500_000_000)
        with pytest.raises(UserMistake, match=r"2,500,000,000 values .* in a file of 43 bytes. Rule: at most 1,000"):
            open_file(path)

    def test_without_the_bound_it_would_be_opened(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The sabotaged twin."""
        monkeypatch.setattr(bounds, "FREE_VALUES", 10**12)
        open_file(footer_only(tmp_path / "rows.parquet", rows=2_500_000_000))

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

    def test_texts_that_begin_as_the_one_before(self, tmp_path: Path) -> None:
        path = prefixed_text(tmp_path / "prefixed.parquet", 400_000, 500)
        assert path.stat().st_size < 1_000
        code, said, taken = measured(path, "bounds.FREE_DECODED_BYTES = 10**8")
        assert (code, "bytes that become more than 100.0 MB" in said) == (0, True)
        assert taken < 900
        assert measured(path)[1] == "500"  # the sabotaged twin: 200 MB of it are let in

    def test_numbers_of_no_width(self, tmp_path: Path) -> None:
        path = tmp_path / "numbers.parquet"
        zeros = pa.table({"a": np.zeros(40_000_000, np.int64)})
        encoding = {"a": "DELTA_BINARY_PACKED"}
        pq.write_table(zeros, path, use_dictionary=False, column_encoding=encoding, compression="zstd")
        code, said, taken = measured(path)
        assert (code, said) == (0, "40000000")  # 320 MB, read a batch at a time
        assert taken < 250

    def test_columns_and_levels(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        with pytest.raises(UserMistake, match="more than 5,000 columns or 6,000 row groups"):
            open_file(wide(tmp_path / "wide.parquet"))
        with pytest.raises(UserMistake, match=r"100 levels of nesting. Rule: at most 50"):
            open_file(footer_only(tmp_path / "deep.parquet", levels=100))
        monkeypatch.setattr(bounds, "ROW_GROUPS", 10**6)
        with pytest.raises(UserMistake, match="6,500 columns"):
            open_file(tmp_path / "wide.parquet")
        monkeypatch.setattr(bounds, "COLUMNS", 10**6)
        assert len(open_file(tmp_path / "wide.parquet").schema) == 6_500

    def test_a_schema_so_deep_that_it_ends_the_process(self, tmp_path: Path) -> None:
        path = footer_only(tmp_path / "deep.parquet", levels=100_000)
        code, said, taken = measured(path)
        assert (code, "more than 5,000 columns" in said) == (0, True)
        assert taken < 200
        assert measured(path, "bounds.ROW_GROUPS = 10**6")[0] < 0  # the sabotaged twin: killed by a signal

    def test_long_texts_of_a_dictionary_are_decoded_few_at_a_time(self, tmp_path: Path) -> None:
        path = repeated_text(tmp_path / "texts.parquet", 30_000, 32_768)
        assert path.stat().st_size < 3_000
        code, said, taken = measured(path)
        assert (code, said) == (0, "32768")
        assert taken < 900
        _, said, unbounded = measured(path, "bounds.batch_rows = lambda path, metadata, most: most")
        assert (said, unbounded > 900) == ("32768", True)  # the sabotaged twin: 1 GB at once

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
    def test_columns(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        for count, said in ((5_001, "5,001 columns"), (200_000, "a first line of more than 1 MB")):
            path = tmp_path / f"{count}.csv"
            path.write_text(",".join(f"c{k}" for k in range(count)) + "\n")
            with pytest.raises(UserMistake, match=rf"{said}. Rule: at most 5,000 columns"):
                open_file(path)
        monkeypatch.setattr(bounds, "COLUMNS", 10**6)
        assert len(open_file(tmp_path / "5001.csv").schema) == 5_001

    def test_a_value_of_many_megabytes(self, tmp_path: Path) -> None:
        for name, row in (("value", "1," + "x" * 10**7), ("name", "")):
            path = tmp_path / f"{name}.csv"
            path.write_text(("a,b\n" if row else "a," + "b" * 150_000 + "\n") + row + "\n")
            with pytest.raises(UserMistake, match=r"longer than 4 MB|cannot be read as column names"):
                read_file(path)

    def test_a_compressed_file_may_not_grow_without_end(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = inflating(tmp_path / "a.csv.gz")
        for encoding in (None, "utf-8"):
            with pytest.raises(
                UserMistake, match=r"kB that become more than 268.4 MB. Rule: at most 500 times its size"
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


class TestSources:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        made = tmp_path / "company"
        made.mkdir()
        pq.write_table(pa.table({"lead_id": ["a"]}), tmp_path / "good.parquet")
        moment = "TIMESTAMP '2025-01-01' AS event_time"
        (made / "leads.sql").write_text(f"SELECT lead_id, {moment} FROM '{tmp_path}/good.parquet'")
        footer_only(tmp_path / "rows.dat", rows=2_500_000_000)
        (made / "accounts.sql").write_text(
            f"WITH r AS (SELECT * FROM read_parquet('{tmp_path}/rows.dat')) SELECT 'a' AS account_id, {moment} FROM r"
        )
        inflating(tmp_path / "a.csv.gz")
        (made / "contacts.sql").write_text(f"SELECT a::VARCHAR AS contact_id, {moment} FROM '{tmp_path}/*.csv.gz'")
        repeated_text(tmp_path / "texts.parquet", 400_000, 10_000)
        (made / "tickets.sql").write_text(f"SELECT t AS ticket_id, {moment} FROM '{tmp_path}/texts.parquet'")
        prefixed_text(tmp_path / "prefixed.parquet", 400_000, 500)
        (made / "invoices.sql").write_text(f"SELECT t AS invoice_id, {moment} FROM '{tmp_path}/prefixed.parquet'")
        shutil.copyfile(tmp_path / "a.csv.gz", tmp_path / "a.dat")
        (made / "usage.sql").write_text(
            f"SELECT a::VARCHAR AS account_id, {moment} FROM read_csv('{tmp_path}/a.dat', compression='gzip')"
        )
        many_chunks(tmp_path / "chunks.parquet", 200, 5_000)
        (made / "touches.sql").write_text(f"SELECT a AS account_id, {moment} FROM '{tmp_path}/chunks.parquet'")
        return made

    def test_every_bomb_is_a_fault_and_the_others_are_read(
        self, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(bounds, "FREE_DECODED_BYTES", 10**8)
        opened = open_source(str(folder), keep_going=True, home=tmp_path)
        assert opened.tables == ("leads",)
        found = {fault.where.split(",")[0].rpartition("/")[2]: fault.found for fault in opened.faults}
        assert found.keys() == {f"{n}.sql" for n in ("accounts", "contacts", "tickets", "invoices", "usage", "touches")}
        assert "2,500,000,000 values" in found["accounts.sql"]
        assert "become more than 268.4 MB" in found["contacts.sql"]
        assert "become more than 100.0 MB" in found["tickets.sql"]
        assert "become more than 100.0 MB" in found["invoices.sql"]
        assert "become more than 268.4 MB" in found["usage.sql"]
        assert "a footer of 3.0 MB that becomes more than 400.0 MB" in found["touches.sql"]

    def test_without_the_look_at_its_files_it_would_be_read(
        self, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The sabotaged twin; DuckDB's bound of memory then ends it, or hours do."""
        monkeypatch.setattr(loader, "files_read", lambda connection, text: [])
        for table in ("contacts", "tickets", "invoices", "usage", "touches"):
            (folder / f"{table}.sql").unlink()
        opened = open_source(str(folder), keep_going=True, home=tmp_path)
        assert not any("values per byte" in fault.rule for fault in opened.faults)

    @pytest.fixture
    def sparse(self, tmp_path: Path) -> Path:
        """A source with one good table and two of text files whose rows are three bytes and have 60 columns."""
        made = tmp_path / "sparse"
        made.mkdir()
        columns = ", ".join(f"c{k}: 'BIGINT'" for k in range(60))
        lines = b"{}\n" * 300_000  # 150 MB as rows
        (tmp_path / "s.ndjson.gz").write_bytes(gzip.compress(lines))
        (tmp_path / "s.ndjson").write_bytes(lines)
        for table, file in (("usage", "s.ndjson.gz"), ("touches", "s.ndjson")):
            (made / f"{table}.sql").write_text(
                "SELECT 'a' AS account_id, TIMESTAMP '2025-01-01' AS event_time, 'email' AS kind, * "
                f"FROM read_json('{tmp_path}/{file}', format = 'newline_delimited', columns = {{{columns}}})"
            )
        (tmp_path / "good.csv").write_text("account_id,event_time\n" + "a,2025-01-01\n" * 1_000)
        (made / "accounts.sql").write_text(f"SELECT * FROM '{tmp_path}/good.csv'")
        return made

    def test_text_files_are_held_within_a_bound(
        self, sparse: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name, most in (("FREE_HELD_BYTES", 2**25), ("BUFFERS_BYTES", 2**24), ("GROWTH", 10)):
            monkeypatch.setattr(held_text, name, most)
        opened = open_source(str(sparse), keep_going=True, home=tmp_path)
        assert opened.tables == ("accounts",)
        found = {fault.where.rpartition("/")[2]: fault for fault in opened.faults}
        assert found.keys() == {"usage.sql", "touches.sql"}
        assert found["touches.sql"].found == "text files of 900.0 kB that become more than 33.6 MB in memory"
        assert "in the SELECT name only the columns that are needed" in found["usage.sql"].next_step
        for name in ("memory_limit", "max_temp_directory_size"):  # as they were before
            setting = f"SELECT parse_formatted_bytes(current_setting('{name}'))"
            assert opened.query(setting)[0][0] > 10**9, name

    def test_without_their_bound_the_same_files_are_held(
        self, sparse: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The sabotaged twin."""
        monkeypatch.setattr(loader, "bounded", lambda connection, path, query: contextlib.nullcontext())
        opened = open_source(str(sparse), keep_going=True, home=tmp_path)
        assert opened.tables == ("accounts", "touches", "usage"), opened.faults
        held = opened.query("SELECT sum(memory_usage_bytes) FROM duckdb_memory()")[0][0]
        assert held > 2 * 10**8

    def test_memory_and_disk_are_bounded_on_every_connection(self, folder: Path, tmp_path: Path) -> None:
        for memory in (None, 300):
            opened = open_source(str(folder), keep_going=True, home=tmp_path, memory_mb=memory)
            names = ("memory_limit", "temp_directory", "max_temp_directory_size")
            limit, spill, room = (opened.query(f"SELECT current_setting('{name}')")[0][0] for name in names)
            assert ("GiB" in limit) if memory is None else limit.startswith("286.1 MiB")
            assert Path(spill).name.startswith("accountscore-spill-")
            assert room[0].isdigit()

    def test_too_little_memory_ends_in_a_line(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        app = typer.Typer()

        @app.command()
        def large() -> None:
            with duckdb.connect(config={"memory_limit": "20MB", "max_temp_directory_size": "0KB"}) as connection:
                connection.execute("SELECT array_agg(md5(range::VARCHAR)) FROM range(3_000_000)")

        monkeypatch.setattr(sys, "argv", ["large"])
        with pytest.raises(SystemExit) as ended:
            cli.run(app)
        assert ended.value.code == 2
        said = capsys.readouterr().err
        assert said.startswith("error: the tables need more memory than there is (Out of Memory")
        assert said.count("\n") == 1
