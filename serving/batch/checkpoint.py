"""Checkpoint of an unfinished run: its plan, what is done, and how it goes on after a stop.

OUT/.work/<run id>/ holds `plan.json`, the signals, and one file per chunk of scores, each whole or absent. A run goes
on with the first missing chunk. When none is missing, `run.json` is written and the folder becomes OUT/<run id>.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from features.kit import atomic_files
from features.kit.errors import UserMistake
from serving.manifest import RUN, is_whole

FORMAT = 3
"""Format of the published rows. 2: causes of a change were called signals, and guessed."""
_OLD, _PROFILES = "old", "profiles"


@dataclass(frozen=True)
class Plan:
    """The identity of a run: equal plans are the same run."""

    source: str
    source_fingerprint: str
    as_of: str
    scorers: dict[str, str]
    """Model -> sha256 of its scorer."""
    reasons: int
    objections: int
    """Generation of the objections to scoring."""
    previous: str | None
    """The run that it is compared with; not part of the identity."""

    @property
    def run_id(self) -> str:
        """Hash of data, moment and scorers: 16 hexadecimal digits."""
        same = {**asdict(self), "previous": None, "format": FORMAT}
        return hashlib.sha256(json.dumps(same, sort_keys=True).encode()).hexdigest()[:16]


class Work:
    """Folder of an unfinished run. Use under `only_one`."""

    def __init__(self, out: Path, plan: Plan) -> None:
        self.out, self.plan, self.run_id = out, plan, plan.run_id
        self._folder = out / ".work" / self.run_id

    @classmethod
    def open(cls, out: Path, plan: Plan, restart: bool = False) -> Work:
        """Begins a run or goes on with it. Raises `UserMistake` when an unfinished run for the same moment has other
        data, scorers or another previous run, unless `restart` deletes it.

        Raises `UserMistake` when a run for the same moment was begun on other data, by other scorers, or beside another
        previous run, unless `restart` throws it away.
        """
        work = cls(out, plan)
        for other in sorted((out / ".work").glob("*")):
            found = _read_plan(other)
            if found is None or restart:
                shutil.rmtree(other)
            elif found["as_of"] == plan.as_of and found != asdict(plan):
                raise UserMistake(
                    f"a run as of {plan.as_of} was begun and not finished, and since then {_difference(found, plan)} changed: "
                    f"it cannot go on with that. Put it back, or throw the unfinished run away with --restart"
                )
        if not work._folder.is_dir():
            atomic_files.write_text(work._folder / "plan.json", json.dumps(asdict(plan), sort_keys=True), locked=True)
        return work

    def signals(self, entity: str) -> pq.ParquetFile | None:
        """Panel of an entity kind, one row group per chunk; None when it is not built yet."""
        path = self._folder / "signals" / f"{entity}.parquet"
        return pq.ParquetFile(path) if path.is_file() else None

    def keep_signals(self, entity: str, parts: Iterable[pa.Table]) -> None:
        """Writes a panel, one row group per part: the chunks that are scored."""
        atomic_files.write_parquet(self._folder / "signals" / f"{entity}.parquet", parts, locked=True)

    def old_rows(self, name: str) -> Path | None:
        """A stored panel of old rows (`serving.batch.old_rows`); None when there is none."""
        path = self._old(name)
        return path if path.is_file() else None

    def keep_old_rows(self, name: str, parts: Iterable[pa.Table]) -> None:
        atomic_files.write_parquet(self._old(name), parts, locked=True)

    def profile(self, entity: str, number: int) -> pa.Table:
        """The stored profiles of a chunk of an entity kind."""
        return pq.ParquetFile(self._profiles(entity)).read_row_group(number)

    def has_profiles(self, entity: str) -> bool:
        return self._profiles(entity).is_file()

    def keep_profiles(self, entity: str, parts: Iterable[pa.Table]) -> None:
        """Writes profiles in the chunks of the panel. They go into the store and are not published."""
        atomic_files.write_parquet(self._profiles(entity), parts, locked=True)

    def _profiles(self, entity: str) -> Path:
        return self._folder / _PROFILES / f"{entity}.parquet"

    def _old(self, name: str) -> Path:
        return self._folder / _OLD / f"{name}.parquet"

    def has_part(self, model: str, number: int) -> bool:
        return self._part(model, number).is_file()

    def keep_part(self, model: str, number: int, rows: pa.Table) -> None:
        atomic_files.write_parquet(self._part(model, number), [rows], locked=True)

    def _part(self, model: str, number: int) -> Path:
        return self._folder / model / f"part-{number:05}.parquet"

    def finish(self, described: dict[str, Any]) -> None:
        """Writes the run's manifest and moves the run into OUT under its id."""
        for name in (_OLD, _PROFILES):  # every chunk is there: neither is needed any longer
            shutil.rmtree(self._folder / name, ignore_errors=True)
        manifest = {"format": FORMAT, "run_id": self.run_id, **described}
        for model, about in manifest["models"].items():
            about["files"] = [self._about(path) for path in sorted((self._folder / model).glob("part-*.parquet"))]
            about["rows"] = sum(file["rows"] for file in about["files"])
        entities = sorted((self._folder / "signals").glob("*.parquet"))
        manifest["signals"] = {path.stem: self._about(path) for path in entities}
        atomic_files.write_text(self._folder / RUN, json.dumps(manifest, indent=2, sort_keys=True) + "\n", locked=True)
        final = self.out / self.run_id
        if final.exists():  # a run of this id is there only when it is damaged
            assert not is_whole(self.out, self.run_id)
            shutil.rmtree(final)
        atomic_files.move(self._folder, final)

    def _about(self, path: Path) -> dict[str, Any]:
        return {
            "file": f"{self.run_id}/{path.relative_to(self._folder)}",
            "sha256": atomic_files.sha256(path),
            "rows": pq.read_metadata(path).num_rows,
        }


def forget_unfinished(out: Path) -> None:
    """Deletes unfinished runs of other moments; called when a newer run was published."""
    shutil.rmtree(out / ".work", ignore_errors=True)


def _read_plan(folder: Path) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = json.loads((folder / "plan.json").read_text())
    except (OSError, ValueError):
        return None
    return found


def _difference(found: dict[str, Any], plan: Plan) -> str:
    names = {
        "source": "the source",
        "source_fingerprint": "the data",
        "scorers": "the champion",
        "reasons": "--reasons",
        "objections": "who objects to being scored",
        "previous": "the published run",
    }
    now = asdict(plan)
    return " and ".join(text for key, text in names.items() if found.get(key) != now[key]) or "the program"
