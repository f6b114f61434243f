"""Small files that ask for much memory, and a process that measures what reading one takes."""

from __future__ import annotations

import gzip
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

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
        pa.table({"t": texts}),
        path,
        use_dictionary=False,
        column_encoding={"t": "DELTA_BYTE_ARRAY"},
        compression="zstd",
        store_schema=False,
        write_statistics=False,
    )
    return path


def wide(path: Path, columns: int) -> Path:
    """One row of many columns."""
    table = pa.table({f"c{k}": pa.array([1.0]) for k in range(columns)})
    pq.write_table(table, path, store_schema=False, write_statistics=False)
    return path


def repeated_text(path: Path, length: int, rows: int) -> Path:
    """A dictionary of one long text that every row names."""
    texts = pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int32)), pa.array(["x" * length]))
    pq.write_table(pa.table({"t": texts, "y": np.zeros(rows)}), path, store_schema=False, compression="zstd")
    return path


def inflating(path: Path, megabytes: int = 270) -> Path:
    """A CSV of two columns that is a thousandth of its size when it is compressed."""
    rows = gzip.compress(b"0,0\n" * 2**21)
    path.write_bytes(gzip.compress(b"a,b\n") + rows * (megabytes // 8))
    return path
