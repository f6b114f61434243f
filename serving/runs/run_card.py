"""The card of one nightly run: `batches/RUN.json` in the home, what people are shown of it. It names no account and no lead.

A run writes it when it begins and again when it ends, and holds a lock meanwhile: of a run that was killed the card still says that
it is running, and the lock, which the operating system has freed, says that it is not.
"""

from __future__ import annotations

import contextlib
import re
import secrets
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from msgspec import Struct, to_builtins

from features.kit.errors import UserMistake
from features.kit.file_lock import file_lock
from models import card_file

FOLDER = "batches"
NAME = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{6}")
"""When the run began, so that names sort by time, and something to tell two of one second apart."""
RUNNING, PUBLISHED, FAILED = "running", "published", "failed"
MOST_CARDS = 500
"""Older ones are deleted when a run begins: more than a year of nights."""
AGAIN = "delete it; the next run writes its own"


class BandSums(Struct, frozen=True, kw_only=True):
    """The accounts or leads of one band."""

    count: int = 0
    expected: float = 0.0
    """Sum of the probabilities: how many are expected to have the outcome."""
    value: float = 0.0
    """Currency units; rows without a value are left out."""
    at_stake: float = 0.0
    """Sum of probability times value, currency units."""


class ScoredModel(Struct, frozen=True, kw_only=True):
    """What one model did in a run."""

    version: int | None = None
    rows: int = 0
    scored: int = 0
    no_score: dict[str, int] = {}
    """Rows by the code of why they have no score."""
    bands: dict[str, BandSums] = {}
    """By band, the strongest first; empty in cards of a version before 0.3."""


class RunCard(Struct, frozen=True, kw_only=True):
    """What people are shown of a run."""

    state: str
    """`RUNNING`, `PUBLISHED` or `FAILED`."""
    source: str
    as_of: str
    started_at: str
    ended_at: str | None = None
    seconds: float | None = None
    exit_code: int | None = None
    run_id: str | None = None
    why: str | None = None
    """Why nothing was published; no values of rows."""
    models: dict[str, ScoredModel] = {}
    not_scored: list[str] = []
    """Models that read a table with a fault."""
    without_champion: list[str] = []
    warnings: list[str] = []
    queued_write_backs: int | None = None
    resumed_chunks: int | None = None


def names(home: Path) -> list[str]:
    """The names of the runs, the newest first. Raises `card_file.Unreadable`."""
    found = card_file.names(home / FOLDER)
    return sorted(
        (n.removesuffix(".json") for n in found if n.endswith(".json") and NAME.fullmatch(n[:-5])), reverse=True
    )


def read(home: Path, name: str) -> RunCard | None:
    """The card of a run, None when there is none. Raises `card_file.Unreadable`."""
    return card_file.read(home / FOLDER / f"{name}.json", RunCard, AGAIN)


def lock_of(home: Path, name: str) -> Path:
    return home / FOLDER / f".{name}.lock"


class Written:
    """The card of the run of this process."""

    def __init__(self, home: Path, name: str) -> None:
        self._path = home / FOLDER / f"{name}.json"

    def write(self, card: RunCard) -> None:
        """Raises `OSError`."""
        card_file.write(self._path, to_builtins(card))


@contextlib.contextmanager
def begin(home: Path, began: datetime, card: RunCard) -> Iterator[Written]:
    """Write the card of a run that begins, and hold its lock until the block ends. Raises `OSError`."""
    name = f"{began:%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
    lock, busy = lock_of(home, name), UserMistake("another run has the same name: start it again")
    with file_lock(lock, 0, busy):
        written = Written(home, name)
        try:
            written.write(card)
            _sweep(home)
            yield written
        finally:
            lock.unlink(missing_ok=True)


def _sweep(home: Path) -> None:
    for name in names(home)[MOST_CARDS:]:
        (home / FOLDER / f"{name}.json").unlink(missing_ok=True)
        lock_of(home, name).unlink(missing_ok=True)
