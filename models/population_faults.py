"""Validates a model's population; each fault names the model's file, the field, the rule and the next step."""

from __future__ import annotations

import math
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

from features.kit.errors import Fault
from features.signals.signal import Entity, Signal
from features.sources.schema import ENTITIES, TABLES
from models.condition import Condition

_FLAG, _LIMIT, _LIST = ("is_true", "is_false"), ("at_least", "at_most"), ("in", "not_in")


def place(model: str, signal: str) -> str:
    """The place of a fault: the model's file, the field, the signal."""
    return f"models/{model.replace('-', '_')}.py, field population, {signal or 'a condition'}"


def malformed(model: str, conditions: Sequence[Condition]) -> list[Fault]:
    """Faults of conditions that do not depend on data."""
    found = []
    for condition in conditions:
        values, said = condition.values, ""
        rule, step = "", 'write where("plan").is_in("enterprise")'
        if not condition.signal:
            said, rule = "no signal is named", "a condition is about one signal"
        elif condition.op in _FLAG and values:
            said, rule = f"{len(values)} values", f"{condition.op} takes none"
        elif condition.op in _LIST and not values:
            said, rule = "no value", f"{condition.op} names at least one"
        elif condition.op in _LIMIT and (len(values) != 1 or not _is_number(values[0])):
            said, rule = _shown(values), f"{condition.op} takes one number"
            step = 'write where("paid_seats").at_least(10)'
        elif condition.op in _LIST and not (
            all(isinstance(v, str) and v for v in values) or all(map(_is_number, values))
        ):
            said, rule = _shown(values), "the values are all texts or all finite numbers"
        if said:
            found.append(Fault(where=place(model, condition.signal), found=said, rule=rule, next_step=step))
    return found


def unreadable(model: str, entity: Entity, conditions: Sequence[Condition], signals: Sequence[Signal]) -> list[Fault]:
    """Conditions that do not fit the signals of a source: unknown names, texts for a number, numbers for a category."""
    offered, found = {signal.name: signal for signal in signals}, malformed(model, conditions)
    for condition in conditions if not found else ():
        where, signal = place(model, condition.signal), offered.get(condition.signal)
        if signal is None:
            found.append(_no_signal(model, entity, condition.signal, signals))
            continue
        kinds = "category" if signal.is_category else "flag" if signal.unit == "flag" else "number"
        fits = {"category": condition.of_words, "flag": condition.op in _FLAG, "number": condition.op not in _FLAG}
        if not fits[kinds] or (kinds == "number" and condition.of_words):
            found.append(
                Fault(
                    where=where,
                    found=f"{condition.op} of {_shown(condition.values)}",
                    rule=_RULES[kinds],
                    next_step=_STEPS[kinds].format(signal.name),
                )
            )
    return found


_RULES = {
    "category": "it is a text out of a vocabulary: is_in and not_in with texts",
    "flag": "it is true or false: is_true and is_false",
    "number": "it is a number: is_in and not_in with numbers, at_least, at_most",
}
_STEPS = {
    "category": 'write where("{}").is_in("...")',
    "flag": 'write where("{}").is_true()',
    "number": 'write where("{}").at_least(...)',
}


def unknown_words(model: str, conditions: Sequence[Condition], columns: Any) -> list[Fault]:
    """Words that no row has."""
    found = []
    for condition in conditions:
        if not condition.of_words:
            continue
        known = sorted({word.strip() for word in set(columns[condition.signal].to_pylist()) if word is not None})
        for word in condition.values:
            if str(word).strip() not in known:
                near = get_close_matches(str(word), known, n=3, cutoff=0.5) or known[:5]
                listed = ", ".join(near) + (", ..." if len(known) > len(near) else "")
                found.append(
                    Fault(
                        where=place(model, condition.signal),
                        found=f"{word!r}, which no row has",
                        rule="a population names words that the signal has",
                        next_step=f"write one of {listed}"
                        if known
                        else f"deliver {condition.signal}: it has no value in any row",
                    )
                )
    return found


def _no_signal(model: str, entity: Entity, name: str, signals: Sequence[Signal]) -> Fault:
    table = ENTITIES[entity]
    near = get_close_matches(name, [signal.name for signal in signals], n=3)
    canonical = TABLES[table].column(name) is not None
    said = f"a column of {table}, and no signal" if canonical else "no signal of the source is called so"
    step = f"write one of {', '.join(near)}" if near else "write the name of a signal (python -m features catalog)"
    return Fault(
        where=place(model, name),
        found=said,
        rule="a population is stated over signals that the source offers",
        next_step=f"{step}; a column of {table}.sql beyond the canonical ones is a signal too",
    )


def _shown(values: Sequence[object]) -> str:
    return ", ".join(map(repr, values)) or "no value"


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
