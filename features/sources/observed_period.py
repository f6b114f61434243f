"""Finds how far the data of a source reach: to the newest row that is neither after the clock nor cut off by a long gap.

One row dated ahead (an agreed cancellation, a typing error, usage in 2099) must not move the end: labels would count time
that nobody observed as time in which nothing happened. So no single row decides: the days with rows, of all tables together,
are cut where a gap is longer than max(28 days, 10 x the usual gap), and a piece of few days at either end does not count as
observed. A table whose own rows stop that long before the end has stopped there, and nothing is known of it afterwards.
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
"""With fewer days there is no usual gap, and nothing is cut off."""
LEFT_OUT_SHARE = 0.05
"""The largest gaps, up to this share, are ignored for the usual gap: the gaps before cut-off rows are among them."""
FEW_DAYS, FEW_SHARE = 2, 0.1
"""A piece is cut off when it has at most so many days with rows, or less than this share of all of them. A company that was
silent for two months and went on is not at its end."""


@dataclass(frozen=True)
class Days:
    """The days on which a table has rows: (n,) int64 each, sorted by day (days since 1970, UTC)."""

    day: np.ndarray
    first_us: np.ndarray
    """Moment of the first row of the day, and of the last; microseconds since 1970."""
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
        """The days that have a row between two moments, both included."""
        inside = (self.first_us <= last_us) & (self.last_us >= first_us)
        return Days(self.day[inside], self.first_us[inside], self.last_us[inside])


@dataclass(frozen=True)
class TablePeriod:
    """The observed period of one table; microseconds since 1970."""

    first_us: int
    last_us: int
    """Its newest row."""
    stopped: bool
    """Whether the table ended long before the rest; always False for a table of entities."""


@dataclass(frozen=True)
class ObservedPeriod:
    """First and last observed moment of a source, and of each table that has rows between them; microseconds since 1970."""

    first_us: int
    last_us: int
    tables: Mapping[str, TablePeriod]

    def until_us(self, *tables: str) -> int:
        """The moment up to which these tables are known: the end of the source, or the earliest end of a table that stopped.

        A table without a row in the period is ignored.
        """
        found = (self.tables[name] for name in tables if name in self.tables)
        return min([self.last_us, *(table.last_us for table in found if table.stopped)])


def observed_period(tables: Mapping[str, Days], entries: Collection[str] = ()) -> ObservedPeriod | None:
    """The observed period, from the days on which each table has rows that are not after the clock; None without a row.

    `entries` names the tables of entities. Their days count for the usual gap only where nothing else is dated, and such a table
    has not stopped when no new entity is entered. (Accounts that were all entered in one spring, of which some left two years later, are
    observed for two years.)

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
            # No new company does not mean that nothing is recorded of the others.
            found[name] = TablePeriod(int(own.first_us[0]), end, name not in entries and silent > limit)
    return ObservedPeriod(first, last, found)


def longest_gap_days(day: np.ndarray) -> float:
    """Longest gap in days before what follows is cut off: max(28, 10 x the usual gap); infinite with too few days.

    The usual gap is the median weighted by time, without the largest gaps: half of the time lies in gaps of at most that length.
    (By count, invoices on the first three days of each quarter would have a usual gap of one day; by time it is a quarter.)
    """
    if len(day) < FEWEST_DAYS:
        return float("inf")
    gaps = np.sort(np.diff(day))
    gaps = gaps[: len(gaps) - max(2, int(np.ceil(LEFT_OUT_SHARE * len(gaps))))]
    covered = np.cumsum(gaps)
    usual = gaps[np.searchsorted(covered, covered[-1] / 2)]
    return float(max(SHORTEST_CUT_DAYS, USUAL_GAPS * usual))


def together_of(tables: Iterable[Days]) -> Days:
    """The days of several tables together."""
    return Days.of([row for days in tables for row in zip(days.day, days.first_us, days.last_us, strict=True)])


def _main(days: Days, longest_gap: float) -> Days:
    """The days without the small pieces at both ends that are cut off by a longer gap."""
    cuts = np.flatnonzero(np.diff(days.day) > longest_gap) + 1
    starts, ends = np.r_[0, cuts], np.r_[cuts, len(days)]
    sizes = ends - starts
    whole = np.flatnonzero((sizes > FEW_DAYS) & (sizes >= FEW_SHARE * len(days)))
    if not len(whole):
        return days
    inside = slice(int(starts[whole[0]]), int(ends[whole[-1]]))
    return Days(days.day[inside], days.first_us[inside], days.last_us[inside])
