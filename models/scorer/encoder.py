"""Encodes records by signal name into the numbers that a scorer reads, with each record's faults and warnings."""

from __future__ import annotations

import math
import sys
from array import array
from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any

import numpy as np

from features.kit.errors import Fault
from models.scorer.artefact_schema import ScorerSpec, SignalSpec
from models.scorer.columns import code_of

Codes = dict[str, float]
Record = Mapping[str, Any]
Signal = tuple[int, float, float, Codes | None]
"""Column, usual range (numbers outside it get a warning), codes of the words."""
MOST_FAULTS = 20
"""Faults reported per record; the rest is counted, so that an answer is never much larger than its request."""
LONGEST_NAME = 100
"""Characters of an unknown name that a message repeats."""
SHAPES = 256
"""Sets of names that are cached; callers send few different ones."""


class Encoder:
    """Encodes records of one scorer. What depends on the names alone is computed once per set of names."""

    def __init__(self, spec: ScorerSpec) -> None:
        self._spec = spec
        self._names = [signal.name for signal in spec.signals]
        self.codes: list[Codes | None] = [
            None if s.vocabulary is None else {word: float(code) for code, word in enumerate(s.vocabulary)}
            for s in spec.signals
        ]
        self._signals: dict[str, Signal] = {
            name: (j, *_usual(signal), self.codes[j])
            for j, (name, signal) in enumerate(zip(self._names, spec.signals, strict=True))
        }
        self._nothing = array("d", [math.nan] * len(self._names))
        self._shapes: dict[tuple[str, ...], list[Signal]] = {}
        self._absent: dict[tuple[str, ...], list[str]] = {}
        self._packs: dict[tuple[str, ...], tuple[str, Callable[[list[Any]], Sequence[Any]]]] = {}

    def __call__(
        self, records: Sequence[Record], numbers: Sequence[int] | None = None
    ) -> tuple[np.ndarray, list[list[Fault]], list[list[str]]]:
        """(n, k) float64, and per record its faults (the first `MOST_FAULTS`, and how many more) and its warnings; a row with
        faults is all NaN. `numbers` are the records' own in their faults, by default their places."""
        rows, faults, warnings = [], [], []
        for i, record in zip(range(len(records)) if numbers is None else numbers, records, strict=True):
            wrong: list[Fault] = []
            odd: list[str] = []
            row = self._row(i, record, wrong, odd)
            rows.append(self._nothing if wrong else row)
            faults.append(wrong)
            warnings.append(odd)
        return np.frombuffer(bytearray().join(rows)).reshape(len(rows), len(self._names)), faults, warnings

    def absent(self, names: tuple[str, ...]) -> list[str]:
        """The signals, by name, that are not among `names`."""
        found = self._absent.get(names)
        if found is None:
            given = set(names)
            found = sorted(name for name in self._names if name not in given)
            self._remember(self._absent, names, found)
        return found

    def pack(self, record: Record) -> list[Any]:
        """A record of known names without them: which signals it has, a bit each in hexadecimal, and their values in the
        scorer's order. A third of the size, and `unpack` gives it back."""
        names, values = tuple(record), list(record.values())
        found = self._packs.get(names)
        if found is None:
            columns = [self._signals[name][0] for name in names]
            order = sorted(range(len(columns)), key=columns.__getitem__)
            # With one name or none, itemgetter would give no tuple, and there is nothing to put in order.
            found = f"{sum(1 << j for j in columns):x}", itemgetter(*order) if len(order) > 1 else list
            self._remember(self._packs, names, found)
        held, in_order = found
        return [held, *in_order(values)]

    def unpack(self, packed: Sequence[Any]) -> dict[str, Any]:
        """The record, its signals in the scorer's order. Raises `ValueError` for what `pack` of this scorer did not make."""
        if not (packed and isinstance(packed[0], str)):
            raise ValueError("it is not a packed record")
        held = int(packed[0], 16)
        if held >> len(self._names):
            raise ValueError("it has signals that the scorer does not know")
        names = [name for j, name in enumerate(self._names) if held >> j & 1]
        return dict(zip(names, packed[1:], strict=True))

    def _remember(self, memory: dict[tuple[str, ...], Any], names: tuple[str, ...], found: Any) -> None:
        """Cache by names; unknown names are not cached, because they may be anything and of any length."""
        if all(name in self._signals for name in names):
            if len(memory) >= SHAPES:
                memory.clear()
            memory[names] = found

    def _shape(self, names: tuple[str, ...]) -> list[Signal] | None:
        """The signals of a set of names, cached because a caller sends the same names again; None when one is unknown."""
        found = self._shapes.get(names)
        if found is None and all(name in self._signals for name in names):
            found = [self._signals[name] for name in names]
            self._remember(self._shapes, names, found)
        return found

    def _row(self, i: int, record: Record, wrong: list[Fault], odd: list[str]) -> array[float]:
        row = self._nothing[:]
        shape = self._shape(tuple(record))
        unknown: list[str] = []
        hidden = 0
        if shape is None:
            unknown = [name for name in record if name not in self._signals]
            record = {name: value for name, value in record.items() if name in self._signals}
            shape = [self._signals[name] for name in record]
        for (j, low, high, codes), value in zip(shape, record.values(), strict=True):
            if value is None:
                continue
            # The fast path of most values; `_value` handles the others, with their faults and warnings.
            kind = value.__class__
            if kind is float or kind is int:
                if codes is None and low <= value <= high:
                    row[j] = value
                    continue
            elif kind is str and codes is not None:
                code = codes.get(value)
                if code is not None:
                    row[j] = code
                    continue
            row[j], fault, warning = self._value(i, j, value)
            wrong += [fault] if fault and len(wrong) < MOST_FAULTS else []
            hidden += fault is not None
            odd += [warning] if warning else []
        hidden -= len(wrong)
        told = unknown[: MOST_FAULTS - len(wrong)]
        hidden += len(unknown) - len(told)
        wrong += [self._no_such(i, name) for name in told]
        if hidden:
            wrong.append(the_rest(i, hidden))
        return row

    def _no_such(self, i: int, name: str) -> Fault:
        return Fault(
            where=f"record {i}, signal {name if len(name) <= LONGEST_NAME else name[:LONGEST_NAME] + '...'}",
            found="no such signal",
            rule=f"one of the signals of {self._spec.model}",
            next_step=f"see GET /v1/{self._spec.model} for their names",
        )

    def _value(self, i: int, j: int, value: Any) -> tuple[float, Fault | None, str | None]:
        signal, codes = self._spec.signals[j], self.codes[j]
        where = f"record {i}, signal {signal.name}"
        if codes is not None:
            if not isinstance(value, str):
                return (
                    math.nan,
                    Fault(
                        where=where,
                        found=f"a {kind_of(value)}",
                        rule="a text or null",
                        next_step="send one of the words that it was trained with",
                    ),
                    None,
                )
            code = code_of(value, codes)
            if code == len(codes):
                return code, None, f"{signal.name}: a word that was never seen in training"
            return code, None, None
        if isinstance(value, bool):
            return float(value), None, None
        if not isinstance(value, (int, float)):
            return (
                math.nan,
                Fault(
                    where=where,
                    found=f"a {kind_of(value)}",
                    rule=f"a number ({signal.unit}) or null",
                    next_step="send it without quotes",
                ),
                None,
            )
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if not math.isfinite(number):
            return (
                math.nan,
                Fault(
                    where=where,
                    found="not a finite number",
                    rule=f"a number ({signal.unit}) or null",
                    next_step="send null when it is not known",
                ),
                None,
            )
        low, high = signal.low, signal.high
        if low is not None and high is not None and not low <= number <= high:
            return number, None, f"{signal.name}: outside the range of training ({low:g} to {high:g})"
        return number, None, None


def the_rest(i: int, count: int) -> Fault:
    """One fault that stands for those of a record beyond the first `MOST_FAULTS`."""
    return Fault(
        where=f"record {i}, the rest",
        found=f"{count:,} more faults",
        rule=f"the first {MOST_FAULTS} are told",
        next_step="mend these first",
        count=count,
    )


def _usual(signal: SignalSpec) -> tuple[float, float]:
    """The range of the numbers that get no warning."""
    if signal.low is None or signal.high is None:
        return -sys.float_info.max, sys.float_info.max
    return signal.low, signal.high


def kind_of(value: Any) -> str:
    """The kind of a JSON value as a message names it: text, number, list ..."""
    return {str: "text", bool: "true/false", int: "number", float: "number", list: "list", dict: "object"}.get(
        type(value), "value"
    )
