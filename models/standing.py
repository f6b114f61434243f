"""How the versions of a model stand: `runs/MODEL/standing.json` in the home, what people are shown of the registry.

The API reads no registry. Whoever changes it (`fit`, `promote`, `rollback`, `sync`) writes down which version is champion, challenger
or previous, what its gates said, and what was done with it: by whom, when, and why not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Protocol

from msgspec import Meta, Struct, to_builtins

from features.kit.clock import iso, system_now
from features.kit.errors import UserMistake
from features.kit.file_lock import file_lock
from features.kit.os_user import os_user
from models import card_file

NAME = "standing.json"
MEND = "python -m serving sync writes it anew"
MOST_EVENTS = 200
"""Older events are dropped."""
LOCK_SECONDS = 30.0
PROMOTED, ROLLED_BACK, SYNCED, REFUSED = "promoted", "rolled_back", "synced", "refused"


class Registered(Protocol):
    """A version of the registry, as `models.registry.Version`."""

    @property
    def version(self) -> int: ...
    @property
    def aliases(self) -> tuple[str, ...]: ...
    @property
    def tags(self) -> Mapping[str, str] | None: ...


class VersionStanding(Struct, frozen=True, kw_only=True):
    """One version, as the registry has it."""

    version: int
    aliases: list[str] = []
    """champion, challenger, previous."""
    gates: str | None = None
    """"passed", or which failed."""
    verdict: str | None = None
    promotion: str | None = None
    """What came of its newest promotion."""


class StandingEvent(Struct, frozen=True, kw_only=True):
    """Something that was done with a version."""

    at: Annotated[str, Meta(description="when, UTC", examples=["2026-11-23T06:00:00Z"])]
    action: Annotated[str, Meta(description="promoted, rolled_back, synced or refused", examples=["promoted"])]
    version: Annotated[int, Meta(description="the version that it was done with", examples=[7])]
    by: Annotated[str, Meta(description="who ran the command: the name of the system's user", examples=["nightly"])] = (
        ""
    )
    instead_of: Annotated[int | None, Meta(description="the champion before; null: there was none", examples=[6])] = (
        None
    )
    why: Annotated[
        str | None, Meta(description="why it was refused; null: it was not", examples=["failed: calibration"])
    ] = None


class Standing(Struct, frozen=True, kw_only=True):
    """`standing.json`."""

    versions: list[VersionStanding] = []
    """The newest first."""
    events: list[StandingEvent] = []
    """The newest first."""

    def of(self, version: int) -> VersionStanding | None:
        return next((each for each in self.versions if each.version == version), None)

    def put_live(self, version: int) -> StandingEvent | None:
        """The event that made a version champion last, None when nobody wrote it down."""
        live = (PROMOTED, ROLLED_BACK, SYNCED)
        return next((e for e in self.events if e.version == version and e.action in live), None)

    def refusals(self, version: int | None = None) -> list[StandingEvent]:
        """Refused promotions, of all versions or of one, the newest first."""
        return [e for e in self.events if e.action == REFUSED and version in (None, e.version)]


def place(home: Path, model: str) -> Path:
    return home / "runs" / model / NAME


def read(home: Path, model: str) -> Standing | None:
    """None when nobody wrote one. Raises `card_file.Unreadable`."""
    return card_file.read(place(home, model), Standing, MEND)


def event(action: str, version: int, instead_of: int | None = None, why: str | None = None) -> StandingEvent:
    """An event of now, by the user of this process."""
    now = iso(system_now().replace(microsecond=0))
    return StandingEvent(at=now, action=action, version=version, by=os_user(), instead_of=instead_of, why=why)


def note(home: Path, model: str, versions: Iterable[Registered], happened: StandingEvent | None = None) -> None:
    """Write how the versions stand now, and what happened; a file that says the same already is left alone.

    A broken file is replaced. One of a newer version is left alone. Raises `OSError`, and `UserMistake` when another process has
    been writing it for half a minute.
    """
    path = place(home, model)
    busy = UserMistake(f"another process has been writing {card_file.shown(path)} for {LOCK_SECONDS:g} s")
    with file_lock(path.with_name(f".{NAME}.lock"), LOCK_SECONDS, busy):
        try:
            before = read(home, model)
        except card_file.Newer:
            return
        except card_file.Unreadable:
            before = None
        events = [*([happened] if happened else []), *(before.events if before else [])][:MOST_EVENTS]
        now = Standing(versions=[_of(version) for version in versions], events=events)
        if now != before:
            card_file.write(path, to_builtins(now))


def _of(found: Registered) -> VersionStanding:
    tags = found.tags or {}
    return VersionStanding(
        version=found.version,
        aliases=sorted(found.aliases),
        gates=tags.get("gates"),
        verdict=tags.get("verdict"),
        promotion=tags.get("promotion"),
    )
