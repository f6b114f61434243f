"""Reasons in words that a salesperson can read out."""

from __future__ import annotations

import bisect
import math
import re
from typing import Annotated, Literal

import numpy as np
from msgspec import Meta, Struct

from models.scorer.amounts import PERCENT, WHOLE, amount, writer_of
from models.scorer.artefact_schema import ScorerSpec, SignalSpec
from models.scorer.comparisons import NOTHING, Comparison, Comparisons
from models.scorer.sentences import ONE, Value, capital, is_missing, one_of, sentence_of

__all__ = ["Reason", "Speaker", "Value", "amount", "say"]

WAYS = (True, False, None)
"""What an effect does: it raises the probability, lowers it, or is not known."""
KEPT = 5_000
"""Sentences cached per signal: with 60 signals at most 60 MB, and usually far less."""
_FIXED_KEY, _ALONE_KEY = -(2**63), -(2**63) + 16
_LAST_ALONE_KEY = -(2**62)
_LARGE = 2.0**40
HALF = 1e-6
"""A number this near to a rounding boundary gets a sentence of its own."""
_TENS = np.array([1.0, 10.0, 100.0])


class Reason(Struct, frozen=True, gc=False):
    """What one signal, or several that say the same, do to a score."""

    signal: Annotated[
        str,
        Meta(
            description="the strongest of the signals that say it, whose value and sentence are given",
            examples=["active_users_28d"],
        ),
    ]
    theme: Annotated[str, Meta(description="family of the signal", examples=["usage"])]
    value: Annotated[
        Value, Meta(description="of the signal: a number in its unit, a category, or null (missing)", examples=[-0.42])
    ]
    direction: Annotated[
        Literal["up", "down"], Meta(description="whether it raises or lowers the probability", examples=["up"])
    ]
    effect: Annotated[
        float,
        Meta(
            description="on the log-odds, of all its members together; the effects of all reasons and the base sum to them",
            examples=[0.81],
        ),
    ]
    share: Annotated[
        float, Meta(description="of the sum of the absolute effects of all reasons, 0 to 1", examples=[0.31])
    ]
    text: Annotated[
        str,
        Meta(
            description="can be read out by a salesperson",
            examples=["12 users were active in the last 28 days, 21 in the 28 days before."],
        ),
    ]
    members: Annotated[
        dict[str, float],
        Meta(
            description="where several signals say the same: the effect of each on the log-odds; in this order they sum to "
            "`effect`. Empty when the signal stands alone.",
            examples=[{"active_users_28d": 0.62, "active_users_84d": 0.19}],
        ),
    ] = {}  # msgspec copies a default dict


class Speaker:
    """Writes sentences about one signal's values. What does not depend on the value is prepared once; a sentence takes 1 us.

    How often the outcome came for entities like this is told only where that rate lies on the side of the overall one that
    the effect pushes to, beyond noise (`models.scorer.comparisons.side_of`); else the sentence stands without it.
    """

    def __init__(self, spec: ScorerSpec, signal: SignalSpec) -> None:
        self._signal = signal
        self._vocabulary = (
            None if signal.vocabulary is None else {word: at for at, word in enumerate(signal.vocabulary)}
        )
        self._compared = Comparisons(spec, signal)
        self._edges = signal.bins.edges if signal.bins else []
        self._amount = writer_of(signal.unit)
        said = signal.words
        place = {each.name: at for at, each in enumerate(spec.signals)}
        self.beside = place.get(said.beside or "") if said.pair else None
        """The place of the signal that holds the newer side of a comparison; None for a signal that is no comparison."""
        self._beside_unit = None if self.beside is None else spec.signals[self.beside].unit
        self._above, self._below = _Template.of(said.some), _Template.of(said.negative or said.some)
        self._ends = {up: [self._end(compared, up) for compared in self._compared.bins] for up in WAYS}
        fixed: tuple[Value, ...] = (None, *(signal.vocabulary or (0.0,)))
        self._fixed = {up: {value: self._say(value, up) for value in fixed} for up in WAYS}
        self._known: dict[int, str] = {}
        # By code: each word, any word that was never seen, and nothing.
        self._by_code: dict[bool | None, list[str]] | None = None
        if signal.vocabulary is not None:
            unseen = "".join(signal.vocabulary) + "?"
            values = [*signal.vocabulary, unseen, None]
            self._by_code = {up: [self(value, up) for value in values] for up in WAYS}

    def __call__(self, value: Value, up: bool | None = None, beside: Value = None) -> str:
        """One sentence about a value. `up`: whether its effect raises the probability, None for no word of the outcome.
        `beside`: the value of the signal that it is compared with, when there is one."""
        if beside is not None:
            paired = self._pair(value, beside)
            if paired is not None:
                return self._with(paired, self._end(self._comparison(value), up))
        said = self._fixed[up].get(value)
        if said is not None:
            return said
        if isinstance(value, str) or value is None or math.isnan(value):
            return self._say(value, up)
        end = self._ends[up][bisect.bisect_right(self._edges, value)]
        template = self._below if value < 0 else self._above
        if template is None:
            return self._with(sentence_of(self._signal, value), end)
        written = self._amount(abs(value) if template.is_size else value)
        if written in ONE or written[0] > "9":  # less than ...
            return self._with(sentence_of(self._signal, value), end)
        return f"{template.head}{written}{template.rest}{end or template.last}"

    def many(
        self, values: np.ndarray, up: bool | None = None, beside: np.ndarray | None = None
    ) -> tuple[np.ndarray, list[str]]:
        """((m,) int64 places, texts) of (m,) encoded values: `texts[places[i]]` is what a call says of value i.

        `beside`: (m,) values of the signal that it is compared with. Only values that read alike share a text, and each text
        is put together once.
        """
        if self._by_code is not None:
            unseen = len(self._by_code[up]) - 2
            codes = np.where(np.isnan(values), unseen + 1, np.minimum(values, unseen)).astype(np.int64)
            used, places = np.unique(codes, return_inverse=True)
            return places, [self._by_code[up][code] for code in used.tolist()]
        if self.beside is not None and beside is not None:
            pairs = zip(values.tolist(), beside.tolist(), strict=True)
            texts = [self(v, up, None if math.isnan(b) else b) for v, b in pairs]
            return np.arange(len(values)), texts
        keys, first, places = np.unique(self._keys(values), return_index=True, return_inverse=True)
        texts = [self._keep(key, v, up) for key, v in zip(keys.tolist(), values[first].tolist(), strict=True)]
        return places, texts

    def _keep(self, key: int, value: float, up: bool | None) -> str:
        if key < _LAST_ALONE_KEY:  # not a key of its own meaning: it numbers the odd values of one call
            return self(value, up)
        key = 3 * key + (0 if up is None else 1 if up else 2)
        said = self._known.get(key)
        if said is None:
            if len(self._known) >= KEPT:
                self._known.clear()
            said = self._known[key] = self(value, up)
        return said

    def _keys(self, values: np.ndarray) -> np.ndarray:
        """(m,) int64: values with the same key read alike, because they are shown with the same digits and lie in one bin."""
        gone = np.isnan(values)
        number = np.where(gone, 0.0, values)
        shown, decimals = number, np.zeros(len(number), dtype=np.int64)
        if self._signal.unit in PERCENT:
            shown = 100 * np.clip(number, -1e300, 1e300)
            decimals[(np.abs(shown) < 1) & (shown != 0)] = 1
        elif self._signal.unit == "money":
            decimals[np.abs(number) < 100] = 2
        elif self._signal.unit not in WHOLE:
            decimals[(np.abs(number) < 100) & (number != np.trunc(number))] = 1
        scaled = shown * _TENS[decimals]
        digits = np.rint(scaled)
        # Python rounds the decimals of the exact number; scaling rounds once more, which matters only next to a half.
        halves = (decimals > 0) & (np.abs(np.abs(scaled - np.trunc(scaled)) - 0.5) < HALF)
        alone = (np.abs(digits) >= _LARGE) | halves
        if "{rise}" in self._signal.words.some:
            alone |= number > 0  # shown in other digits than its own
        place = np.searchsorted(self._edges, number, side="right") if self._edges else 0
        keys = np.where(alone, 0, digits).astype(np.int64)
        # 2^40 digits, 3 ways to show them, 2 signs and the bins fit into 62 bits.
        keys = ((keys * 3 + decimals) * 2 + (number < 0)) * (len(self._edges) + 1) + place
        if alone.any():
            keys[alone] = _ALONE_KEY + np.unique(number[alone], return_inverse=True)[1]
        keys[number == 0] = _FIXED_KEY + 1
        keys[gone] = _FIXED_KEY
        return keys

    def _pair(self, value: Value, beside: Value) -> str | None:
        """Both sides of a comparison; None where they are not known, or do not fit each other (a request may say anything)."""
        signal, unit = self._signal, self._beside_unit
        if self.beside is None or unit is None or is_missing(value) or is_missing(beside):
            return None
        if isinstance(value, str) or isinstance(beside, str):
            return None
        change, new = float(value), float(beside)  # type: ignore[arg-type]  # not missing
        old: float | None
        if signal.unit != "change":
            old = new - change
        elif change <= -1:
            old = None if new == 0 else math.nan
        else:
            old = new * (1 - change) if change > 0 else new / (1 + change)
        if old is not None:
            near = (
                round(old, 2)
                if unit == "money"
                else float(round(old))
                if unit == "count" and math.isfinite(old)
                else old
            )
            if not math.isfinite(old) or old < 0 or new < 0 or abs(old - near) > 1e-6 * max(1.0, abs(old)):
                return None
            old = near
        if old == new or (unit == "money" and not (old and new)):
            return None  # the percentages say these better
        said = (signal.words.pair or "").replace("{new}", "no" if new == 0 and unit == "count" else amount(new, unit))
        before = "some" if old is None else "none" if old == 0 and unit == "count" else amount(old, unit)
        return capital(one_of(said.replace("{old}", before)))

    def _comparison(self, value: Value) -> Comparison:
        if is_missing(value):
            return self._compared.missing
        if isinstance(value, str):
            place = None if self._vocabulary is None else self._vocabulary.get(value)
            return NOTHING if place is None else self._compared.bins[place]
        return self._compared.bins[bisect.bisect_right(self._edges, float(value))]  # type: ignore[arg-type]  # not missing

    def _say(self, value: Value, up: bool | None) -> str:
        return self._with(sentence_of(self._signal, value), self._end(self._comparison(value), up))

    @staticmethod
    def _end(comparison: Comparison, up: bool | None) -> str:
        """The comparison that replaces a sentence's stop; empty when there is none to tell."""
        text, side = comparison
        return f"; {text}." if side and up is not None and up == (side > 0) else ""

    @staticmethod
    def _with(sentence: str, end: str) -> str:
        return sentence[:-1] + end if end else sentence


def say(spec: ScorerSpec, signal: SignalSpec, value: Value, up: bool | None = None) -> str:
    """One sentence about a value; see `Speaker.__call__`."""
    return Speaker(spec, signal)(value, up)


class _Template(Struct, frozen=True):
    """A sentence about a number: the text before and after it."""

    head: str
    rest: str
    last: str
    """Its last character, in whose place the comparison comes."""
    is_size: bool
    """Whether it says the number without its sign."""

    @classmethod
    def of(cls, text: str) -> _Template | None:
        """None for one whose words depend on the number, or that has none or several of them."""
        found = re.fullmatch(r"([^{}]*)\{(value|size)\}([^{}]+)", text)
        if found is None or "1 " in text or found[1].endswith("1"):
            return None
        return cls(capital(found[1]), found[3][:-1], found[3][-1], found[2] == "size")
