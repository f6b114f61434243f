"""Scores of two moments whose difference is split."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from features.signals.signal import Phrase, Signal, Unit
from tests.kit.scorers import WORDS, make_signals

AGE, LAST, WINDOW = "age_days", "days_since_visit", "visits_28d"


def signals() -> list[Signal]:
    def number(name: str, unit: Unit, window: str) -> Signal:
        return Signal(name, "usage", unit, window, "never", name, Phrase("It is {value}."), by_clock=True)

    clocked = [
        number(AGE, "days", "before as_of"),
        number(LAST, "days", "before as_of"),
        number(WINDOW, "count", "[as_of - 28 d, as_of)"),
    ]
    return [*clocked, *make_signals()[3:]]


def inputs(**more: Any) -> dict[str, Any]:
    plain = {AGE: 10.0, LAST: 3.0, WINDOW: 5.0, "number_3": 100.0, "number_4": None, "number_5": 0.0}
    return {**plain, "word_0": "alpha", "word_1": None, **more}


number = st.none() | st.floats(-1e9, 1e9, allow_nan=False)


rows = st.fixed_dictionaries(
    {
        **{name: number for name in (AGE, LAST, WINDOW, "number_3", "number_4", "number_5")},
        **{name: st.none() | st.sampled_from([*WORDS, "unseen"]) for name in ("word_0", "word_1")},
    }
)
