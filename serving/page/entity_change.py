"""What the page of an account or a lead shows of a score's change. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from msgspec import UNSET

from serving.page.entity_words import PARTS, SHORT_PARTS, odds, value_text
from serving.score_change.schemas import ChangeAnswer

Money = Callable[[float | None], str]
MOST_MOVED = 6
"""Signals of a change that are shown one by one."""


@dataclass(frozen=True)
class MovedRow:
    """One signal's share of a change."""

    text: str
    before: str
    after: str
    part: str
    effect: float
    odds: str


@dataclass(frozen=True)
class Moved:
    """A score's change. Without `answer` there is nothing to compare."""

    answer: ChangeAnswer | None = None
    parts: Sequence[tuple[str, int]] = ()
    """What moved it and by how many points; they sum to the change."""
    rows: Sequence[MovedRow] = ()
    rest: int = 0
    """Signals that are not in `rows`."""
    rest_odds: str = ""
    """What these do together."""
    largest: float = 0.0
    weighs_otherwise: bool = False
    """Whether a signal of `rows` did not move."""
    bands: Sequence[tuple[str, str]] = ()
    """What moved it, and the band after that; the first is the band before."""
    why_not: str = ""
    """Why it cannot be told; empty otherwise."""
    earlier: Sequence[str] = ()
    """Moments of earlier scores that it can be compared with."""


def moved(answer: ChangeAnswer, units: Mapping[str, str], money: Money, earlier: Sequence[str]) -> Moved:
    """`units` are those of the newer scorer's signals."""
    points = answer.score_parts
    parts = [(PARTS[name], getattr(points, name)) for name in ("data", "time", "unsplit", "version", "thresholds")]
    told = [(text, value) for text, value in parts if value is not UNSET and value]
    rows = [
        MovedRow(
            each.text,
            value_text(units.get(each.signal, ""), each.before, money),
            value_text(units.get(each.signal, ""), each.after, money),
            SHORT_PARTS[each.part],
            each.effect,
            odds(each.effect),
        )
        for each in answer.signals[:MOST_MOVED]
    ]
    left = answer.signals[MOST_MOVED:]
    bands = [("" if step.after == "start" else PARTS[step.after], step.band) for step in answer.bands]
    kept = [step for at, step in enumerate(bands) if not at or step[1] != bands[at - 1][1]]
    rest = odds(sum(each.effect for each in left)) if left else ""
    largest = max((abs(row.effect) for row in rows), default=0.0)
    still = any(row.before == row.after for row in rows)
    return Moved(answer, told, rows, len(left), rest, largest, still, kept, "", earlier)
