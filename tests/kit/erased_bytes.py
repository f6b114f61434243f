"""Looks for a text in every file of a home, inside Parquet, gzip and zip too."""

from __future__ import annotations

import gzip
import zipfile
from pathlib import Path

import pyarrow.parquet as pq


def holding(home: Path, text: str) -> set[str]:
    """Files of a home in which a text stands, below the home: Parquet by column, gzip and zip unpacked. Copies of our own program,
    which MLflow keeps with a model, are not looked into."""
    found = set()
    for path in (p for p in home.rglob("*") if p.is_file() and "code" not in p.parts):
        parts = [path.read_bytes()]
        if parts[0][:2] == b"\x1f\x8b":
            parts.append(gzip.decompress(parts[0]))
        if path.suffix == ".parquet":
            parts += [repr(column.to_pylist()).encode() for column in pq.read_table(path).columns]
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as packed:
                parts += [packed.read(name) for name in packed.namelist()]
        if any(text.encode() in part for part in parts):
            found.add(str(path.relative_to(home)))
    return found


def kinds(found: set[str]) -> set[str]:
    """The files by what they are."""
    return {"store.db" if name.startswith("store.db") else name.split("/")[0] for name in found}
