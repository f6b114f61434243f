"""The population of a model: the part of the eligible that it is for, as a stated filter on signals.

`Model(population=where("plan").is_in("enterprise", "business"))`. A condition reads the value that the panel gives at `as_of`, so that
it knows no more than a score does. A missing value holds no condition: who is not known to belong is outside.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from functools import reduce
from typing import Any, ClassVar

import msgspec
import numpy as np

from features.kit.errors import Fault
from features.outcomes.outcome import ELIGIBLE
from features.signals.signal import Entity, Signal
from models import population_faults
from models.condition import Condition, Op, Value

OUTSIDE = "outside_population"
"""The value of `eligibility` for entities that are eligible and outside the model's population."""


class Population(msgspec.Struct, frozen=True):
    """Conditions that all must hold; without any it is everybody who is eligible.

    >>> print(where("plan").is_in("enterprise", "business") & where("paid_seats").at_least(10))
    plan is enterprise or business, and paid_seats is at least 10
    >>> bool(EVERYBODY), str(EVERYBODY)
    (False, 'everybody who is eligible')
    """

    conditions: tuple[Condition, ...] = ()
    code: ClassVar[str] = OUTSIDE
    """The value of `eligibility` for entities outside."""

    def __bool__(self) -> bool:
        return bool(self.conditions)

    def __and__(self, other: Population) -> Population:
        return Population((*self.conditions, *other.conditions))

    def __str__(self) -> str:
        return ", and ".join(map(str, self.conditions)) or "everybody who is eligible"

    @property
    def signals(self) -> tuple[str, ...]:
        """The signals that it reads, each once."""
        return tuple(dict.fromkeys(condition.signal for condition in self.conditions))

    def holds(self, values: Mapping[str, Any]) -> bool:
        """Whether an entity with these signals is in it; an absent signal is missing."""
        return all(condition.holds(values.get(condition.signal)) for condition in self.conditions)

    def holds_for(self, columns: Any, rows: int) -> np.ndarray:
        """(rows,) bool: the same for columns by name (an Arrow table or a mapping). Raises `KeyError` for one that is not there."""
        each = (condition.holds_for(columns[condition.signal]) for condition in self.conditions)
        return reduce(np.logical_and, each, np.ones(rows, dtype=bool))

    def narrow(self, status: Any, columns: Any) -> Any:
        """(n,) Arrow texts: `status` (eligible, or why there is no score) with `outside_population` for eligible entities that are not in it."""
        import pyarrow as pa
        import pyarrow.compute as pc

        if not self:
            return status
        inside = pa.array(self.holds_for(columns, len(status)))
        return pc.if_else(pc.and_(pc.equal(status, ELIGIBLE), pc.invert(inside)), OUTSIDE, status)

    def wrong_types(self, values: Mapping[str, Any]) -> dict[str, str]:
        """Signals of a record whose values are of the wrong kind -> what is needed."""
        given = ((c, values.get(c.signal)) for c in self.conditions)
        return {
            c.signal: "a text or null" if c.of_words else "a number or null"
            for c, value in given
            if value is not None and isinstance(value, str) is not c.of_words
        }

    def malformed(self, model: str) -> list[Fault]:
        """Its faults that do not depend on data."""
        return population_faults.malformed(model, self.conditions)

    def faults(self, model: str, entity: Entity, signals: Sequence[Signal]) -> list[Fault]:
        """All its faults, for a model whose source offers these signals."""
        return population_faults.unreadable(model, entity, self.conditions, signals)

    def unknown_words(self, model: str, columns: Any) -> list[Fault]:
        """Faults for words that no row of these columns has: a typing mistake would silently leave entities out."""
        return population_faults.unknown_words(model, self.conditions, columns)

    def why_not(self, values: Mapping[str, Any]) -> str:
        """A sentence that says why an entity is outside; it repeats no value.

        >>> where("plan").is_in("pro").why_not({})
        'The model is for those of whom plan is pro; plan is not known.'
        """
        missing = [n for n in self.signals if values.get(n) is None]
        return f"The model is for those of whom {self}" + (f"; {', '.join(missing)} is not known." if missing else ".")


EVERYBODY = Population()


class where:
    """The beginning of a condition: `where("plan").is_in("enterprise")`, joined by `&`."""

    def __init__(self, signal: str) -> None:
        self._signal = signal

    def is_in(self, *values: Value) -> Population:
        """The value is one of these texts or numbers."""
        return self._is("in", values)

    def not_in(self, *values: Value) -> Population:
        """The value is known, and none of these texts or numbers."""
        return self._is("not_in", values)

    def at_least(self, number: float) -> Population:
        """The value is this number or larger."""
        return self._is("at_least", (number,))

    def at_most(self, number: float) -> Population:
        """The value is this number or smaller."""
        return self._is("at_most", (number,))

    def is_true(self) -> Population:
        """The flag is true."""
        return self._is("is_true")

    def is_false(self) -> Population:
        """The flag is known, and false."""
        return self._is("is_false")

    def _is(self, op: Op, values: Sequence[Value] = ()) -> Population:
        # Whole numbers are written as such and compared as the float64 that a panel has.
        plain = [float(v) if isinstance(v, int) and not isinstance(v, bool) else v for v in values]
        return Population((Condition(self._signal, op, tuple(plain)),))


def disjoint(one: Population, other: Population) -> bool:
    """Whether two populations share nobody whatever the data are: some signal cannot satisfy both.

    >>> disjoint(where("plan").is_in("pro"), where("plan").not_in("pro", "free"))
    True
    >>> disjoint(where("plan").is_in("pro"), where("region").is_in("emea"))
    False
    """
    both = one & other
    return any(_impossible([c for c in both.conditions if c.signal == name]) for name in both.signals)


def _impossible(conditions: Collection[Condition]) -> bool:
    """Whether no value satisfies all these conditions on one signal."""
    flags = {"is_true": 1.0, "is_false": 0.0}
    named = [set(c.values) for c in conditions if c.op == "in"] + [{flags[c.op]} for c in conditions if c.op in flags]
    if named:
        left = set.intersection(*map(set, named))
        return not any(all(c.holds(value) for c in conditions) for value in left)
    low = max((float(c.values[0]) for c in conditions if c.op == "at_least"), default=-math.inf)
    high = min((float(c.values[0]) for c in conditions if c.op == "at_most"), default=math.inf)
    left_out = {value for c in conditions if c.op == "not_in" for value in c.values}
    return low > high or (low == high and low in left_out)
