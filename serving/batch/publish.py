"""Publishing a run: readers follow `manifest.json`, which is replaced in one step, last."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from features.errors import UserMistake

MANIFEST = "manifest.json"


class Publication:
    """A run's files under OUT/.partial-<run id>, moved to OUT/<run id> when they are whole. Use as a context manager."""

    def __init__(self, out: Path, run_id: str) -> None:
        self.out, self.run_id = out.resolve(), run_id
        self._partial = self.out / f".partial-{run_id}"
        self._files: dict[str, str] = {}

    def __enter__(self) -> Publication:
        if self.out.exists() and not self.out.is_dir():
            raise UserMistake(f"{str(self.out)!r} is a file: give a folder with --out")
        self.out.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(self._partial, ignore_errors=True)
        self._partial.mkdir()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        shutil.rmtree(self._partial, ignore_errors=True)

    @contextmanager
    def table(self, model: str) -> Iterator[Callable[[pa.Table], None]]:
        """A function that appends rows to the model's file."""
        path = self._partial / model / "scores.parquet"
        path.parent.mkdir(parents=True)
        writer: pq.ParquetWriter | None = None

        def write(rows: pa.Table) -> None:
            nonlocal writer
            if writer is None:
                writer = pq.ParquetWriter(path, rows.schema, compression="zstd", version="2.6")
            writer.write_table(rows, row_group_size=max(1, rows.num_rows))

        try:
            yield write
        finally:
            if writer is not None:
                writer.close()
        if writer is not None:
            _sync(path)
            self._files[model] = str(path.relative_to(self._partial))

    def publish(self, manifest: dict[str, Any]) -> Path:
        """Make the run the published one; returns the path of the manifest."""
        for model, file in self._files.items():
            described = manifest["models"][model]
            described["file"] = f"{self.run_id}/{file}"
            described["sha256"] = _sha256(self._partial / file)
        self._put_in_place(manifest)
        before = _published(self.out)
        path = self.out / MANIFEST
        partial = self.out / f".{MANIFEST}.partial"
        partial.write_text(json.dumps(manifest, indent=2, sort_keys=True) + "\n")
        _sync(partial)
        partial.replace(path)
        _sync(self.out)
        if before != self.run_id:
            self._sweep({self.run_id, before})
        return path

    def _put_in_place(self, manifest: dict[str, Any]) -> None:
        final = self.out / self.run_id
        if final.exists():
            described = manifest["models"].values()
            if all(
                (self.out / m["file"]).is_file() and _sha256(self.out / m["file"]) == m["sha256"] for m in described
            ):
                return  # the same run again, and a reader may have its files open: they stay
            final.rename(self.out / f".partial-{self.run_id}-damaged")
            shutil.rmtree(self.out / f".partial-{self.run_id}-damaged")
        for folder in sorted((self._partial, *(p for p in self._partial.rglob("*") if p.is_dir())), reverse=True):
            _sync(folder)
        self._partial.rename(final)
        _sync(self.out)

    def _sweep(self, kept: set[str | None]) -> None:
        """Takes away old runs, but the one before, which a reader may have open. Nothing else in OUT is touched: runs are
        folders whose name is a run id."""
        for folder in self.out.iterdir():
            is_run = folder.is_dir() and len(folder.name) == 16 and not set(folder.name) - set("0123456789abcdef")
            if is_run and folder.name not in kept:
                shutil.rmtree(folder, ignore_errors=True)


def read_manifest(out: Path) -> dict[str, Any]:
    """The published run of a folder; raises `UserMistake` when there is none."""
    try:
        manifest: dict[str, Any] = json.loads((out / MANIFEST).read_text())
    except FileNotFoundError:
        raise UserMistake(
            f"no {MANIFEST} in {str(out)!r}: no run was published there; run python -m serving batch --out {out}"
        ) from None
    return manifest


def _published(out: Path) -> str | None:
    try:
        return str(read_manifest(out)["run_id"])
    except (UserMistake, ValueError, KeyError):
        return None


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    """A rename is durable only when the file and its folder were synced."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
