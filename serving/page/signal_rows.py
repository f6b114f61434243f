"""What the pages show of a version's signals: shapes, rates with intervals, effects as factors of the odds."""

from __future__ import annotations

import math
from dataclasses import dataclass

from markupsafe import Markup

from models.signal_card import SignalBin, SignalCard, SignalOfCard
from serving.page import charts
from serving.page.formats import MISSING, percent
from serving.page.model_charts import end_of

Z = 1.959964
"""Two-sided 95 % quantile of the normal distribution."""

LEAST_END = 0.5
"""The shortest axis of effects, on the log-odds: odds times 1.65. On a shorter one what hardly matters would look strong."""


@dataclass(frozen=True)
class SignalRow:
    """One signal of the list."""

    signal: SignalOfCard
    shape: Markup
    """Its effects by bin; empty without effects."""
    lowest: SignalBin | None
    """The bins with the lowest and the highest rate; None with fewer than two bins."""
    highest: SignalBin | None


@dataclass(frozen=True)
class BinRow:
    """One bin of a signal, with its pictures."""

    bin: SignalBin
    rate: str
    span: str
    """The 95 % interval of the rate."""
    rate_picture: Markup
    effect: str
    """On the log-odds."""
    odds: str
    """The same as a factor of the odds."""
    effect_picture: Markup


def has_effects(card: SignalCard) -> bool:
    """Whether effects are kept; a version of 0.2 has rates alone."""
    return any(each.share is not None for each in card.signals)


def rows(card: SignalCard, listed: list[SignalOfCard]) -> list[SignalRow]:
    """The rows of some signals; their shapes have one scale, that of all signals."""
    largest = max((abs(b.effect) for each in card.signals for b in each.bins if b.effect is not None), default=0.0)
    return [_row(each, largest) for each in listed]


def _row(signal: SignalOfCard, largest: float) -> SignalRow:
    told = [each for each in signal.bins if each.effect is not None]
    shape = Markup("")
    if told:
        said = "; ".join(f"{each.value}: {signed(each.effect or 0.0)}" for each in told)
        # The root: beside one strong signal the shape of the others would be a line.
        shape = charts.spark(
            [math.copysign(math.sqrt(abs(e.effect or 0.0)), e.effect or 0.0) for e in told], math.sqrt(largest), said
        )
    by_rate = sorted((each for each in signal.bins if each.rate is not None), key=lambda each: each.rate or 0.0)
    ends = (by_rate[0], by_rate[-1]) if len(by_rate) > 1 else (None, None)
    return SignalRow(signal, shape, *ends)


def bin_rows(signal: SignalOfCard, base_rate: float) -> list[BinRow]:
    """The bins of a signal as the page shows them."""
    spans = [wilson(each.rate, each.rows) for each in signal.bins]
    end = end_of([*(high for _, high in spans), base_rate])
    told = [abs(v) for each in signal.bins for v in (each.effect, each.low, each.high) if v is not None]
    largest = max([*told, LEAST_END])
    return [_bin(each, span, base_rate, end, largest) for each, span in zip(signal.bins, spans, strict=True)]


def _bin(found: SignalBin, span: tuple[float, float], base_rate: float, end: float, largest: float) -> BinRow:
    rate = effect = MISSING
    between = odds = ""
    rate_picture = effect_picture = Markup("")
    if found.rate is not None and found.rows:
        rate, between = percent(found.rate), f"({percent(span[0]).removesuffix(' %')} to {percent(span[1])})"
        said = f"{rate} {between}, against {percent(base_rate)} of all"
        rate_picture = charts.interval(found.rate, *span, base_rate, end, said)
    if found.effect is not None:
        effect, odds = signed(found.effect), f"(odds × {math.exp(found.effect):.2f})"
        effect_picture = charts.spread(found.effect, found.low, found.high, largest, f"{effect} {odds}")
    return BinRow(found, rate, between, rate_picture, effect, odds, effect_picture)


def wilson(rate: float | None, count: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson, 1927).

    >>> low, high = wilson(0.1, 100)
    >>> round(low, 3), round(high, 3)
    (0.055, 0.174)
    """
    if rate is None or not count:
        return 0.0, 0.0
    z2 = Z * Z / count
    middle, half = rate + z2 / 2, Z * math.sqrt(rate * (1 - rate) / count + z2 / (4 * count))
    return max(0.0, (middle - half) / (1 + z2)), min(1.0, (middle + half) / (1 + z2))


def signed(effect: float) -> str:
    """
    >>> signed(0.713), signed(-1.3127), signed(0.001)
    ('+0.71', '−1.31', '0.00')
    """
    return f"{effect:+.2f}".replace("-", "−") if abs(effect) >= 0.005 else "0.00"


def strongest(card: SignalCard | None, count: int) -> list[SignalRow]:
    """The rows of the strongest signals; none without effects."""
    return rows(card, card.signals[:count]) if card is not None and has_effects(card) else []
