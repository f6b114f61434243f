"""Bounds the memory that text files take while DuckDB reads them.

The size of a text file does not tell the size of its rows: 8 bytes of a compressed file can be a row of eight columns, and 3 bytes
of JSON a row of 5,000. So memory is limited while such files are read.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import duckdb

from features.kit.flat_files.bounds import INFLATION, TooMuch, is_packed, packing_of
from features.kit.memory import gigabytes
from features.sources.query_files import files_read
from features.sources.source_fault import source_fault

FREE_HELD_BYTES = 2**30
"""Rows that take less memory are never refused."""
GROWTH = 100
"""Most times that an uncompressed file may grow; a JSON file of 300 columns whose lines name ten of them grows as much."""
BUFFERS_BYTES = 2**26
"""Memory of one reading thread: the buffer of the file, and rows that are not stored yet."""


@contextlib.contextmanager
def bounded(connection: duckdb.DuckDBPyConnection, path: Path, query: str) -> Iterator[None]:
    """Raise `TooMuch` when the rows of a query outgrow the files that it names.

    The bound is `GROWTH` times the size of the files (`INFLATION` times for compressed ones), at least `FREE_HELD_BYTES`. Nothing
    spills to disk meanwhile. A lower limit of the connection itself stays in force.
    """
    files = files_read(connection, query)
    size = sum(os.path.getsize(file) for file in files)
    most = max(FREE_HELD_BYTES, sum(_times(file) * os.path.getsize(file) for file in files))
    settings = ("memory_limit", "max_temp_directory_size")
    before = [str(_one(connection, f"current_setting('{name}')")) for name in settings]
    used = int(_one(connection, "(SELECT sum(memory_usage_bytes) FROM duckdb_memory())"))
    limit = used + most + BUFFERS_BYTES * int(_one(connection, "current_setting('threads')"))
    if not files or limit >= int(_one(connection, f"parse_formatted_bytes('{before[0]}')")):
        yield
        return
    try:
        for name, bound in zip(settings, (limit, 0), strict=True):
            connection.execute(f"SET {name} = '{bound}B'")
        yield
    except duckdb.OutOfMemoryException:
        raise TooMuch(
            source_fault(
                path,
                found=f"text files of {gigabytes(size)} that become more than {gigabytes(most)} in memory",
                rule=f"at most {GROWTH} times their size ({INFLATION} times, packed) above {gigabytes(FREE_HELD_BYTES)}",
                next_step="check where they come from; in the SELECT name only the columns that are needed, and unpack the files if the "
                "table is what you want",
            )
        ) from None
    finally:
        for name, text in zip(settings, before, strict=True):
            connection.execute(f"SET {name} = '{text}'")


def _times(file: Path) -> int:
    return INFLATION if is_packed(file) or packing_of(file) is not None else GROWTH


def _one(connection: duckdb.DuckDBPyConnection, expression: str) -> int | str:
    found: int | str = connection.execute(f"SELECT {expression}").fetchall()[0][0]
    return found
