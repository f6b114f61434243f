"""Reasons in words that a salesperson can read out."""

from __future__ import annotations

import bisect
import math
import re
from collections.abc import Callable
from typing import Annotated, Literal

import numpy as np
from msgspec import Meta, Struct

from models.spec import ScorerSpec, SignalSpec

FEWEST = 50
"""Fewer entities like this one say nothing about the next: the sentence about them is left out."""

_IDENTIFIER = re.compile(r"\S@\S|\d{7}|[0-9a-fA-F]{16}|[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-")
"""Mail addresses, long numbers, hashes, UUIDs."""
_ODD = {"people": "person"}
_PLURAL = re.compile(r"(?<![\d.,])1 (people|\w+[^\Ws]s)\b(?! and| or|,)")

Value = float | int | bool | str | None
KEPT = 5_000
"""Sentences that a speaker remembers: with 60 signals at most 60 MB, and usually far less."""
PERCENT = ("share", "change")
"""Units that are shown as percent."""
WHOLE = ("count", "days", "months", "years", "flag")
"""Units that are shown without decimals."""
_FIXED_KEY, _ALONE_KEY = -(2**63), -(2**63) + 16
_LAST_ALONE_KEY = -(2**62)
_LARGE = 2.0**40
HALF = 1e-6
"""How near to a half the last digit shown is told from the number itself."""
_TENS = np.array([1.0, 10.0, 100.0])


class Reason(Struct, frozen=True, gc=False):
    """One signal's part in a score."""

    signal: Annotated[str, Meta(examples=["active_users_28d"])]
    theme: Annotated[str, Meta(examples=["usage"])]
    value: Value
    direction: Annotated[Literal["up", "down"], Meta(description="whether it raises or lowers the probability")]
    effect: Annotated[float, Meta(description="on the log-odds; the effects of all signals and the base sum to them")]
    share: Annotated[float, Meta(description="of the sum of the absolute effects of all signals, 0 to 1")]
    text: Annotated[str, Meta(description="can be read out by a salesperson")]


class Speaker:
    """Says one signal's values: what does not depend on the value is put together once, so that a sentence costs 1 us."""

    def __init__(self, spec: ScorerSpec, signal: SignalSpec) -> None:
        self._spec, self._signal = spec, signal
        fixed: tuple[Value, ...] = (0.0,) if signal.vocabulary is None else tuple(signal.vocabulary)
        self._fixed = {value: self._say(value) for value in (None, *fixed)}
        bins = signal.bins
        self._edges = bins.edges if bins else []
        self._ends = [self._end(place) for place in range(len(bins.rates) if bins else 1)]
        self._amount = _WRITERS.get(signal.unit, _plain)
        said = signal.words
        self._above, self._below = _Template.of(said.some), _Template.of(said.negative or said.some)
        self._known: dict[int, str] = {}
        # By code: each word, any word that was never seen, and nothing.
        words = signal.vocabulary
        self._by_code = None if words is None else [*map(self, words), self("".join(words) + "?"), self(None)]

    def __call__(self, value: Value) -> str:
        """One sentence about a value, with how often the outcome came for entities like this."""
        said = self._fixed.get(value)
        if said is not None:
            return said
        if isinstance(value, str) or value is None or math.isnan(value):
            return self._say(value)
        end = self._ends[bisect.bisect_right(self._edges, value)]
        template = self._below if value < 0 else self._above
        if template is None:
            sentence = _sentence(self._signal, value)
            return sentence[:-1] + end if end else sentence
        written = self._amount(abs(value) if template.is_size else value)
        if written in _ONE:
            sentence = _sentence(self._signal, value)
            return sentence[:-1] + end if end else sentence
        return f"{template.head}{written}{template.rest}{end or template.last}"

    def many(self, values: np.ndarray) -> tuple[np.ndarray, list[str]]:
        """((m,) int64 places, texts) of (m,) encoded values: `texts[places[i]]` is what a call says of value i.

        Only values that read alike share a text, and each text is put together once.
        """
        if self._by_code is not None:
            unseen = len(self._by_code) - 2
            codes = np.where(np.isnan(values), unseen + 1, np.minimum(values, unseen)).astype(np.int64)
            used, places = np.unique(codes, return_inverse=True)
            return places, [self._by_code[code] for code in used.tolist()]
        keys, first, places = np.unique(self._keys(values), return_index=True, return_inverse=True)
        return places, [self._keep(key, v) for key, v in zip(keys.tolist(), values[first].tolist(), strict=True)]

    def _keep(self, key: int, value: float) -> str:
        if key < _LAST_ALONE_KEY:  # not a key of its own meaning: it numbers the odd values of one call
            return self(value)
        said = self._known.get(key)
        if said is None:
            if len(self._known) >= KEPT:
                self._known.clear()
            said = self._known[key] = self(value)
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
        # Python rounds the decimals of the exact number; scaling rounds once more, which tells only next to a half.
        halves = (decimals > 0) & (np.abs(np.abs(scaled - np.trunc(scaled)) - 0.5) < HALF)
        alone = (np.abs(digits) >= _LARGE) | halves
        place = np.searchsorted(self._edges, number, side="right") if self._edges else 0
        keys = np.where(alone, 0, digits).astype(np.int64)
        # 2^40 digits, 3 ways to show them, 2 signs and the bins fit into 62 bits.
        keys = ((keys * 3 + decimals) * 2 + (number < 0)) * (len(self._edges) + 1) + place
        if alone.any():
            keys[alone] = _ALONE_KEY + np.unique(number[alone], return_inverse=True)[1]
        keys[number == 0] = _FIXED_KEY + 1
        keys[gone] = _FIXED_KEY
        return keys

    def _end(self, place: int) -> str:
        bins = self._signal.bins
        found = None if bins is None else _like_this(self._spec, bins.rates[place], bins.counts[place])
        return f"; {found}." if found else ""

    def _say(self, value: Value) -> str:
        sentence, comparison = _sentence(self._signal, value), _comparison(self._spec, self._signal, value)
        return f"{sentence[:-1]}; {comparison}." if comparison else sentence


def say(spec: ScorerSpec, signal: SignalSpec, value: Value) -> str:
    """One sentence about a value, with how often the outcome came for entities like this."""
    return Speaker(spec, signal)(value)


def _sentence(signal: SignalSpec, value: Value) -> str:
    words = signal.words
    if _is_missing(value):
        return words.missing or f"{_capital(signal.label)}: not known."
    if isinstance(value, str):
        if value not in (signal.vocabulary or ()):
            # It may be anything, a name or an identifier among others, and is not for reading out.
            return f"{_capital(signal.label)}: a value that was not seen before."
        if _IDENTIFIER.search(value):
            return f"{_capital(signal.label)}: one of the values seen before."
        return _capital(words.some.replace("{value}", value.replace("_", " ")))
    number = float(value)  # type: ignore[arg-type]  # not missing, not a text
    if number == 0 and words.zero:
        return words.zero
    template = words.negative if number < 0 and words.negative else words.some
    said = template.replace("{value}", amount(number, signal.unit)).replace("{size}", amount(abs(number), signal.unit))
    return _capital(_one(said))


def _one(sentence: str) -> str:
    """The singular after a lone 1.

    >>> _one("There were 1 visits to our site."), _one("1 people were in contact."), _one("1.1 days, 21 days, 1 day")
    ('There was 1 visit to our site.', '1 person was in contact.', '1.1 days, 21 days, 1 day')
    """
    if "1 " not in sentence:
        return sentence
    single = _PLURAL.sub(lambda found: f"1 {_ODD.get(found[1], found[1][:-1])}", sentence)
    if single == sentence:
        return sentence
    return re.sub(r"^There were (?=1 )", "There was ", re.sub(r"^(1 \w+) were\b", r"\1 was", single))


def amount(number: float, unit: str) -> str:
    """A number as people write it.

    >>> amount(0.42, "share"), amount(17760.0, "money"), amount(2.25, "rate"), amount(41.0, "days")
    ('42 %', '17,760', '2.2', '41')
    """
    return _WRITERS.get(unit, _plain)(number)


def _percent(number: float) -> str:
    percent = 100 * number
    return f"{percent:.0f} %" if abs(percent) >= 1 or percent == 0 else f"{percent:.1f} %"


def _whole(number: float) -> str:
    return f"{number:,.0f}"


def _money(number: float) -> str:
    return f"{number:,.0f}" if abs(number) >= 100 else f"{number:,.2f}"


def _plain(number: float) -> str:
    return f"{number:,.0f}" if abs(number) >= 100 or number == int(number) else f"{number:,.1f}"


_WRITERS: dict[str, Callable[[float], str]] = {
    **dict.fromkeys(PERCENT, _percent),
    **dict.fromkeys(WHOLE, _whole),
    "money": _money,
}
_ONE = ("1", "-1")
"""What the words around may have to follow (`_one`)."""


class _Template(Struct, frozen=True):
    """A sentence about a number: what stands before it and behind it."""

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
        return cls(_capital(found[1]), found[3][:-1], found[3][-1], found[2] == "size")


def _comparison(spec: ScorerSpec, signal: SignalSpec, value: Value) -> str | None:
    bins = signal.bins
    if bins is None:
        return None
    if _is_missing(value):
        rate, count = bins.missing_rate, bins.missing_count
    elif isinstance(value, str):
        if not signal.vocabulary or value not in signal.vocabulary:
            return None
        place = signal.vocabulary.index(value)
        rate, count = bins.rates[place], bins.counts[place]
    else:
        place = bisect.bisect_right(bins.edges, float(value))  # type: ignore[arg-type]
        rate, count = bins.rates[place], bins.counts[place]
    return _like_this(spec, rate, count)


def _like_this(spec: ScorerSpec, rate: float, count: int) -> str | None:
    if count < FEWEST:
        return None
    return f"of {spec.crowd} like this {_rate(rate)} {spec.outcome} within {spec.horizon_days} days ({_rate(spec.base_rate)} overall)"


def _rate(rate: float) -> str:
    return f"{100 * rate:.0f} %" if rate >= 0.0995 or rate == 0 else f"{100 * rate:.1f} %"


def _is_missing(value: Value) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
