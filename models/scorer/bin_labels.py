"""The bins of a signal as people read them: which values lie in each, how many rows it had, how often the outcome came."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from models.scorer.amounts import TINY, WHOLE, amount
from models.scorer.artefact_schema import Bins, SignalSpec
from models.scorer.sentences import is_named, shown

NOT_KNOWN, OTHER, NAMED = "not known", "any other", "(one of its own)"
"""No value; a word that the scorer does not know; a word that may name somebody, such as a mail address."""


class LabelledBin(NamedTuple):
    """One bin."""

    place: int
    """In the order of `Bins.counts`; -1 for missing values."""
    value: str
    rows: int
    rate: float
    """Share with the outcome, 0 to 1; 0 without rows."""


def labelled_bins(signal: SignalSpec) -> list[LabelledBin]:
    """The bins that had rows, in the order of the values, missing values last; none of a signal without bins."""
    bins = signal.bins
    if bins is None:
        return []
    labels = _words(signal) if signal.vocabulary is not None else list(_ranges(signal, bins))
    found = [
        LabelledBin(place, *each)
        for place, each in enumerate(zip(labels, bins.counts, bins.rates, strict=False))
        if each[1]
    ]
    if bins.missing_count:
        found.append(LabelledBin(-1, NOT_KNOWN, bins.missing_count, bins.missing_rate))
    return found


def _words(signal: SignalSpec) -> list[str]:
    return [*(NAMED if is_named(word) else shown(word) for word in signal.vocabulary or ()), OTHER]


def _ranges(signal: SignalSpec, bins: Bins) -> Iterator[str]:
    whole = bins.whole or (signal.unit in WHOLE and all(edge == int(edge) for edge in bins.edges))
    for low, high in pairwise([None, *bins.edges, None]):
        yield label_of(low, high, signal.unit, whole, signal.low, signal.high)


def label_of(
    low: float | None,
    high: float | None,
    unit: str,
    whole: bool,
    least: float | None = None,
    most: float | None = None,
) -> str:
    """The numbers low <= x < high; None is no bound. `whole`: there are only whole ones. `least` and `most` were seen.

    >>> label_of(2.0, 5.0, "count", True), label_of(3.0, 4.0, "count", True), label_of(None, 1.0, "count", True, 0.0)
    ('2 to 4', '3', '0')
    >>> label_of(None, 53.0, "days", True, -4.0), label_of(53.0, None, "days", True), label_of(None, None, "days", True, 1.0, 9.0)
    ('at most 52', '53 or more', '1 to 9')
    >>> label_of(-0.5, -0.2, "change", False), label_of(None, -0.5, "change", False), label_of(0.0, 5e-324, "change", False)
    ('-50 % to -20 %', 'below -50 %', '0 %')
    >>> label_of(5e-324, 0.25, "share", False), label_of(5e-324, None, "share", False), label_of(0.8, 1.0, "share", False)
    ('above 0, below 25 %', 'above 0', '80 % to 100 %')
    >>> label_of(None, 1.0, "flag", True, 0.0, 1.0), label_of(1.0, None, "flag", True, 0.0, 1.0)
    ('no', 'yes')
    """
    if unit == "flag":
        return "yes" if low is not None and low > 0 else "no"
    if low is None and high is None:
        return "any" if least is None or most is None else _span(least, most, unit)
    if whole and high is not None:
        last = high - 1
        first = last if low is None and least == last else low
        return f"at most {amount(last, unit)}" if first is None else _span(first, last, unit)
    if high is None:
        return "above 0" if low is not None and 0 < low <= TINY else f"{amount(low or 0.0, unit)} or more"
    if low is None:
        return amount(0.0, unit) if least == 0.0 and high <= TINY else f"below {amount(high, unit)}"
    if 0 < low <= TINY:
        return f"above 0, below {amount(high, unit)}"
    return _span(low, high if high > TINY or high < 0 else 0.0, unit)


def _span(low: float, high: float, unit: str) -> str:
    first, last = amount(low, unit), amount(high, unit)
    return first if first == last else f"{first} to {last}"
