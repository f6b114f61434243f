"""When the registry last confirmed a champion: written by `serving sync`, read by the API, which never asks the registry.

One small file per model, beside its pointer. A registry that is away, slow or wrong stops nobody, and still shows in
readiness and in a metric of its age.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import msgspec

from features.kit import atomic_files
from features.kit.clock import system_now
from models import champion_pointer

NAME = "registry.json"


class Confirmed(msgspec.Struct, frozen=True, kw_only=True):
    """Result of the last looks at the registry."""

    at: str | None = None
    """ISO time of the last look that found the pointer right or put it right."""
    failed: str | None = None
    """Why the newest look failed; None when it did not."""

    def age_seconds(self, promoted_at: str | None, now: dt.datetime) -> float | None:
        """Seconds since the registry last agreed, by `sync` or by the promotion itself; None when never.

        >>> noon = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)
        >>> Confirmed(at="2026-01-01T11:00:00+00:00").age_seconds("2026-01-01T10:00:00+00:00", noon)
        3600.0
        """
        known = [dt.datetime.fromisoformat(at) for at in (self.at, promoted_at) if at]
        return max(0.0, (now - max(known)).total_seconds()) if known else None


def read(home: Path, model: str) -> Confirmed:
    """Returns the note of a model; an empty one when it is missing or unreadable. It only informs."""
    try:
        return msgspec.json.decode((champion_pointer.folder(home, model) / NAME).read_bytes(), type=Confirmed)
    except (OSError, msgspec.MsgspecError):
        return Confirmed()


def note(home: Path, model: str, failed: str | None = None) -> None:
    """Writes the result of a look; after a failure the time of the last success stays."""
    at = read(home, model).at if failed else system_now().isoformat(timespec="seconds")
    atomic_files.write_bytes(
        champion_pointer.folder(home, model) / NAME, msgspec.json.encode(Confirmed(at=at, failed=failed))
    )
