"""Text files that DuckDB holds in memory: small ones that ask for much of it are refused while they are read.

What rows become is not to be told from the file: 8 bytes of a packed file can be a row of eight columns, and three bytes of a
JSON file one of 5,000. So their room is bounded while they are read.
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
GROWTH = 100
"""Times that a file may grow that is not packed, as one with 300 columns does whose lines name ten of them each."""
BUFFERS_BYTES = 2**26
"""Of a thread that reads: the file's buffer and its rows before they are held."""


@contextlib.contextmanager
def bounded(connection: duckdb.DuckDBPyConnection, path: Path, query: str) -> Iterator[None]:
    """Raise `TooMuch` when the rows of a query take more than `GROWTH` times the size of the files that it names (`INFLATION` times,
    where they are packed) and more than `FREE_HELD_BYTES`. Nothing goes to the disk. Where the connection's own bound is lower, it
    holds as it is."""
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
