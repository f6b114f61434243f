"""The champion pointer: one small file per model that names the live scorer, replaced atomically under a lock.

Reading it needs no registry. A copy is kept beside it, so that the API starts even when the pointer is damaged.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from features.kit import atomic_files
from features.kit.clock import system_now
from features.kit.errors import UserMistake
from features.kit.file_lock import file_lock
from models import audit_spool
from models.catalog import get_model
from models.scorer import artefact
from models.scorer.scorer import Scorer
from models.scorer.verdict import require_not_refused

NAME = "champion.json"
COPY = "champion.copy.json"
LOCK_SECONDS = 120.0
"""How long a second promotion waits. One promotion takes a few seconds: it loads and verifies one scorer."""


class _Entry(msgspec.Struct, frozen=True, kw_only=True):
    model: str
    version: int | None
    sha256: str
    path: str
    """Relative to the pointer's folder, so that a home can be moved."""
    promoted_at: str
    previous: dict[str, object] | None = None


@dataclass(frozen=True)
class Pointer:
    """What `champion.json` says; `path` is absolute."""

    model: str
    version: int | None
    sha256: str
    path: Path
    promoted_at: str
    previous_version: int | None = None
    previous_path: Path | None = None


def folder(home: Path, model: str) -> Path:
    """The folder of a model's pointer and of every scorer that was live; raises `UnknownModel`."""
    return home / "champions" / get_model(model).name


def read_pointer(home: Path, model: str) -> Pointer | None:
    """The pointer of a model, None when nothing was ever promoted. Raises `ValueError` when the file is damaged."""
    return _read(folder(home, model), NAME)


def read_copy(home: Path, model: str) -> Pointer | None:
    """The copy of a model's pointer, for when the pointer is damaged; None when the copy is missing or damaged too."""
    try:
        return _read(folder(home, model), COPY)
    except (OSError, ValueError):
        return None


def _read(where: Path, name: str) -> Pointer | None:
    try:
        raw = (where / name).read_bytes()
    except FileNotFoundError:
        return None
    entry = msgspec.json.decode(raw, type=_Entry)
    if "/" in entry.path or entry.path in ("", ".", ".."):
        raise ValueError(f"{name} points to {entry.path!r}, which is not a folder beside it")
    before = entry.previous or {}
    old = before.get("path")
    version = before.get("version")
    return Pointer(
        entry.model,
        entry.version,
        entry.sha256,
        where / entry.path,
        entry.promoted_at,
        version if isinstance(version, int) else None,
        where / old if isinstance(old, str) and "/" not in old else None,
    )


@contextmanager
def locked(home: Path, model: str) -> Iterator[None]:
    """Hold the promotion lock of a model; a second promotion waits. Raises `UserMistake` after `LOCK_SECONDS`."""
    busy = UserMistake(
        f"another process has been promoting {model} for {LOCK_SECONDS:g} s: let it end, and run this again"
    )
    with file_lock(folder(home, model) / ".lock", LOCK_SECONDS, busy):
        yield


def put_live(
    home: Path,
    model: str,
    scorer: Path,
    version: int | None,
    *,
    action: str = audit_spool.PROMOTION,
    command: str = "training promote",
) -> Pointer:
    """Copy a verified scorer beside the pointer and point to it; readers see the old one or the new one.

    `action` and `command` are for the audit log (`models.audit_spool`). Its event is kept before the pointer is
    replaced, so that no change is without one; what is killed between the two is completed by `serving sync`, which is
    the same event. Putting live what is live is no event.

    Call it under `locked`. Raises `ScorerRefused` when the scorer does not verify, `NotForUse` when its own verdict is
    against it, and changes nothing then.
    """
    where = folder(home, model)
    where.mkdir(parents=True, exist_ok=True)
    loaded = Scorer.load(scorer)
    if loaded.spec.model != get_model(model).name:
        raise artefact.ScorerRefused(scorer, f"it is a scorer of {loaded.spec.model!r}, not of {model!r}")
    require_not_refused(loaded.spec, f"version {version} of {loaded.spec.model}")
    name = loaded.sha256[:16]
    target = where / name
    if not target.is_dir():
        files, _ = artefact.read_files(scorer)
        artefact.write_files(target, files)
    try:
        present = read_pointer(home, model)
    except ValueError:
        present = read_copy(home, model)  # a damaged pointer is replaced
    previous: dict[str, object] | None = None
    if present is not None and present.sha256 != loaded.sha256:
        previous = {"version": present.version, "sha256": present.sha256, "path": present.path.name}
    elif present is not None and present.previous_path is not None:
        previous = {"version": present.previous_version, "path": present.previous_path.name}
    now = system_now().isoformat(timespec="seconds")
    entry = _Entry(
        model=loaded.spec.model, version=version, sha256=loaded.sha256, path=name, promoted_at=now, previous=previous
    )
    content = msgspec.json.format(msgspec.json.encode(entry))
    event = None
    if present is None or (present.sha256, present.version) != (loaded.sha256, version):
        before = None if present is None else {"version": present.version, "scorer": present.sha256}
        after = {"version": version, "scorer": loaded.sha256}
        # The pointer's own time: there and back again are events of their own, a step that was cut short is one.
        step = (where / NAME).stat().st_mtime_ns if (where / NAME).exists() else 0
        event = audit_spool.put(home, action, audit_spool.command(command), ("model", entry.model), before, after, step)
    try:
        atomic_files.write_bytes(where / NAME, content)
    except BaseException:
        if event is not None:  # the pointer is as it was
            event.unlink(missing_ok=True)
        raise
    atomic_files.write_bytes(where / COPY, content)  # second: it never names a scorer that was not put live
    found = read_pointer(home, model)
    assert found is not None
    return found


def kept(home: Path, model: str, sha256: str) -> Path | None:
    """The folder of a scorer that was live once, None when it is not there any more.

    Scorers stay where they were put live: records of their scores are replayed and explained with them.
    """
    path = folder(home, model) / sha256[:16]
    return path if len(sha256) == 64 and path.is_dir() else None
