"""Reasons of many rows as flat arrays: those of `Scorer.reasons` for each row, without a Python object per reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.scorer.reason_texts import Speaker
from models.scorer.topics import Topics


@dataclass(frozen=True)
class Told:
    """The strongest reasons of n rows, m in all: those of a row beside each other, the strongest first."""

    counts: np.ndarray
    """(n,) int64: reasons of each row."""
    rows: np.ndarray
    """(m,) int64: the row that each is about."""
    signals: np.ndarray
    """(m,) int64: the place of the signal whose sentence is given."""
    effects: np.ndarray
    """(m,) float64, on the log-odds: of all its members together."""
    shares: np.ndarray
    """(m,) float64: of the sum of the absolute effects of all reasons, 0 to 1."""
    places: np.ndarray
    """(m,) int64: its sentence in `texts`."""
    texts: list[str]
    sizes: np.ndarray
    """(m,) int64: how many members each has; 0 where the signal stands alone."""
    members: np.ndarray
    """(sum of sizes,) int64: the places of the members' signals, those of a reason beside each other in the signals' order."""
    parts: np.ndarray
    """(sum of sizes,) float64: the members' effects; in this order they sum to the reason's."""


def tell(speakers: Sequence[Speaker], topics: Topics, x: np.ndarray, effects: np.ndarray, k: int) -> Told:
    """(n, signals) encoded rows and their effects; what has no effect is left out."""
    spoken = topics.spoken(effects, k)
    rows, signals, own = spoken.rows, spoken.signals, spoken.effects
    places, texts = say_all(speakers, signals, x[rows, signals], own > 0, beside_of(speakers, x, rows, signals))
    return Told(
        spoken.counts, rows, signals, own, spoken.shares, places, texts, spoken.sizes, spoken.members, spoken.parts
    )


def beside_of(speakers: Sequence[Speaker], x: np.ndarray, rows: np.ndarray, signals: np.ndarray) -> np.ndarray:
    """(m,) the value with which each signal is compared in its row; NaN for a signal that is no comparison."""
    column = np.array([-1 if speaker.beside is None else speaker.beside for speaker in speakers], dtype=np.int64)[
        signals
    ]
    return np.where(column < 0, np.nan, x[rows, column])


def say_all(
    speakers: Sequence[Speaker],
    signals: np.ndarray,
    values: np.ndarray,
    up: np.ndarray | None = None,
    beside: np.ndarray | None = None,
) -> tuple[np.ndarray, list[str]]:
    """((m,) int64 places, texts): the sentence about each of (m,) encoded values of (m,) signals is `texts[place]`.

    `up` and `beside` (m,) as in `Speaker.many`.
    """
    key = signals if up is None else 2 * signals + up  # what pushes the same way reads alike
    by_key = key.argsort(kind="stable")
    ends = np.bincount(key, minlength=len(speakers) if up is None else 2 * len(speakers)).cumsum()
    places = np.empty(len(signals), dtype=np.int64)
    texts: list[str] = []
    start = 0
    for at, end in enumerate(ends.tolist()):
        if end > start:
            own = by_key[start:end]
            speaker, way = (speakers[at], None) if up is None else (speakers[at // 2], bool(at % 2))
            said, sentences = speaker.many(values[own], way, None if beside is None else beside[own])
            places[own] = said + len(texts)
            texts += sentences
        start = end
    return places, texts
