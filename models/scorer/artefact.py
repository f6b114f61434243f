"""A scorer's directory: allowed names, sizes, checksums. Anything else in it, or missing from it, is refused."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from features.kit import atomic_files
from features.kit.errors import UserMistake
from models.scorer.artefact_schema import FORMAT, READABLE, FileEntry, Manifest, Numbered

MANIFEST = "MANIFEST.json"
REQUIRED = ("scorer.json", "linear.json", "golden.json")
OPTIONAL = ("booster.txt", "tables.npz")
"""The trees and their reason tables: both or neither."""
BESIDE = ("MLmodel", "conda.yaml", "python_env.yaml", "requirements.txt", "registered_model_meta")
"""Files that MLflow adds when it downloads a scorer; never read here."""
MOST_BYTES = 256 * 2**20


class ScorerRefused(UserMistake):
    """Raised when a scorer's directory must not be used; the message says what is wrong with it and what to do."""

    def __init__(
        self, directory: Path, why: str, next_step: str = "copy it again from where it was written, or learn it anew"
    ) -> None:
        super().__init__(f"scorer {str(directory)!r} refused: {why}; {next_step}")
        self.why = why


def digest(data: bytes) -> str:
    """The sha256 in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def write_files(directory: Path, files: Mapping[str, bytes]) -> str:
    """Write the files and their manifest into a new folder, whole or not there, and return the scorer's sha256.

    The manifest's format is that of scorer.json, so that a copy of a scorer is the same scorer. Raises `FileExistsError`
    when the folder is there.
    """
    number = msgspec.json.decode(files["scorer.json"], type=Numbered).format
    if directory.exists():
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(directory))
    entries = {name: FileEntry(sha256=digest(data), bytes=len(data)) for name, data in sorted(files.items())}
    manifest = msgspec.json.format(msgspec.json.encode(Manifest(format=number, files=entries)))
    with atomic_files.writing_folder(directory) as partial:
        for name, data in (*files.items(), (MANIFEST, manifest)):
            (partial / name).write_bytes(data)
    return digest(manifest)


def read_files(directory: Path) -> tuple[dict[str, bytes], str]:
    """The verified files of a scorer and its sha256.

    Raises `ScorerRefused` for a missing, additional, linked, oversized, truncated or changed file, and for a format that
    this version does not read.
    """
    if not directory.is_dir():
        raise ScorerRefused(directory, "there is no such folder")
    raw = _read(directory, MANIFEST)
    try:
        manifest = msgspec.json.decode(raw, type=Manifest)
    except msgspec.MsgspecError as error:
        raise ScorerRefused(directory, f"{MANIFEST} is not a manifest: {error}") from None
    if manifest.format not in READABLE:
        raise ScorerRefused(
            directory,
            f"its format is {manifest.format}, this version reads {', '.join(map(str, READABLE))}",
            "learn it anew" if manifest.format < FORMAT else "use the newer version that wrote it, or learn it anew",
        )
    allowed = {*REQUIRED, *OPTIONAL}
    for name in manifest.files:
        if name not in allowed:
            raise ScorerRefused(directory, f"the manifest names {name!r}, which is not a file of a scorer")
    for name in REQUIRED:
        if name not in manifest.files:
            raise ScorerRefused(directory, f"the manifest lacks {name}")
    if ("booster.txt" in manifest.files) != ("tables.npz" in manifest.files):
        raise ScorerRefused(directory, "trees and their reason tables come together")
    for path in sorted(directory.iterdir()):
        if path.name not in (*manifest.files, MANIFEST, *BESIDE):
            raise ScorerRefused(directory, f"{path.name!r} does not belong to it")
    files = {}
    for name, entry in manifest.files.items():
        data = _read(directory, name)
        if len(data) != entry.bytes:
            raise ScorerRefused(directory, f"{name} has {len(data)} bytes, the manifest says {entry.bytes}")
        if digest(data) != entry.sha256:
            raise ScorerRefused(directory, f"{name} is not the file that was written: its sha256 differs")
        files[name] = data
    return files, digest(raw)


def _read(directory: Path, name: str) -> bytes:
    path = directory / name
    if path.is_symlink() or not path.is_file():
        raise ScorerRefused(directory, f"{name} is missing or not a plain file")
    if path.stat().st_size > MOST_BYTES:
        raise ScorerRefused(directory, f"{name} is larger than {MOST_BYTES // 2**20} MiB")
    return path.read_bytes()
