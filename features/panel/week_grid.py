"""The weeks that windows are made of, and the small steps that every measure over events shares.

All `as_of` that lie whole weeks apart share one lattice of weeks, `week = (event_us - anchor) // WEEK_US`, on which every
window of whole weeks begins and ends: `week < k` is exactly `event_time < as_of` for `as_of` number `k`, and
`seen < k`, with the week in which the row became visible, is `known_time < as_of`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import narwhals as nw

from features.panel.engines import WORD_BITS
from features.signals.aggregations import DEPTH_WEEKS, WEEK_US, WEIGHTS

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
        """One row per `as_of`, with the word in which its 12 weeks begin and the power of two at which they do; of the next
        word they need what is below `rest`, from `scale` on."""
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
    """What is carried from the night before (`features.panel.incremental`), and what is to be carried on."""

    before: Callable[[str], Frame | None]
    after: dict[str, Frame]


def as_int(expression: nw.Expr) -> nw.Expr:
    # DuckDB sums integers to HUGEINT; all engines agree on int64.
    return expression.cast(nw.Int64)


def bits_of(word: nw.Expr, begin: nw.Expr | int, width: int) -> nw.Expr:
    """`width` bits of an integer from the one that is worth `begin` on; pandas has no remainder for Arrow's integers."""
    rest = word // begin
    return rest - (rest // 2**width) * 2**width


def sums(frame: Frame, keys: Sequence[str], names: Sequence[str]) -> Frame:
    return (
        frame.group_by(*keys).agg(*[nw.col(n).sum() for n in names]).with_columns(*[as_int(nw.col(n)) for n in names])
    )


def in_window(window: tuple[int, int]) -> nw.Expr:
    return (nw.col("age") >= window[0]) & (nw.col("age") < window[1])


def within(window: tuple[int, int], value: nw.Expr) -> nw.Expr:
    return nw.when(in_window(window)).then(value).otherwise(nw.lit(0, nw.Int64))


def per_as_of(spread: Frame, plan: dict[str, nw.Expr]) -> Frame:
    """Sum conditional columns over what each (entity, as_of) reaches."""
    return sums(spread.with_columns(**plan), KEYS, list(plan))
