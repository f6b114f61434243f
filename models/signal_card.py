"""The card of a version's signals: what each of them does, `runs/MODEL/vN/signals.json` in the home.

Of every bin of every signal: how many rows of the reference had it, how often the outcome came, and what the version adds to the log-odds
there. Rows and rates are those that the scorer keeps; of a version without this file they are read from it, without effects.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, NamedTuple

from msgspec import Meta, Struct, to_builtins

from models import card, card_file
from models.scorer.artefact_schema import ScorerSpec
from models.scorer.bin_labels import labelled_bins

NAME = "signals.json"
SCORER = "scorer.json"


class SignalBin(Struct, frozen=True, kw_only=True):
    """One bin of a signal."""

    value: Annotated[str, Meta(description="which values lie in it, as people read them", examples=["12 to 21"])]
    rows: Annotated[int, Meta(description="rows of the reference in it", examples=[246])]
    rate: Annotated[float | None, Meta(description="share of them with the outcome, 0 to 1", examples=[0.106])] = None
    effect: Annotated[
        float | None, Meta(description="mean effect on the log-odds; null: not kept", examples=[0.769])
    ] = None
    low: Annotated[float | None, Meta(description="10 % of its effects lie below", examples=[0.656])] = None
    high: Annotated[float | None, Meta(description="10 % of its effects lie above", examples=[0.906])] = None


class SignalOfCard(Struct, frozen=True, kw_only=True):
    """What one signal does."""

    signal: Annotated[str, Meta(description="its name", examples=["days_to_renewal"])]
    label: Annotated[str, Meta(description="in words", examples=["days to the next renewal"])]
    theme: Annotated[str, Meta(description="its theme", examples=["commercial"])]
    unit: Annotated[str, Meta(description="its unit", examples=["days"])]
    window: Annotated[str, Meta(description="what it looks at", examples=["before as_of"])] = ""
    missing: Annotated[str, Meta(description="what a missing value means", examples=["no renewal is known"])] = ""
    missing_share: Annotated[float | None, Meta(description="share without a value, 0 to 1", examples=[0.02])] = None
    share: Annotated[
        float | None, Meta(description="its share of the effects of all, 0 to 1; null: not kept", examples=[0.36])
    ] = None
    bins: Annotated[
        list[SignalBin], Meta(description="every bin that had rows, missing values last", examples=[[]])
    ] = []


class SignalCard(Struct, frozen=True, kw_only=True):
    """What each signal of a version does."""

    model: Annotated[str, Meta(description="the model's name", examples=["churn-risk"])]
    version: Annotated[int, Meta(description="number in the registry", examples=[7])]
    base_rate: Annotated[float, Meta(description="share of the reference with the outcome", examples=[0.071])]
    signals: Annotated[list[SignalOfCard], Meta(description="the strongest first", examples=[[]])]


class Effects(NamedTuple):
    """The effects of one signal on the log-odds, over the rows that its bins were counted in."""

    share: float
    """Of the mean absolute effects of all signals."""
    bins: Sequence[tuple[float, float, float] | None]
    """Mean, 10 % and 90 % quantile by bin, in the order of `Bins.counts`, missing values last; None without rows."""


def card_of(spec: ScorerSpec, version: int, effects: Sequence[Effects] | None = None) -> SignalCard:
    """The card of a scorer, with effects where they are given; without them signals stand in the order of the scorer."""
    found = [_signal(spec, at, None if effects is None else effects[at]) for at in range(len(spec.signals))]
    if effects is not None:
        found.sort(key=lambda each: -(each.share or 0.0))
    return SignalCard(model=spec.model, version=version, base_rate=spec.base_rate, signals=found)


def encoded(found: SignalCard) -> bytes:
    """The bytes of `signals.json`."""
    return card_file.encoded(to_builtins(found))


def read(home: Path, model: str, version: int, scorer: Path | None = None) -> SignalCard | None:
    """The card of a version; of one without the file that of its scorer, in its own folder or in `scorer`. None when there is
    neither. Raises `card_file.Unreadable`.
    """
    folder = card.place(home, model, version)
    found = card_file.read(folder / NAME, SignalCard, card.AGAIN)
    if found is not None:
        return found
    for each in (folder / "scorer", scorer):
        spec = None if each is None else card_file.read(each / SCORER, ScorerSpec, card.AGAIN)
        if spec is not None:
            return card_of(spec, version)
    return None


def _signal(spec: ScorerSpec, at: int, effects: Effects | None) -> SignalOfCard:
    signal = spec.signals[at]
    bins = []
    for each in labelled_bins(signal):
        told = effects.bins[each.place] if effects is not None else None
        mean, low, high = told if told is not None else (None, None, None)
        bins.append(
            SignalBin(value=each.value, rows=each.rows, rate=round(each.rate, 6), effect=mean, low=low, high=high)
        )
    return SignalOfCard(
        signal=signal.name,
        label=signal.label,
        theme=signal.theme,
        unit=signal.unit,
        window=signal.window,
        missing=signal.missing,
        missing_share=round(signal.missing_share, 6),
        share=None if effects is None else effects.share,
        bins=bins,
    )
