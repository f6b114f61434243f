"""The bytes of what was published."""

from __future__ import annotations

import hashlib
from pathlib import Path

from features.kit import atomic_files
from serving.manifest import files_of, read_manifest


def bytes_of(out: Path) -> dict[str, str]:
    """sha256 of every published file, read from the disk."""
    return {file["file"]: atomic_files.sha256(out / file["file"]) for file in files_of(read_manifest(out))}


def bytes_of_folder(folder: Path) -> dict[str, str]:
    files = [f for f in folder.rglob("*") if f.is_file() and f.name != ".lock"]
    return {str(f.relative_to(folder)): hashlib.sha256(f.read_bytes()).hexdigest() for f in files}
