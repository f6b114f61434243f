"""The reasons of many rows at once, as flat arrays: what `Scorer.reasons` says of one, without a Python object for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.words import Speaker


@dataclass(frozen=True)
class Told:
    """The strongest reasons of n rows, m in all: those of a row beside each other, the strongest first."""

    counts: np.ndarray
    """(n,) int64: reasons of each row."""
    rows: np.ndarray
    """(m,) int64: the row that each is about."""
    signals: np.ndarray
    """(m,) int64: the place of its signal."""
    effects: np.ndarray
    """(m,) float64, on the log-odds."""
    shares: np.ndarray
    """(m,) float64: of the sum of the absolute effects of all signals, 0 to 1."""
    places: np.ndarray
    """(m,) int64: its sentence in `texts`."""
    texts: list[str]


def strongest(effects: np.ndarray, k: int) -> np.ndarray:
    """(n, min(k, signals)) int64: the signals of the k largest absolute effects of each row, the earlier signal first in a tie.

    That is a stable sort's order; k passes over 60 signals take a fourth of its time.
    """
    left = np.abs(effects)
    n, signals = left.shape
    found = np.empty((n, min(k, signals)), dtype=np.int64)
    every = np.arange(n)
    for place in range(found.shape[1]):
        found[:, place] = left.argmax(axis=1)
        left[every, found[:, place]] = -1.0
    return found


def tell(speakers: Sequence[Speaker], x: np.ndarray, effects: np.ndarray, k: int) -> Told:
    """(n, signals) encoded rows and their effects; signals without effect are left out."""
    total = np.abs(effects).sum(axis=1)
    order = strongest(effects, k)
    every = np.arange(len(effects))[:, None]
    found = effects[every, order]
    there = found != 0  # the strongest come first, so these are the heads of the rows
    rows, signals = np.nonzero(there)[0], order[there]
    own = found[there]
    places, texts = say_all(speakers, signals, x[rows, signals])
    return Told(there.sum(axis=1), rows, signals, own, np.abs(own) / total[rows], places, texts)


def say_all(speakers: Sequence[Speaker], signals: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """((m,) int64 places, texts): the sentence about each of (m,) encoded values of (m,) signals is `texts[place]`."""
    by_signal = signals.argsort(kind="stable")
    ends = np.bincount(signals, minlength=len(speakers)).cumsum()
    places = np.empty(len(signals), dtype=np.int64)
    texts: list[str] = []
    start = 0
    for speaker, end in zip(speakers, ends.tolist(), strict=True):
        if end > start:
            own = by_signal[start:end]
            said, sentences = speaker.many(values[own])
            places[own] = said + len(texts)
            texts += sentences
        start = end
    return places, texts
