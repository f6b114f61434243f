"""Compares an entity with those in the same bin of a signal: "of accounts that used 3 features, 19 % left (7 % overall)"."""

from __future__ import annotations

import math
from itertools import pairwise

from models.scorer.amounts import TINY, WHOLE, amount, rise, span
from models.scorer.artefact_schema import ScorerSpec, SignalSpec
from models.scorer.sentences import clause, is_named, one_of, sentence_of, shown

FEWEST = 50
"""Smallest bin to compare with; the rate of a smaller one says too little and is left out."""
Z = 1.959964
"""Two-sided 95 % quantile of the normal distribution."""

Comparison = tuple[str, int]
"""The text about the bin's rate, and the side of the overall rate on which it lies: 1 above, -1 below. ("", 0): no comparison."""
NOTHING: Comparison = ("", 0)


def side_of(rate: float, count: int, overall: float) -> int:
    """1 or -1 when the rate lies above or below the overall one beyond noise, else 0.

    Beyond noise: the overall rate is outside Wilson's 95 % interval of the bin's (Wilson, 1927), and the two do not read alike.

    >>> side_of(0.06, 400, 0.07), side_of(0.02, 400, 0.07), side_of(0.02, 49, 0.07), side_of(0.19, 200, 0.07)
    (0, -1, 0, 1)
    """
    if count < FEWEST or _rate(rate) == _rate(overall):
        return 0
    z2 = Z * Z / count
    middle, half = rate + z2 / 2, Z * math.sqrt(rate * (1 - rate) / count + z2 / (4 * count))
    low, high = (middle - half) / (1 + z2), (middle + half) / (1 + z2)
    return 1 if low > overall else -1 if high < overall else 0


def without_comparison(text: str, crowd: str) -> str:
    """A reason's sentence about the entity alone. `crowd`: what the model's entities are called (`Model.crowd`).

    >>> without_comparison("It is idle for 9 days; of leads idle for 8 or more days, 2 % bought (6.4 % overall).", "leads")
    'It is idle for 9 days.'
    >>> without_comparison("It is idle for 9 days; the longest ever.", "leads")
    'It is idle for 9 days; the longest ever.'
    """
    head, found, rest = text.partition(f"; of {crowd} ")
    return f"{head}." if found and rest.endswith(" overall).") else text


class Comparisons:
    """The comparisons of one signal: one per bin of a number or code of a word, and one for missing values."""

    def __init__(self, spec: ScorerSpec, signal: SignalSpec) -> None:
        self._spec, self._signal = spec, signal
        bins = signal.bins
        self.missing = NOTHING
        self.bins = [NOTHING] * (1 if signal.vocabulary is None else len(signal.vocabulary) + 1)
        if bins is None:
            return
        gone = clause(sentence_of(signal, None)) if signal.words.missing else "that is not known"
        self.missing = self._of(f"where {gone}", bins.missing_rate, bins.missing_count)
        alike = self._words() if signal.vocabulary is not None else self._ranges(bins.edges, len(bins.rates))
        self.bins = [self._of(*one) for one in zip(alike, bins.rates, bins.counts, strict=True)]

    def _of(self, alike: str, rate: float, count: int) -> Comparison:
        spec = self._spec
        side = side_of(rate, count, spec.base_rate) if alike else 0
        if not side:
            return NOTHING
        when = f" within {spec.horizon_days} days" if spec.horizon_days else ""
        return f"of {spec.crowd} {alike}, {_rate(rate)} {spec.outcome}{when} ({_rate(spec.base_rate)} overall)", side

    def _words(self) -> list[str]:
        """Nothing is said of a word that was never seen, or that may name somebody."""
        signal = self._signal
        found = []
        for word in signal.vocabulary or ():
            like = signal.words.like
            said = like.replace("{value}", shown(word)) if like else f"where {clause(sentence_of(signal, word))}"
            found.append("" if is_named(word) else said)
        return [*found, ""]

    def _ranges(self, edges: list[float], count: int) -> list[str]:
        """`count` ranges: of a signal without any number in training one, without edges."""
        ends = [None, *edges, None]
        bins, unit = self._signal.bins, self._signal.unit
        whole = (bins is not None and bins.whole) or (unit in WHOLE and all(edge == math.trunc(edge) for edge in edges))
        return [self._range(low, high, whole) for low, high in pairwise(ends)][:count]

    def _range(self, low: float | None, high: float | None, whole: bool) -> str:
        signal, words = self._signal, self._signal.words
        if low is None and high is None:
            return ""  # everybody
        lowest = signal.low if low is None and signal.low is not None else low
        only_zero = lowest == 0 and high is not None and (high == 1 if whole else high <= 1e-300)
        if only_zero and (words.zero or not words.like):
            return f"where {clause(sentence_of(signal, 0.0))}"
        if signal.unit == "flag":
            flag = 1.0 if lowest is not None and lowest > 0 else None
            return "" if flag is None else f"where {clause(sentence_of(signal, flag))}"
        below = high is not None and high <= 0
        both = (
            not below
            and (lowest is None or lowest < 0)
            and (words.negative is not None or words.like_negative is not None)
        )
        if both:
            return ""  # two sentences, and no word for both
        if below and (words.negative is not None or words.like_negative is not None):
            like, template = words.like_negative, words.negative or words.some
            least, most = (None if high is None else -high), (None if low is None else -low)
            if whole and least is not None:
                least, most = least + 1, None if most is None else most + 1
            if not least and most is None:
                return self._said(like, template).replace(" by {size}", "").replace("{size}", "some")
            said = span(None if least == 0 else least, most, signal.unit, whole)
        else:
            like, template = words.like, words.some
            if "{rise}" in (like or template):
                if low is not None and low >= 1:
                    return one_of(self._said(like, template).replace("by {rise}", "from nothing"))
                if high is None and (low or 0.0) <= TINY:
                    return self._said(like, template).replace(" by {rise}", "")
                low, high = rise(low or 0.0), None if high is None else rise(high)
            only = high is None and low is not None and low == signal.high and not whole
            said = amount(low, signal.unit) if only and low is not None else span(low, high, signal.unit, whole)
        filled = self._said(like, template)
        for gap in ("{value}", "{size}", "{rise}"):
            filled = filled.replace(gap, said)
        return one_of(filled)

    @staticmethod
    def _said(like: str | None, template: str) -> str:
        return like or f"where {clause(template)}"


def _rate(rate: float) -> str:
    return f"{100 * rate:.0f} %" if rate >= 0.0995 or rate == 0 else f"{100 * rate:.1f} %"
