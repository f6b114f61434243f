"""Detects files without content: no byte, only blank lines (also inside a compressed file), or an empty JSON list."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

_BLOCK = 2**16
_MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
_BLANK = b" \t\r\n\x00"  # NUL: half a blank in UTF-16


def why_empty(file: Path) -> str | None:
    """In which way a file is empty; None for a file with content, or one that cannot be read."""
    try:
        if not file.stat().st_size:
            return "0 bytes"
        with pa.input_stream(str(file), compression="detect") as stream:
            return _nothing_in(stream)
    except (OSError, pa.ArrowException):
        return None  # DuckDB says what is wrong with it


def without_rows(file: Path) -> str | None:
    """In which way a file has no rows: empty, only one line (a header), or Parquet without a row; None when it has rows."""
    try:
        if (why := why_empty(file)) is not None:
            return f"is empty ({why})"
        with pa.input_stream(str(file), compression="detect") as stream:
            first = stream.read(_BLOCK)
            if first[:4] == b"PAR1":
                return "has no row" if not pq.read_metadata(file).num_rows else None
            return (
                "has only its header"
                if len(first.split()) and len(first.strip().splitlines()) == 1 and len(first) < _BLOCK
                else None
            )
    except (OSError, pa.ArrowException):
        return None


def _nothing_in(stream: pa.NativeFile) -> str | None:
    held, listed = 0, b""
    while block := stream.read(_BLOCK):
        if not held:
            block = next((block[len(mark) :] for mark in _MARKS if block.startswith(mark)), block)
        held += len(block)
        listed += block.translate(None, _BLANK)
        if listed not in (b"", b"[", b"[]"):
            return None
    if listed:
        return "an empty list" if listed == b"[]" else None
    return "only blank lines" if held else "0 bytes"
