"""The lattice of weeks that windows are built from, and the steps that all measures over events share.

All `as_of` that lie whole weeks apart share one lattice of weeks, `week = (event_us - anchor) // WEEK_US`, on which every
window of whole weeks begins and ends: `week < k` is exactly `event_time < as_of` for `as_of` number `k`, and
`seen < k`, with the week in which the row became visible, is `known_time < as_of`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import narwhals as nw
import numpy as np

from features.kit.clock import WEEK_US
from features.panel.engines import WORD_BITS, Engine, Integers
from features.signals.aggregations import DEPTH_WEEKS, WEIGHTS

Frame = nw.LazyFrame[Any]
KEYS = ("entity_id", "as_of_us")


@dataclass(frozen=True)
class Lattice:
    """The `as_of` that are whole weeks apart, as int64 microseconds, ascending."""

    as_ofs: tuple[int, ...]

    @property
    def anchor(self) -> int:
        return self.as_ofs[0] % WEEK_US

    def number(self, as_of: int) -> int:
        return (as_of - self.anchor) // WEEK_US

    def reach(self) -> dict[str, list[int]]:
        """One row per (week, as_of that has it in its 12 weeks), with the age of the week, its bit and its weights."""
        rows = [
            epoch
            | {"week": epoch["k"] - 1 - age, "age": age, "bit": 2 ** (DEPTH_WEEKS - 1 - age)}
            | {name: table[age] for name, table in WEIGHTS.items()}
            for epoch in self._epochs()
            for age in range(DEPTH_WEEKS)
        ]
        return {name: [row[name] for row in rows] for name in rows[0]}

    def epochs(self) -> dict[str, list[int]]:
        """One row per `as_of`: the word in which its 12 weeks begin, and the power of two at which they do (`divisor`).
        When they run into the next word, its part below `rest` is added, times `scale`."""
        rows = self._epochs()
        return {name: [row[name] for row in rows] for name in rows[0]}

    def words(self) -> dict[int, int]:
        """Number of a word to its first week, for the words that some `as_of` needs."""
        base = self.number(self.as_ofs[0]) - DEPTH_WEEKS
        needed = {row["word"] + ahead for row in self._epochs() for ahead in ((0, 1) if row["rest"] > 1 else (0,))}
        return {j: base + j * WORD_BITS for j in sorted(needed)}

    def _epochs(self) -> list[dict[str, int]]:
        found = []
        for as_of in self.as_ofs:
            k = self.number(as_of)
            word, offset = divmod(k - self.number(self.as_ofs[0]), WORD_BITS)
            over = max(0, offset + DEPTH_WEEKS - WORD_BITS)
            parts = {"divisor": 2**offset, "rest": 2**over, "scale": 2 ** (DEPTH_WEEKS - over)}
            found.append({"as_of_us": as_of, "k": k, "word": word, **parts})
        return found


def lattices(as_ofs: Sequence[int]) -> list[Lattice]:
    """Split `as_of` into lattices: one for a weekly or four-weekly grid.

    >>> [len(lattice.as_ofs) for lattice in lattices([0, WEEK_US, 4 * WEEK_US, 1])]
    [3, 1]
    """
    groups: dict[int, list[int]] = {}
    for as_of in sorted(set(as_ofs)):
        groups.setdefault(as_of % WEEK_US, []).append(as_of)
    return [Lattice(tuple(group)) for group in groups.values()]


@dataclass
class Memory:
    """State carried from the night before (`features.panel.incremental`), and the state for the next one."""

    before: Callable[[str], Frame | None]
    after: dict[str, Frame]


def as_int(expression: nw.Expr) -> nw.Expr:
    # DuckDB sums integers to HUGEINT; all engines agree on int64.
    return expression.cast(nw.Int64)


def low_bits(word: nw.Expr, worth: nw.Expr | int) -> nw.Expr:
    """Remainder of an integer, 0 or more, by a power of two; pandas has no remainder for Arrow's integers.

    Pass a column as `word`: Narwhals copies a dividend eight times on DuckDB and Spark, one inside another 64 times.
    """
    return word - (word // worth) * worth


def bit_patterns(name: str, width: int, columns: Mapping[str, tuple[int, int, bool]]) -> dict[str, Integers]:
    """Lookup table with one row per integer of `width` bits, which is in the column `name`.

    Each further column is about the bits [begin, end), bit 0 being the lowest: 1 if one of them is set, or how many are
    set when its third value is true. Joining it replaces many divisions per row.
    """
    bits = np.arange(2**width)
    found: dict[str, Integers] = {name: bits}
    for column, (begin, end, counted) in columns.items():
        number = np.sum([(bits >> place) & 1 for place in range(begin, end)], axis=0)
        found[column] = number if counted else np.minimum(number, 1)
    return found


def in_window(window: tuple[int, int]) -> nw.Expr:
    return (nw.col("age") >= window[0]) & (nw.col("age") < window[1])


def within(window: tuple[int, int], value: nw.Expr) -> nw.Expr:
    return nw.when(in_window(window)).then(value).otherwise(nw.lit(0, nw.Int64))


def seen_by(engine: Engine, cells: Frame, reach: Frame, *on: str) -> Frame:
    """Cells joined to the `as_of` of `reach` (those of their week, when `on` names it) that lie after they became
    visible."""
    return engine.joined(cells, reach, *on).filter(nw.col("seen") < nw.col("k"))


def sums(engine: Engine, frame: Frame, keys: Sequence[str], plan: dict[str, nw.Expr]) -> Frame:
    return engine.roll_up(frame.select(*keys, **plan), keys, dict.fromkeys(plan, "sum"))


def per_as_of(engine: Engine, spread: Frame, plan: dict[str, nw.Expr]) -> Frame:
    """Sums columns per (entity, as_of)."""
    return sums(engine, spread, KEYS, plan)
