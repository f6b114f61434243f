"""How far the data reach: the newest row that is not after the clock, and not cut off from the rest by a long silence.

One row dated ahead (an agreed cancellation, a typing error, usage in 2099) must not move the end: labels would count time
that nobody observed as time in which nothing happened. So days are counted, not rows believed: days of all tables together
are cut where a gap is longer than max(28 days, 10 x the usual gap), and a piece at either end that is few days only is not
part of what was observed. A table whose own rows stop that long before the end has stopped there: what it would have told
since is not known.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from features.kit.clock import DAY_US

SHORTEST_CUT_DAYS = 28
USUAL_GAPS = 10
FEWEST_DAYS = 8
"""Days with rows below which there is no usual gap, and nothing is cut off."""
LEFT_OUT_SHARE = 0.05
"""Share of the gaps, the largest, that do not say what is usual: those to the rows that are cut off are among them."""
FEW_DAYS, FEW_SHARE = 2, 0.1
"""A piece is cut off when it has at most so many days with rows, or less than this share of all of them. A company that was
silent for two months and went on is not at its end."""


@dataclass(frozen=True)
class Days:
    """The days on which a table has rows: (n,) int64 each, sorted by day (days since 1970, UTC)."""

    day: np.ndarray
    first_us: np.ndarray
    """First moment of a row on the day, and its last."""
    last_us: np.ndarray

    @classmethod
    def of(cls, rows: list[tuple[Any, ...]]) -> Days:
        """From rows of (day, first moment, last moment), in any order, each day once or more often."""
        if not rows:
            empty = np.empty(0, np.int64)
            return cls(empty, empty, empty)
        day, first, last = np.array(sorted(rows), dtype=np.int64).T
        kept, start = np.unique(day, return_index=True)
        return cls(kept, np.minimum.reduceat(first, start), np.maximum.reduceat(last, start))

    def __len__(self) -> int:
        return len(self.day)

    def between(self, first_us: int, last_us: int) -> Days:
        inside = (self.first_us <= last_us) & (self.last_us >= first_us)
        return Days(self.day[inside], self.first_us[inside], self.last_us[inside])


@dataclass(frozen=True)
class TablePeriod:
    """One table within what was observed; microseconds since 1970."""

    first_us: int
    last_us: int
    """Its newest row."""
    stopped: bool
    """Whether it ended long before the rest did; never of a table of entities."""


@dataclass(frozen=True)
class ObservedPeriod:
    """First and last observed moment of a source, and of each table that has rows between them; microseconds since 1970."""

    first_us: int
    last_us: int
    tables: Mapping[str, TablePeriod]

    def until_us(self, *tables: str) -> int:
        """Up to when the tables tell what happened: the end of the source, or of the first of them that stopped before.

        A table without a row in the period tells nothing of its end.
        """
        found = (self.tables[name] for name in tables if name in self.tables)
        return min([self.last_us, *(table.last_us for table in found if table.stopped)])


def observed_period(tables: Mapping[str, Days], entries: Collection[str] = ()) -> ObservedPeriod | None:
    """What was observed, out of the days on which each table has rows that are not after the clock; None without a row.

    `entries` are the tables of entities: the days on which companies were entered say what is usual only where nothing else
    is dated, and such a table has not stopped when nothing new is entered. (A list of accounts of one spring, and who left two years later, is not at its end in summer.)

    >>> daily = [(day, day * DAY_US, day * DAY_US) for day in range(19_000, 19_400)]
    >>> ahead = [(30_000, 30_000 * DAY_US, 30_000 * DAY_US)]
    >>> found = observed_period({"usage": Days.of(daily + ahead)})
    >>> found.last_us // DAY_US
    19399
    """
    together = together_of(tables.values())
    if not len(together):
        return None
    recorded = together_of(days for name, days in tables.items() if name not in entries)
    kept = _main(together, longest_gap_days((recorded if len(recorded) else together).day))
    first, last = int(kept.first_us[0]), int(kept.last_us[-1])
    found = {}
    for name, days in tables.items():
        inside = days.between(first, last)
        if len(inside):
            limit = longest_gap_days(inside.day)
            own = _main(inside, limit)
            end = int(own.last_us[-1])
            silent = last // DAY_US - end // DAY_US
            # That no company is new says nothing of what is recorded of those there are.
            found[name] = TablePeriod(int(own.first_us[0]), end, name not in entries and silent > limit)
    return ObservedPeriod(first, last, found)


def longest_gap_days(day: np.ndarray) -> float:
    """Days of silence after which what follows is cut off: max(28, 10 x the usual gap); infinite when nothing is usual yet.

    The usual gap is that in which a moment of the period lies as often as not (the median by time, not by count: invoices of
    the first three days of a quarter have a usual gap of a quarter), the largest gaps left out.
    """
    if len(day) < FEWEST_DAYS:
        return float("inf")
    gaps = np.sort(np.diff(day))
    gaps = gaps[: len(gaps) - max(2, int(np.ceil(LEFT_OUT_SHARE * len(gaps))))]
    covered = np.cumsum(gaps)
    usual = gaps[np.searchsorted(covered, covered[-1] / 2)]
    return float(max(SHORTEST_CUT_DAYS, USUAL_GAPS * usual))


def together_of(tables: Iterable[Days]) -> Days:
    """The days of several tables."""
    return Days.of([row for days in tables for row in zip(days.day, days.first_us, days.last_us, strict=True)])


def _main(days: Days, longest_gap: float) -> Days:
    """Without the pieces at both ends that are cut off by a longer gap."""
    cuts = np.flatnonzero(np.diff(days.day) > longest_gap) + 1
    starts, ends = np.r_[0, cuts], np.r_[cuts, len(days)]
    sizes = ends - starts
    whole = np.flatnonzero((sizes > FEW_DAYS) & (sizes >= FEW_SHARE * len(days)))
    if not len(whole):
        return days
    inside = slice(int(starts[whole[0]]), int(ends[whole[-1]]))
    return Days(days.day[inside], days.first_us[inside], days.last_us[inside])
