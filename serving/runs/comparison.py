"""Compares the newest nightly run of a model with the one of a month before, by the cards in the home."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from features.kit.clock import parse_as_of
from features.kit.errors import UserMistake
from models import card_file
from serving.runs import run_card
from serving.runs.run_card import BandSums, RunCard, ScoredModel

MONTH_DAYS = 28
"""The grid of `as_of` has steps of 28 days; the run before is as many days older, or the next older one."""
MOST_READ = 40
"""Cards that are read at most in each direction: a page waits for them."""


@dataclass(frozen=True)
class RunSums:
    """What a run found for one model."""

    as_of: str
    version: int | None
    bands: dict[str, BandSums]

    @property
    def total(self) -> BandSums:
        every = self.bands.values()
        return BandSums(
            count=sum(each.count for each in every),
            expected=sum(each.expected for each in every),
            value=sum(each.value for each in every),
            at_stake=sum(each.at_stake for each in every),
        )


@dataclass(frozen=True)
class Compared:
    """Two runs of one model, and how many days lie between the moments that they scored for."""

    then: RunSums
    now: RunSums
    days: int


def month_before(home: Path, model: str) -> Compared | None:
    """The newest published run of a model, and the newest of those that scored for a moment 28 days before it or more; where
    there is none, the oldest that is kept. None: there are no two such runs."""
    try:
        names = run_card.names(home)
    except card_file.Unreadable:
        return None
    now = next(_published(home, names[:MOST_READ], model), None)
    if now is None:
        return None
    before = parse_as_of(now.as_of) - timedelta(days=MONTH_DAYS)
    # Names tell when a run began: those that began since cannot have scored for a moment that was long over, as a rule.
    old = [name for name in names if name[:8] <= f"{before + timedelta(days=1):%Y%m%d}"]
    then = next((each for each in _published(home, old[:MOST_READ], model) if parse_as_of(each.as_of) <= before), None)
    if then is None:
        oldest = _published(home, names[::-1][:MOST_READ], model)
        then = next((each for each in oldest if parse_as_of(each.as_of) < parse_as_of(now.as_of)), None)
    if then is None:
        return None
    return Compared(then, now, (parse_as_of(now.as_of) - parse_as_of(then.as_of)).days)


def _published(home: Path, names: Iterable[str], model: str) -> Iterator[RunSums]:
    for name in names:
        try:
            card = run_card.read(home, name)
        except card_file.Unreadable:
            continue
        found = _sums(card, model)
        if found is not None:
            yield found


def _sums(card: RunCard | None, model: str) -> RunSums | None:
    scored: ScoredModel | None = None if card is None or card.state != run_card.PUBLISHED else card.models.get(model)
    if card is None or scored is None or not scored.bands:
        return None
    try:
        parse_as_of(card.as_of)
    except UserMistake:
        return None
    return RunSums(card.as_of, scored.version, scored.bands)
