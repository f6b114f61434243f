"""Bounds on files: a small file that asks for much memory is refused by its own metadata, before it is read.

A table of 5 million rows and 300 columns is within all bounds, also with 500 row groups (a footer of some 20 MB). The footer does
not say how long the texts of a dictionary are. So the dictionaries themselves are read for it, and that sets how many rows are
decoded at a time.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet

from features.kit.errors import Fault, UserMistake
from features.kit.flat_files.footer import decoded_bytes
from features.kit.memory import gigabytes, memory_bytes

COLUMNS = 5_000
"""Most columns of a table; those inside lists and structs count too."""
ROW_GROUPS = 6_000
FOOTER_BYTES = 2**25
"""Largest footer of a Parquet file; decoded it takes several times as much memory."""
FREE_FOOTER_BYTES = 2**18
"""A smaller footer decodes to 60 MB at most, and is not checked further."""
DECODED_FOOTER_BYTES = 4 * 10**8
"""Most memory of a decoded footer, as `footer.decoded_bytes` estimates it. 300 columns in 500 row groups take half of it."""
LEVELS = 50
"""Deepest nesting of lists and structs. Arrow's reader recurses once per level, and crashes at some 10,000."""
FREE_VALUES = 20_000_000
"""A file with fewer values is never refused: as numbers they take 160 MB at most."""
VALUES_PER_BYTE = 1_000
"""Most values per byte of a larger file. A table of 300 columns whose rows differ in at least one column has fewer than 300."""
FREE_INFLATED_BYTES = 2**28
INFLATION = 500
"""Most times that a compressed file may grow. Tables of texts grow 3 to 30 times, those of zeros 200; gzip's limit is 1,032."""
BATCH_BYTES = 2**27
"""Most bytes that are decoded at a time."""
FREE_DECODED_BYTES = 2**30
DECODED_PER_BYTE = 8 * VALUES_PER_BYTE
PROBED_ROWS = 64
"""Fewest rows decoded at a time when the length of their texts is not known beforehand."""
BUFFERS_BYTES = 2**27
"""Memory of the read buffers of all columns of a file together."""
_WHOLE_SHARE = 0.5
_WIDTHS = {"BOOLEAN": 0.125, "INT32": 4.0, "FLOAT": 4.0}
_BLOCK = 2**22
_MAGIC = {b"\x1f\x8b": "gzip", b"BZh": "bz2", b"\x28\xb5\x2f\xfd": "zstd", b"\x04\x22\x4d\x18": "lz4"}
_PACKED = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd", ".lz4": "lz4"}


class TooMuch(UserMistake):
    """Raised for a file that is beyond a bound."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        super().__init__(str(fault))


def whole_bytes() -> int:
    """Largest table, in bytes, that may be read whole: half of the memory, because processing it needs the other half."""
    return int(_WHOLE_SHARE * memory_bytes())


def too_wide(where: str, found: str) -> Fault:
    """The fault of a table with more columns than it may have."""
    step = "leave out columns, or write one row per value and aggregate them"
    return Fault(where=where, found=found, rule=f"at most {COLUMNS:,} columns", next_step=step)


def _check_footer(path: Path) -> None:
    """Raises `TooMuch` for a footer that is too large, or would be once decoded."""
    size = os.path.getsize(path)
    with path.open("rb") as file:
        file.seek(max(0, size - 8))
        tail = file.read(8)
        length = struct.unpack("<I", tail[:4])[0] if len(tail) == 8 and tail[4:] == b"PAR1" else 0
        if not FREE_FOOTER_BYTES < length <= size - 8:
            return
        found = f"a footer of {gigabytes(length)}"
        if length <= FOOTER_BYTES:
            file.seek(size - 8 - length)
            if decoded_bytes(file.read(length), DECODED_FOOTER_BYTES) <= DECODED_FOOTER_BYTES:
                return
            found += f" that becomes more than {gigabytes(DECODED_FOOTER_BYTES)}"
    raise TooMuch(
        Fault(
            where=repr(str(path)),
            found=found,
            rule=f"at most {gigabytes(FOOTER_BYTES)}, and {gigabytes(DECODED_FOOTER_BYTES)} in memory",
            next_step="write it with fewer columns or larger row groups",
        )
    )


def metadata_of(path: Path) -> pyarrow.parquet.FileMetaData:
    """The footer of a Parquet file. Raises `TooMuch` when it is beyond a bound, `pa.ArrowException` or `OSError` when it cannot be read."""
    _check_footer(path)
    try:
        # The limit also keeps the process alive: a schema of 15,000 levels would crash it (see `LEVELS`).
        with pyarrow.parquet.ParquetFile(path, thrift_container_size_limit=ROW_GROUPS, pre_buffer=False) as file:
            metadata = file.metadata
    except OSError as error:
        if "Exceeded size limit" not in str(error):
            raise
        found = f"more than {COLUMNS:,} columns or {ROW_GROUPS:,} row groups"
        raise TooMuch(too_wide(repr(str(path)), found)) from None
    fault = parquet_fault(path, metadata)
    if fault is not None:
        raise TooMuch(fault)
    return metadata


def parquet_fault(path: Path, metadata: pyarrow.parquet.FileMetaData) -> Fault | None:
    """The first bound that a footer breaks; None when it is within all."""
    where, size = repr(str(path)), os.path.getsize(path)
    if metadata.num_columns > COLUMNS:
        return too_wide(where, f"{metadata.num_columns:,} columns")
    columns = [metadata.schema.column(k) for k in range(metadata.num_columns)]
    levels = max((column.path.count(".") for column in columns), default=0)
    if levels > LEVELS:
        return Fault(
            where=where,
            found=f"{levels:,} levels of nesting",
            rule=f"at most {LEVELS}",
            next_step="write plain columns",
        )
    groups = [metadata.row_group(k) for k in range(metadata.num_row_groups)]
    values = max(
        metadata.num_rows * metadata.num_columns,
        sum(group.column(k).num_values for group in groups for k in range(group.num_columns))
        if any(column.max_repetition_level for column in columns)
        else 0,
    )
    if values > max(FREE_VALUES, VALUES_PER_BYTE * size):
        return Fault(
            where=where,
            found=f"{values:,} values ({metadata.num_rows:,} rows x {metadata.num_columns:,} columns) in a file of {gigabytes(size)}",
            rule=f"at most {VALUES_PER_BYTE:,} values per byte above {FREE_VALUES:,}",
            next_step="check where it comes from; it holds the same value over and over",
        )
    inflated = sum(group.total_byte_size for group in groups)
    return _inflated_fault(where, inflated, size)


def _inflated_fault(where: str, inflated: int, size: int) -> Fault | None:
    if inflated <= max(FREE_INFLATED_BYTES, INFLATION * size):
        return None
    return Fault(
        where=where,
        found=f"{gigabytes(size)} that become more than {gigabytes(max(FREE_INFLATED_BYTES, INFLATION * size))}",
        rule=f"at most {INFLATION} times its size above {gigabytes(FREE_INFLATED_BYTES)}",
        next_step="check where it comes from; save the table as it is, without compression, if it is what you want",
    )


def batch_rows(path: Path, metadata: pyarrow.parquet.FileMetaData, most: int) -> int:
    """How many rows to decode at a time, so that they take at most `BATCH_BYTES` whatever the dictionaries hold.

    Each dictionary is read on its own for its longest text: a file of 1.7 kB can name a text of 1 MB 200,000 times.
    """
    groups = [metadata.row_group(k) for k in range(metadata.num_row_groups)]
    columns = [metadata.schema.column(k) for k in range(metadata.num_columns)]
    rows, width, indexed = most, 0.0, _indexed(metadata)
    for k, column in enumerate(columns):
        width += _WIDTHS.get(column.physical_type, 8.0)
        if column.physical_type not in ("BYTE_ARRAY", "FIXED_LEN_BYTE_ARRAY") and not column.max_repetition_level:
            continue
        chunks = [group.column(k) for group in groups]
        if column.physical_type == "FIXED_LEN_BYTE_ARRAY":
            width += column.length
        elif column.physical_type == "BYTE_ARRAY":
            largest = max((chunk.total_uncompressed_size for chunk in chunks), default=0)
            packed = any("DELTA_BYTE_ARRAY" in chunk.encodings for chunk in chunks)
            if packed or (column.path not in indexed and any(chunk.has_dictionary_page for chunk in chunks)):
                rows = min(rows, max(PROBED_ROWS, BATCH_BYTES // max(largest, 1)))
        if column.max_repetition_level:
            of_one = max(
                (chunk.num_values / max(group.num_rows, 1) for chunk, group in zip(chunks, groups, strict=True)),
                default=0,
            )
            width += 8.0 * of_one
    width += sum(_longest_texts(path, metadata, indexed).values())
    return max(1, min(rows, int(BATCH_BYTES // max(width, 1.0))))


def texts_fault(path: Path, metadata: pyarrow.parquet.FileMetaData) -> Fault | None:
    """The fault of a file whose texts take absurdly much memory once each row has its own copy, as in a table of DuckDB; else None.

    Two encodings allow that: a dictionary, and texts that share their beginning with the text before (DELTA_BYTE_ARRAY).
    """
    most, size = max(FREE_DECODED_BYTES, DECODED_PER_BYTE * os.path.getsize(path)), os.path.getsize(path)
    longest = _longest_texts(path, metadata, _indexed(metadata))
    texts = longest | _prefixed(metadata)
    names = [name for name, length in texts.items() if length * metadata.num_rows > most / len(texts)]
    if not names:
        return None
    taken = 0
    rows = batch_rows(path, metadata, 2**15) if any(name not in longest for name in names) else 2**15
    with _dictionaries(path, metadata, [name for name in names if name in longest]) as file:
        for batch in file.iter_batches(rows, columns=names, use_threads=False):
            for column in batch.columns:
                lengths = pc.binary_length(column.dictionary) if pa.types.is_dictionary(column.type) else None
                taken += (pc.sum(lengths.take(column.indices)).as_py() or 0) if lengths is not None else column.nbytes
            if taken > most:
                return _absurd(path, size, most)
    return None


def _prefixed(metadata: pyarrow.parquet.FileMetaData) -> dict[str, int]:
    """The DELTA_BYTE_ARRAY columns, each with the largest length that a text of it can have: no text is longer than all that its
    column holds in a row group."""
    found: dict[str, int] = {}
    for k in range(metadata.num_row_groups):
        group = metadata.row_group(k)
        for chunk in (group.column(number) for number in range(group.num_columns)):
            if "DELTA_BYTE_ARRAY" in chunk.encodings:
                found[chunk.path_in_schema] = max(found.get(chunk.path_in_schema, 0), chunk.total_uncompressed_size)
    return found


def _indexed(metadata: pyarrow.parquet.FileMetaData) -> list[str]:
    """Plain columns of texts that have a dictionary in some row group."""
    groups = [metadata.row_group(k) for k in range(metadata.num_row_groups)]
    columns = [metadata.schema.column(k) for k in range(metadata.num_columns)]
    return [
        column.path
        for k, column in enumerate(columns)
        if column.physical_type == "BYTE_ARRAY"
        and column.max_repetition_level == 0
        and "." not in column.path
        and any(group.column(k).has_dictionary_page for group in groups)
    ]


def _dictionaries(path: Path, metadata: pyarrow.parquet.FileMetaData, names: list[str]) -> pyarrow.parquet.ParquetFile:
    return pyarrow.parquet.ParquetFile(
        path, metadata=metadata, read_dictionary=names, buffer_size=2**16, pre_buffer=False
    )


def _longest_texts(path: Path, metadata: pyarrow.parquet.FileMetaData, names: list[str]) -> dict[str, int]:
    """Bytes of the longest text in the dictionaries of each column."""
    if not names:
        return {}
    found = dict.fromkeys(names, 0)
    with _dictionaries(path, metadata, names) as file:
        for group in range(metadata.num_row_groups):
            if metadata.row_group(group).num_rows == 0:
                continue
            # One row brings the whole dictionary with it.
            first = next(file.iter_batches(1, row_groups=[group], columns=names, use_threads=False))
            for name, column in zip(first.schema.names, first.columns, strict=True):
                if pa.types.is_dictionary(column.type) and len(column.dictionary):
                    lengths = pc.binary_length(column.dictionary)
                    found[name] = max(found[name], pc.max(lengths).as_py() or 0)
    return found


def within(path: Path, batches: Iterable[pa.RecordBatch], most: int | None = None) -> Iterator[pa.RecordBatch]:
    """Pass the batches on; raises `TooMuch` when they exceed `most` bytes in total, or what any honest file of this size holds."""
    size, taken = os.path.getsize(path), 0
    absurd = max(FREE_DECODED_BYTES, DECODED_PER_BYTE * size)
    for batch in batches:
        taken += batch.nbytes
        if taken > absurd:
            raise TooMuch(_absurd(path, size, absurd))
        if most is not None and taken > most:
            raise _too_large(path, f"more than {gigabytes(most)}")
        yield batch


def _absurd(path: Path, size: int, most: int) -> Fault:
    return Fault(
        where=repr(str(path)),
        found=f"{gigabytes(size)} that become more than {gigabytes(most)}",
        rule=f"at most {DECODED_PER_BYTE:,} times its size above {gigabytes(FREE_DECODED_BYTES)}",
        next_step="check where it comes from; it holds the same text over and over",
    )


def refuse_what_is_too_large(path: Path, metadata: pyarrow.parquet.FileMetaData) -> None:
    """Raises `TooMuch` for a Parquet file whose numbers alone would not fit into memory."""
    widths = sum(_WIDTHS.get(metadata.schema.column(k).physical_type, 8.0) for k in range(metadata.num_columns))
    needed = int(metadata.num_rows * widths)
    if needed > whole_bytes():
        raise _too_large(path, gigabytes(needed))


def _too_large(path: Path, needed: str) -> TooMuch:
    return TooMuch(
        Fault(
            where=repr(str(path)),
            found=f"{needed} when it is read",
            rule=f"half of the memory at most, {gigabytes(whole_bytes())} here",
            next_step="give fewer rows or columns (a sample of the rows learns as much), or a machine with more memory",
        )
    )


def is_packed(path: Path) -> bool:
    """Whether Arrow and DuckDB decompress the file by themselves, which they decide by its name."""
    return path.suffix.lower() in _PACKED


def packing_of(path: Path) -> str | None:
    """The compression of a file by its first bytes, since a query may have it decompressed whatever its name is; None for none."""
    with path.open("rb") as file:
        head = file.read(4)
    return next((name for magic, name in _MAGIC.items() if head.startswith(magic)), None)


def refuse_inflated(path: Path, most: int | None = None) -> None:
    """Raises `TooMuch` for a compressed file that grows beyond `INFLATION`; decompresses it a block at a time.

    With `most` only so many bytes are decompressed: a file that is a bomb throughout shows it at its start.
    """
    size = os.path.getsize(path)
    inflated = 0
    packing = packing_of(path) or _PACKED[path.suffix.lower()]
    with path.open("rb") as raw, pa.input_stream(raw, compression=packing) as stream:
        while block := stream.read(_BLOCK):
            inflated += len(block)
            used = size if most is None else min(size, raw.tell())
            fault = _inflated_fault(repr(str(path)), inflated, used)
            if fault is not None:
                raise TooMuch(fault)
            if most is not None and inflated >= most:
                return
