"""Published runs: readers follow `manifest.json`, which is written last and replaced in one step."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from features.kit import atomic_files
from features.kit.clock import now, parse_as_of
from features.kit.errors import UserMistake
from features.kit.file_lock import file_lock
from features.kit.writable import require_writable
from models.catalog import get_model
from serving.errors import BatchBusy

MANIFEST = "manifest.json"
RUN = "run.json"
"""A run's own manifest, in its folder: it is there when the run is whole."""
IsErased = Callable[[str, str], bool]
"""Whether an entity (account, lead) of this id was erased."""


@contextmanager
def only_one(out: Path) -> Iterator[None]:
    """One run at a time per OUT. Raises `BatchBusy`, `UserMistake` when OUT is a file."""
    if out.exists() and not out.is_dir():
        raise UserMistake(f"{str(out)!r} is a file: give a folder with --out")
    require_writable(out, "give --out a folder that can be written; nothing was published")
    busy = BatchBusy(f"another run is going on in {str(out)!r}: wait for it, or give another --out")
    with file_lock(out / ".lock", 0, busy):
        yield


def publish(out: Path, run_id: str) -> Path:
    """Publishes a whole run in `out` and deletes older ones. The run before stays: a reader may have it open."""
    before = published(out)
    atomic_files.write_text(out / MANIFEST, (out / run_id / RUN).read_text(), locked=True)
    if before is None or before["run_id"] != run_id:
        _sweep(out, {run_id, before["run_id"] if before else None})
    return out / MANIFEST


def delete_runs_with(out: Path, is_erased: IsErased) -> list[str]:
    """Deletes every run but the published one that holds an erased entity; returns their ids.

    A reader that has a file open can read it to its end."""
    current = published(out)
    found = []
    for folder in sorted(run for run in _runs(out) if current is None or run.name != current["run_id"]):
        ids = ((path.stem, pq.read_table(path, columns=["entity_id"])) for path in folder.glob("signals/*.parquet"))
        if any(is_erased(entity, name) for entity, rows in ids for name in rows["entity_id"].to_pylist()):
            shutil.rmtree(folder)
            found.append(folder.name)
    return found


def rewrite_without(out: Path, is_erased: IsErased) -> None:
    """Removes erased entities from everything in OUT: rewrites the published run without them, and deletes other runs
    that hold them and what is kept for the next run. Use under `only_one`.

    If it is killed halfway, the published run is not whole, and the next batch makes it again."""
    delete_runs_with(out, is_erased)
    manifest = published(out)
    if manifest is not None and any([_filter(out, about, is_erased) for about in _by_entity(manifest)]):
        for model in manifest["models"].values():
            model["rows"] = sum(file["rows"] for file in model["files"])
        text = json.dumps(manifest, indent=2, sort_keys=True) + "\n"
        atomic_files.write_text(out / manifest["run_id"] / RUN, text, locked=True)
        atomic_files.write_text(out / MANIFEST, text, locked=True)
    # An unfinished run cannot go on after an erasure, and the carried state belongs to the source before it.
    for left in (out / ".work", *(folder for folder in (out / ".carried").glob("*") if folder.is_dir())):
        shutil.rmtree(left, ignore_errors=True)


def _by_entity(manifest: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, model in manifest["models"].items():
        yield from ((get_model(name).entity, file) for file in model["files"])
    yield from manifest["signals"].items()


def _filter(out: Path, about: tuple[str, dict[str, Any]], is_erased: IsErased) -> bool:
    """Rewrites a file without erased entities and updates its description; returns False when it held none."""
    entity, file = about
    path = out / file["file"]
    with pq.ParquetFile(path) as old:
        groups = [old.read_row_group(number) for number in range(old.num_row_groups)]
        schema = old.schema_arrow
    kept = [
        g.filter(pa.array([not is_erased(entity, n) for n in g["entity_id"].to_pylist()], pa.bool_())) for g in groups
    ]
    left = sum(group.num_rows for group in kept)
    if left == sum(group.num_rows for group in groups):
        return False
    atomic_files.write_parquet(path, [group for group in kept if group.num_rows] or [schema.empty_table()], locked=True)
    file.update(sha256=atomic_files.sha256(path), rows=left)
    return True


def read_manifest(out: Path) -> dict[str, Any]:
    """Returns the manifest of the published run; raises `UserMistake` when there is none."""
    try:
        manifest: dict[str, Any] = json.loads((out / MANIFEST).read_text())
    except (FileNotFoundError, NotADirectoryError):
        raise UserMistake(
            f"no {MANIFEST} in {str(out)!r}: no run was published there; run python -m serving batch --out {out}"
        ) from None
    return manifest


def seen(manifest: dict[str, Any], out: Path) -> dict[str, Any]:
    """Returns the manifest; raises `UserMistake` when its run is for a moment after the clock, which nobody can know
    yet.
    """
    limit = now()
    if parse_as_of(manifest["as_of"]) > limit:
        raise UserMistake(
            f"the run in {str(out)!r} is as of {manifest['as_of']}, after the clock ({limit:%Y-%m-%dT%H:%M:%SZ}): run python -m serving "
            f"batch --as-of {limit:%Y-%m-%d} --out {out}, which takes its place"
        )
    return manifest


def published(out: Path) -> dict[str, Any] | None:
    """The published run's manifest, None when there is none."""
    try:
        return read_manifest(out)
    except (UserMistake, ValueError):
        return None


def run_of(out: Path, run_id: str) -> dict[str, Any] | None:
    """Returns a run's own manifest; None when the run is not in `out`."""
    try:
        found: dict[str, Any] = json.loads((out / run_id / RUN).read_text())
    except (OSError, ValueError):
        return None
    return found


def is_whole(out: Path, run_id: str) -> bool:
    """Whether a run is in `out` with all its files as they were written."""
    try:
        manifest = json.loads((out / run_id / RUN).read_text())
        return all(atomic_files.sha256(out / file["file"]) == file["sha256"] for file in files_of(manifest))
    except (OSError, ValueError, KeyError):
        return False


def files_of(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    """Every data file of a run: `file` (below OUT), `sha256`, `rows`."""
    return [
        *(file for model in manifest["models"].values() for file in model["files"]),
        *manifest["signals"].values(),
    ]


def read_scores(out: Path, model: str, columns: Sequence[str] | None = None) -> pa.Table:
    """The published scores of a model. Raises `UserMistake` when nothing was published there, or not by this model."""
    return scores_of(out, read_manifest(out), model, columns)


def scores_of(out: Path, manifest: dict[str, Any], model: str, columns: Sequence[str] | None = None) -> pa.Table:
    """The scores of a model in one run."""
    return pa.concat_tables(parts_of(out, manifest, model, columns))


def parts_of(
    out: Path, manifest: dict[str, Any], model: str, columns: Sequence[str] | None = None
) -> Iterator[pa.Table]:
    """The scores of a model part by part, for runs larger than memory."""
    described = manifest["models"].get(model)
    if described is None:
        raise UserMistake(f"the run in {str(out)!r} has no scores of {model!r}: it has {', '.join(manifest['models'])}")
    wanted = list(columns) if columns is not None else None
    for file in described["files"]:
        yield pq.read_table(out / file["file"], columns=wanted)


def _sweep(out: Path, kept: set[str | None]) -> None:
    """Deletes runs that are not in `kept`; runs are folders named by a run id, nothing else is touched."""
    for folder in _runs(out):
        if folder.name not in kept:
            shutil.rmtree(folder, ignore_errors=True)


def _runs(out: Path) -> list[Path]:
    return [f for f in out.iterdir() if f.is_dir() and len(f.name) == 16 and not set(f.name) - set("0123456789abcdef")]
