"""Every signal of the catalog as a scorer describes it, and what a sentence about one must not look like."""

from __future__ import annotations

import re

from features.signals.catalog import definitions
from features.signals.signal import Signal
from models.scorer.amounts import TINY
from models.scorer.artefact_schema import Bins, ScorerSpec, SignalSpec, Words

RANGES = {
    "flag": [0.0, 1.0],
    "change": [-0.5, 0.0, TINY, 0.25, 1.0],
    "share": [TINY, 0.2, 0.5],
}


ODD = {
    r"(?<![\d.,])1 (?!was|is|has|as)\w+[^\Wsu]s\b(?! was| is)": "a plural after 1",
    r"\b0 (days|years|months|hours)\b(?! (late|of))": "nothing, counted",
    r"\d \d": "two numbers in a row",
    r"[{}]": "a gap that was not filled",
    r"\bwa \b|[^s]' acts|\bnan\b|\binf\b|-0\b": "a slip",
    r"within 0": "a window of no length",
    r"points": "a unit that nobody knows",
    r"  |\.\.|:\.|;\.": "punctuation",
}


def spec_of(signal: Signal, compared: bool = True) -> SignalSpec:
    whole = signal.unit in ("count", "days", "months", "flag")
    both = signal.phrase.negative is not None
    edges = RANGES.get(signal.unit, ([-5.0] if both else []) + ([0.0, 1.0, 2.0, 5.0] if whole else [TINY, 1.5, 7.2]))
    edges = edges if both or not whole else edges[1:]
    words = ["cold_outreach", "it"] if signal.is_category else None
    size = 3 if words else len(edges) + 1
    bins = Bins(
        edges=[] if words else edges,
        rates=[0.5] * size,
        counts=[900] * size,
        missing_rate=0.5,
        missing_count=900,
        whole=whole,
    )
    return SignalSpec(
        name=signal.name,
        theme=signal.theme,
        unit=signal.unit,
        label=signal.label,
        window=signal.window,
        missing=signal.missing,
        words=Words(**signal.phrase.__dict__),
        vocabulary=words,
        low=None if words else -9.0 if both else 0.0,
        high=None if words else 50.0,
        topic=signal.about,
        bins=bins,
    )


def scorer_of(entity: str) -> ScorerSpec:
    signals = [spec_of(d.signal) for d in definitions(entity)]  # type: ignore[arg-type]  # account or lead
    return ScorerSpec(
        format=1,
        model="m",
        title="t",
        entity=entity,  # type: ignore[arg-type]
        horizon_days=90,
        outcome="left",
        crowd=f"{entity}s",  # type: ignore[arg-type]
        signals=signals,
        bands=[],
        base_rate=0.1,
        quantiles=[],
    )


def odd_of(sentence: str) -> list[str]:
    return [why for pattern, why in ODD.items() if re.search(pattern, sentence)]
