"""Measures: what is counted per entity from one table. Signals are formulas over measures.

A measure says *what counts* (an integer per row, a member, a condition); `features.panel.event_windows` and `features.panel.point_in_time` say how
it is computed for many `as_of` at once. Row values are Narwhals expressions over the columns of `features.sources.source`, in the
dialect that three engines agree on: a condition becomes an integer column before it is summed, sums are of integers.

Windows are whole weeks back from `as_of`, `[as_of - days - before, as_of - before)`, at most 84 days deep.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import narwhals as nw

Value = Callable[[], nw.Expr]

DEPTH_WEEKS = 12
"""How deep windows reach: 84 days."""


def one() -> nw.Expr:
    return nw.lit(1, nw.Int64)


def where(condition: nw.Expr) -> nw.Expr:
    """1 where the condition is true, 0 where it is false or unknown.

    Built on `==`, `<`, `is_in` without negation: `!=` and `~` treat null differently from engine to engine.
    """
    return nw.when(condition).then(nw.lit(1, nw.Int64)).otherwise(nw.lit(0, nw.Int64))


def chosen(condition: nw.Expr, value: nw.Expr) -> nw.Expr:
    """The value where the condition is true, else null."""
    return nw.when(condition).then(value)


@dataclass(frozen=True, eq=False)
class Measure:
    """Base: a name, unique within its table, and the columns that it needs."""

    name: str
    table: str
    needs: tuple[str, ...] = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Measure) and self._identity == other._identity

    def __hash__(self) -> int:
        return hash(self._identity)

    @property
    def _identity(self) -> tuple[object, ...]:
        # Two theme modules may each spell out the same measure: the name says that it is one.
        return type(self), self.table, self.name

    def offered(self, has: Callable[[str, str | None], bool]) -> bool:
        return has(self.table, None) and all(has(self.table, column) for column in self.needs)


@dataclass(frozen=True, eq=False)
class Total(Measure):
    """Sum of an integer over the events of a window."""

    value: Value = one


@dataclass(frozen=True, eq=False)
class Distinct(Measure):
    """Number of different members (users, features, people) with at least one event in a window."""

    member: str = ""
    value: Value = one
    """An event counts when this is above 0."""


@dataclass(frozen=True, eq=False)
class MemberWeeks(Distinct):
    """Sum over the weeks of a window of the members active in that week."""


@dataclass(frozen=True, eq=False)
class Peak(Distinct):
    """Events of the busiest member in the last 28 days."""


@dataclass(frozen=True, eq=False)
class Newcomers(Distinct):
    """Members whose first event became known inside a window."""


@dataclass(frozen=True, eq=False)
class LostLeader(Distinct):
    """1 when a member with the most events of the 28 days before the last 28 had none in the last 28, else 0."""


@dataclass(frozen=True, eq=False)
class ActiveDays(Measure):
    """Number of different days (of 24 hours back from `as_of`'s time of day) with an event, in a window."""

    value: Value = one


@dataclass(frozen=True, eq=False)
class ActiveWeeks(ActiveDays):
    """Number of different weeks with an event, in a window."""


@dataclass(frozen=True, eq=False)
class LongestSilence(ActiveDays):
    """Most days in a row without an event, from the first event of the last 84 days to `as_of`; null without events."""


@dataclass(frozen=True, eq=False)
class Latest(Measure):
    """`event_us` of the newest event of all history; null when there is none."""

    value: Value = one


@dataclass(frozen=True, eq=False)
class Earliest(Latest):
    """`event_us` of the oldest event of all history; null when there is none."""


@dataclass(frozen=True, eq=False)
class State(Measure):
    """A number or text over the things of a state table as they were known at `as_of` (or `ago` days before).

    The value may use every column of the table, `created_us`, and `as_of_us`.
    """

    value: Value = one
    how: Literal["sum", "max", "min", "distinct"] = "sum"
    """`distinct` counts different values that are not null."""
    via_account: bool = False
    """For a lead: look at the lead's company instead of the lead."""


class Wanted:
    """Records which measures a formula needs, and gives it their columns.

    Raises `ValueError` for a window that is not whole weeks, or deeper than 84 days."""

    def __init__(self) -> None:
        self.windows: dict[Measure, set[tuple[int, int]]] = {}
        self.weighted: dict[Measure, set[str]] = {}
        self.states: dict[State, set[int]] = {}

    def __call__(
        self, measure: Measure, days: int = 0, *, before: int = 0, weight: str | None = None, ago: int = 0
    ) -> nw.Expr:
        if isinstance(measure, State):
            self.states.setdefault(measure, set()).add(ago)
            return nw.col(state_column(measure, ago))
        if weight is not None:
            self.weighted.setdefault(measure, set()).add(weight)
            return nw.col(weighted_column(measure, weight))
        if isinstance(measure, (Latest, LongestSilence, Peak, LostLeader)):
            self.windows.setdefault(measure, set())
            return nw.col(base_column(measure))
        if days % 7 or before % 7 or not 0 < days + before <= 7 * DEPTH_WEEKS:
            raise ValueError(f"{measure.name}: windows are whole weeks, at most {7 * DEPTH_WEEKS} days deep")
        window = (before // 7, (before + days) // 7)
        self.windows.setdefault(measure, set()).add(window)
        return nw.col(window_column(measure, window))

    @property
    def measures(self) -> set[Measure]:
        return {*self.windows, *self.weighted, *self.states}

    def of(self, kind: type[Measure], table: str) -> list[Measure]:
        """The measures of exactly this kind on a table, in a stable order."""
        found = [m for m in (*self.windows, *self.weighted) if type(m) is kind and m.table == table]
        return sorted(dict.fromkeys(found), key=lambda m: m.name)


def base_column(measure: Measure) -> str:
    # No dots: Spark reads them as struct access.
    return f"{measure.table}__{measure.name}"


def window_column(measure: Measure, window: tuple[int, int]) -> str:
    return f"{base_column(measure)}__w{window[0]}_{window[1]}"


def weighted_column(measure: Measure, weight: str) -> str:
    return f"{base_column(measure)}__{weight}"


def state_column(measure: State, ago: int) -> str:
    return f"{base_column(measure)}__ago{ago}" if ago else base_column(measure)


WEIGHTS: dict[str, tuple[int, ...]] = {
    # Position of the week for a least-squares slope: 11 is the newest of the 12.
    "slope": tuple(11 - age for age in range(DEPTH_WEEKS)),
    # Half-life of 14 days, in whole weeks, scaled to integers so that the sum is the same on every engine.
    "half_life_14d": tuple(round(2 ** (-7 * age / 14) * 2**20) for age in range(DEPTH_WEEKS)),
}
WEIGHT_UNIT = 2**20
