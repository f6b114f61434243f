"""Lists models and their versions from files of the home: cards, standings, pointers, looks of the monitor. No registry is asked.

A file that cannot be read is said, and everything else is listed.
"""

from __future__ import annotations

import contextlib
import functools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from models import card, card_file, champion_pointer, monitor_card, signal_card, standing
from models.card import CardMeasure, ModelCard
from models.catalog import get_model
from models.champion_pointer import Pointer
from models.definition import Model
from models.monitor_card import MonitorCard
from models.signal_card import SignalCard
from models.standing import Standing
from serving.cards.schemas import (
    ChampionShown,
    LookShown,
    ModelPage,
    ModelsAnswer,
    ModelShown,
    VersionPage,
    VersionShown,
)
from serving.champion import Champions
from serving.errors import NotFound

MOST_DATES = 100
MOST_REFUSALS = 10
STATES = ("champion", "challenger", "previous")
_FOLDER = re.compile(r"v([1-9][0-9]{0,8})")


@dataclass
class Files:
    """What the home has of a model, and what of it cannot be read."""

    home: Path
    definition: Model
    pointer: Pointer | None = None
    standing: Standing = field(default_factory=Standing)
    folders: list[str] = field(default_factory=list)
    """Names below `runs/MODEL`."""
    dates: list[str] = field(default_factory=list)
    """Of the looks of the monitor, the newest first."""
    faults: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, home: Path, definition: Model) -> Files:
        found = cls(home, definition)
        try:
            found.pointer = champion_pointer.read_pointer(home, definition.name)
        except (OSError, ValueError):
            again = f"python -m training promote {definition.name} writes it anew"
            found.faults.append(f"{definition.name}/{champion_pointer.NAME} cannot be read: {again}")
        with found.telling():
            found.standing = standing.read(home, definition.name) or Standing()
        with found.telling():
            found.folders = card_file.names(home / "runs" / definition.name)
        with found.telling():
            found.dates = monitor_card.dates(home, definition.name)
        return found

    @contextlib.contextmanager
    def telling(self) -> Iterator[None]:
        try:
            yield
        except card_file.Unreadable as error:
            self.faults.append(str(error))

    @property
    def champion(self) -> int | None:
        return self.pointer.version if self.pointer else None

    def versions(self) -> list[int]:
        """Every version that something is known of, the newest first."""
        named = (_FOLDER.fullmatch(name) for name in self.folders)
        found = {int(name[1]) for name in named if name} | {each.version for each in self.standing.versions}
        if self.pointer:
            found |= {self.pointer.version, self.pointer.previous_version} - {None}  # type: ignore[arg-type]
        return sorted(found, reverse=True)

    def state(self, version: int) -> str | None:
        """The pointer says who is champion: it is what serves. The other words are the registry's."""
        if version == self.champion:
            return "champion"
        stands = self.standing.of(version)
        aliases = set(stands.aliases if stands else ()) - {"champion"}
        if not self.standing.versions and self.pointer and version == self.pointer.previous_version:
            aliases = {"previous"}
        return next((state for state in STATES if state in aliases), None)


def models(home: Path, champions: Champions, limit: int) -> ModelsAnswer:
    """Every model, each with its newest versions."""
    statuses = champions.statuses()
    return ModelsAnswer(
        [
            _model(Files.read(home, definition), statuses[definition.name], limit)
            for definition in champions.definitions()
        ]
    )


def model(home: Path, champions: Champions, definition: Model, limit: int) -> ModelPage:
    """One model with the card of its champion and the newest look at it."""
    files = Files.read(home, definition)
    shown = _model(files, champions.statuses()[definition.name], limit)
    found, _ = (None, None) if files.champion is None else _card(files, files.champion)
    look, _ = _look(files, files.dates[0]) if files.dates else (None, None)
    return ModelPage(model=shown, card=found, monitor=look, monitored=files.dates[:MOST_DATES])


def look(home: Path, definition: Model, date: str) -> MonitorCard:
    """The look at a model of a date. Raises `NotFound` when there is none, or when its file cannot be read."""
    files = Files.read(home, definition)
    found, fault = _look(files, date) if date in files.dates else (None, f"{definition.name} has no look of that date")
    if found is None:
        raise NotFound("no_such_look", str(fault), {"choices": files.dates[:20]})
    return found


def version(home: Path, definition: Model, number: int) -> VersionPage:
    """One version with its card. Raises `NotFound`, which lists the newest versions."""
    files = Files.read(home, definition)
    if number not in files.versions():
        raise _no_such(files)
    found, _ = _card(files, number)
    return VersionPage(model=definition.name, version=_version(files, number), card=found)


def _no_such(files: Files) -> NotFound:
    name, choices = files.definition.name, [str(each) for each in files.versions()[:20]]
    known = f"the newest are {', '.join(choices)}" if choices else f"run python -m training fit {name}"
    return NotFound("no_such_version", f"no such version of {name}: {known}", {"choices": choices})


def signals(home: Path, definition: Model, number: int) -> SignalCard:
    """What each signal of a version does. Raises `NotFound` when there is no such version, or neither its card nor its scorer."""
    files = Files.read(home, definition)
    if number not in files.versions():
        raise _no_such(files)
    kept = files.pointer.path if files.pointer is not None and files.pointer.version == number else None
    own = card.place(home, definition.name, number)
    paths = (own / signal_card.NAME, own / "scorer" / signal_card.SCORER)
    try:
        found = _read_signals(home, definition.name, number, kept, *(_stamp(path) for path in paths))
    except card_file.Unreadable as error:
        raise NotFound("no_signals", str(error).replace("MODEL", definition.name)) from None
    if found is None:
        again = card.AGAIN.replace("MODEL", definition.name)
        raise NotFound("no_signals", f"nothing is kept of the signals of version {number}: {again}")
    return found


@functools.lru_cache(maxsize=8)
def _read_signals(home: Path, name: str, number: int, scorer: Path | None, *_stamps: object) -> SignalCard | None:
    return signal_card.read(home, name, number, scorer)


def _model(files: Files, status: Mapping[str, Any], limit: int) -> ModelShown:
    definition, there = files.definition, files.versions()
    return ModelShown(
        model=definition.name,
        title=definition.title,
        entity=definition.entity,
        outcome=definition.outcome.name,
        horizon_days=definition.horizon_days,
        serves=status["serves"],
        serves_version=status["version"],
        refused=status["refused"],
        champion=_champion(files),
        versions=[_version(files, number) for number in there[:limit]],
        more_versions=max(0, len(there) - limit),
        monitor=_look_in_brief(files, files.dates[0]) if files.dates else None,
        faults=files.faults,
    )


def _champion(files: Files) -> ChampionShown | None:
    pointer = files.pointer
    if pointer is None:
        return None
    put_live = None if pointer.version is None else files.standing.put_live(pointer.version)
    return ChampionShown(
        version=pointer.version,
        scorer=f"sha256:{pointer.sha256}",
        promoted_at=pointer.promoted_at,
        by=put_live.by if put_live else None,
    )


def _version(files: Files, number: int) -> VersionShown:
    found, fault = _card(files, number)
    shown = VersionShown(
        version=number,
        state=files.state(number),
        promoted=files.standing.put_live(number),
        refusals=files.standing.refusals(number)[:MOST_REFUSALS],
        card=fault,
    )
    if found is not None:
        shown.verdict, shown.verdict_code, shown.ready = found.verdict, found.verdict_code, found.ready
        shown.sentence, shown.why, shown.made_at = found.sentence, found.why, found.made_at
        shown.auc, shown.source, shown.trained_to = (
            found.metrics.get("auc", CardMeasure()),
            found.source,
            found.trained_to,
        )
        return shown
    stands = files.standing.of(number)
    if stands is not None and stands.gates is not None:  # fitted elsewhere: the registry knows what its gates said
        shown.verdict, shown.ready = stands.verdict, stands.gates == "passed"
        shown.why = [] if shown.ready else [stands.gates]
    return shown


def _card(files: Files, number: int) -> tuple[ModelCard | None, str | None]:
    """The card of a version, and why there is none."""
    name = files.definition.name
    folder = card.place(files.home, name, number)
    try:
        found = _read_card(files.home, name, number, _stamp(folder / card.NAME), _stamp(folder / card.REPORT))
    except card_file.Unreadable as error:
        return None, str(error).replace("MODEL", name)
    if found is None:
        where = "it was fitted elsewhere, or its files were deleted"
        return None, f"no card: {where}; {card.AGAIN}".replace("MODEL", name)
    return found, None


@functools.lru_cache(maxsize=256)
def _read_card(home: Path, name: str, number: int, *_stamps: object) -> ModelCard | None:
    """Cards are read again when their files change."""
    return card.read_card(home, get_model(name), number)


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


def _look(files: Files, date: str) -> tuple[MonitorCard | None, str | None]:
    try:
        found = monitor_card.read(files.home, files.definition.name, date)
    except card_file.Unreadable as error:
        return None, str(error).replace("MODEL", files.definition.name)
    return found, None if found else "it was deleted"


def _look_in_brief(files: Files, date: str) -> LookShown:
    found, fault = _look(files, date)
    if found is None:
        return LookShown(date=date, fault=fault)
    return LookShown(date=date, version=found.version, verdict=found.verdict, why=found.why)
