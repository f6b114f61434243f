"""A signal with its formula, and the formulas that many signals share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import narwhals as nw

from features.kit.clock import DAY_US
from features.signals.aggregations import Measure, Wanted
from features.signals.signal import Entity, Phrase, Signal, Theme, Unit

AS_OF = nw.col("as_of_us")
Formula = Callable[[Wanted], nw.Expr]


@dataclass(frozen=True)
class Definition:
    """`formula` turns the columns of measures into one column: float64, or text for a category."""

    signal: Signal
    entity: Entity
    formula: Formula

    @cached_property
    def needs(self) -> Wanted:
        """The measures that the formula asks for."""
        wanted = Wanted()
        self.formula(wanted)
        return wanted

    def offered(self, has: Callable[[str, str | None], bool]) -> bool:
        """Whether the source has every table and column that the measures need."""
        return all(measure.offered(has) for measure in self.needs.measures)


def define(
    name: str,
    formula: Formula,
    *,
    theme: Theme,
    unit: Unit,
    label: str,
    some: str,
    missing: str,
    window: str = "before as_of",
    zero: str | None = None,
    negative: str | None = None,
    unknown: str | None = None,
    one: str | None = None,
    like: str | None = None,
    like_negative: str | None = None,
    pair: str | None = None,
    beside: str | None = None,
    topic: str = "",
    good: int = 0,
    by_clock: bool = False,
    entities: tuple[Entity, ...] = ("account",),
    entity: Entity | None = None,
) -> Definition:
    """Describe a signal and say how it is computed; `unknown` is the phrase when it is missing (see `Phrase`)."""
    phrase = Phrase(some, zero, negative, unknown, one, like, like_negative, pair, beside)
    here: Entity = entity or entities[0]
    entities = (here,)
    bare = Definition(Signal(name, theme, unit, window, missing, label, phrase), here, formula)
    tables = tuple(sorted({measure.table for measure in bare.needs.measures}))
    signal = Signal(
        name,
        theme,
        unit,
        window,
        missing,
        label,
        phrase,
        entities,
        tables,
        1 if good > 0 else -1 if good < 0 else 0,
        # What happened moves out of a window without any new row.
        by_clock or window != "before as_of",
        topic=topic,
    )
    return Definition(signal, here, formula)


def window(days: int, before: int = 0) -> str:
    """The half-open window in words.

    >>> window(28), window(28, before=28)
    ('[as_of - 28 d, as_of)', '[as_of - 56 d, as_of - 28 d)')
    """
    end = f"as_of - {before} d" if before else "as_of"
    return f"[as_of - {days + before} d, {end})"


def number(expression: nw.Expr) -> nw.Expr:
    return expression.cast(nw.Float64)


def counted(measure: Measure, days: int) -> Formula:
    """The measure over the last `days`, as a number."""
    return lambda get: number(get(measure, days))


def ratio(part: nw.Expr, whole: nw.Expr) -> nw.Expr:
    """part / whole, missing where whole is not above 0."""
    return nw.when(whole > 0).then(number(part) / number(whole))


def change(new: nw.Expr, old: nw.Expr) -> nw.Expr:
    """Relative change in [-1, 1]: (new - old) / max(new, old); missing when both are 0.

    Symmetric and bounded, so that a start from nothing is 1 and not infinite.
    """
    larger = nw.when(new > old).then(new).otherwise(old)
    return nw.when(larger > 0).then(number(new - old) / number(larger))


def days_since(event_us: nw.Expr) -> nw.Expr:
    """Whole days from a moment to `as_of`, 0 for less than a day; missing when there was none."""
    return number((AS_OF - 1 - event_us) // DAY_US)


def money(cents: nw.Expr) -> nw.Expr:
    return number(cents) / 100.0


def flag(count: nw.Expr) -> nw.Expr:
    """1.0 when above 0, else 0.0; missing stays missing."""
    return nw.when(count > 0).then(nw.lit(1.0)).otherwise(nw.when(count <= 0).then(nw.lit(0.0)))
