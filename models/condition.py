"""One condition of a population: a signal against one or more values."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
import numpy as np

from features.kit.missing import is_missing
from models.scorer.columns import numbers

Op = Literal["in", "not_in", "at_least", "at_most", "is_true", "is_false"]
Value = str | float
"""A word of a category, or a number (a flag is 1.0 or 0.0)."""


class Condition(msgspec.Struct, frozen=True):
    """One signal against one or more values. Make it by `where`."""

    signal: str
    op: Op
    values: tuple[Value, ...] = ()
    """Words or numbers of `in` and `not_in`, one number of `at_least` and `at_most` (the number itself holds), none of flags."""

    @property
    def of_words(self) -> bool:
        """Whether it reads a category."""
        return bool(self.values) and isinstance(self.values[0], str)

    def holds(self, value: Any) -> bool:
        """Whether it holds for one value of a panel or a record; never for a missing one.

        >>> plan = Condition("plan", "not_in", ("free",))
        >>> plan.holds("pro"), plan.holds("free"), plan.holds(None), plan.holds("n/a")
        (True, False, False, False)
        """
        if self.of_words:
            if not isinstance(value, str):
                return False
            named = value in self.values or value.strip() in self.values
            return named if self.op == "in" else not named and not is_missing(value, of_words=True)
        if isinstance(value, str) or value is None:
            return False
        try:
            number = float(value)
        except OverflowError:
            return False
        return bool(self._hold(np.array([number]))[0])

    def holds_for(self, column: Any) -> np.ndarray:
        """(n,) bool: the same for a column: an Arrow or NumPy array or a sequence of n values."""
        if not self.of_words:
            return self._hold(numbers(self.signal, column))
        words = column.to_pylist() if hasattr(column, "to_pylist") else column
        known = {word: self.holds(word) for word in set(words)}
        return np.fromiter((known[word] for word in words), dtype=bool, count=len(words))

    def _hold(self, x: np.ndarray) -> np.ndarray:
        """(n,) numbers, NaN when missing, as a scorer reads them: what is not finite is missing."""
        there = np.isfinite(x)
        if self.op in ("in", "not_in"):
            named = np.isin(x, np.array(self.values, dtype=np.float64))
            return there & (named if self.op == "in" else ~named)
        if self.op in ("is_true", "is_false"):
            return there & (x == float(self.op == "is_true"))
        limit = float(self.values[0])
        return there & (x >= limit if self.op == "at_least" else x <= limit)

    def __str__(self) -> str:
        if self.op in ("is_true", "is_false"):
            return f"{self.signal} is {self.op.removeprefix('is_')}"
        named = [f"{v:,g}" if isinstance(v, float) else str(v) for v in self.values]
        listed = " or ".join([", ".join(named[:-1]), named[-1]] if len(named) > 1 else named)
        how = {"in": "is", "not_in": "is not", "at_least": "is at least", "at_most": "is at most"}[self.op]
        return f"{self.signal} {how} {listed}"
