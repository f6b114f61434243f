"""What is done where there is no store (training promotes), kept in the home until serving takes it into its audit log.

One file for each event, written atomically: `ACCOUNTSCORE_HOME/audit_spool/ID.json`. The id is made of what the event is,
so that a promotion that was begun by one command and completed by another is one event. `serving.audit_log.spool` takes
each in once and deletes its file. Until then the file is as safe as the home is: it is not in the chain yet.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from features.kit import atomic_files
from features.kit.clock import system_us
from features.kit.os_user import os_user

FOLDER = "audit_spool"
PROMOTION, ROLLBACK = "promotion", "rollback"


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was done."""

    id: str
    at: int
    """Microseconds since 1970, the system's time."""
    action: str
    """A word of the audit log, such as `PROMOTION`."""
    actor_kind: str
    actor_id: str
    """Of a command its name, such as `training promote`."""
    actor_name: str
    """Of a command the user of the operating system."""
    object_kind: str
    object_id: str | None
    before: dict[str, Any] | None
    after: dict[str, Any] | None


def command(name: str) -> tuple[str, str, str]:
    """The actor of a command: kind, id and name."""
    return "system", name, os_user()


def put(
    home: Path,
    action: str,
    by: tuple[str, str, str],
    of: tuple[str, str | None],
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any] | None,
    step: int,
) -> Path:
    """Keep an event, durably, and return its file. An event that is kept already stays as it is.

    `by` is the actor's kind, id and name, `of` the kind and the id of the object. `step` tells two events of the same content apart, and is the same when
    the same step is taken up again.
    """
    told = msgspec.json.encode([of, before, after, step], order="deterministic")
    event = Event(
        id=hashlib.sha256(told).hexdigest()[:32],
        at=system_us(),
        action=action,
        actor_kind=by[0],
        actor_id=by[1],
        actor_name=by[2],
        object_kind=of[0],
        object_id=of[1],
        before=None if before is None else dict(before),
        after=None if after is None else dict(after),
    )
    path = home / FOLDER / f"{event.id}.json"
    if not path.exists():
        atomic_files.write_bytes(path, msgspec.json.format(msgspec.json.encode(event)))
    return path


def waiting(home: Path) -> Iterator[tuple[Path, Event | None]]:
    """The events that were not taken into the store, the oldest first; None for a file that cannot be read."""
    found: list[tuple[Path, Event | None]] = []
    for path in (home / FOLDER).glob("*.json"):
        try:
            found.append((path, msgspec.json.decode(path.read_bytes(), type=Event)))
        except FileNotFoundError:  # another process has just taken it in
            continue
        except (OSError, msgspec.DecodeError):
            found.append((path, None))
    yield from sorted(found, key=lambda each: (each[1].at if each[1] else 0, each[0].name))
