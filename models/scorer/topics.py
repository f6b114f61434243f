"""Groups the signals that say the same, so that one reason speaks for each group and carries the effect of all its members."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from features.signals.signal import topic_of
from models.scorer.artefact_schema import SignalSpec


@dataclass(frozen=True)
class Spoken:
    """The m strongest groups of n rows: those of a row beside each other, the strongest first, the earlier one in a tie."""

    counts: np.ndarray
    """(n,) int64: groups of each row; what has no effect is left out."""
    rows: np.ndarray
    """(m,) int64."""
    effects: np.ndarray
    """(m,) float64, on the log-odds: the sum over the members in their order."""
    shares: np.ndarray
    """(m,) float64 of the sum of the absolute effects of all groups, 0 to 1."""
    signals: np.ndarray
    """(m,) int64: the member whose sentence is told, the strongest of those with the sign of the group."""
    sizes: np.ndarray
    """(m,) int64: members with an effect; 0 where there is only one."""
    members: np.ndarray
    """(sum of sizes,) int64: the signals of the members, those of a group beside each other in the signals' order."""
    parts: np.ndarray
    """(sum of sizes,) float64: their effects."""


class Topics:
    """The groups of a scorer's signals: those of one topic. A custom column never joins a signal of the catalog with the same name."""

    def __init__(self, signals: Sequence[SignalSpec]) -> None:
        keys = [(signal.theme == "custom", signal.topic or topic_of(signal.name)) for signal in signals]
        place = {key: at for at, key in enumerate(dict.fromkeys(keys))}
        self.of = np.array([place[key] for key in keys], dtype=np.int64)
        """(signals,) the group of each."""
        self.count = len(place)
        self.lists: list[list[int]] = [np.flatnonzero(self.of == group).tolist() for group in range(self.count)]
        """The signals of each group."""
        self._sizes = np.array([len(own) for own in self.lists], dtype=np.int64)
        self._first = np.array([own[0] for own in self.lists], dtype=np.int64)
        self._members = np.full((self.count, int(self._sizes.max(initial=1))), len(signals), dtype=np.int64)
        for group, own in enumerate(self.lists):
            self._members[group, : len(own)] = own
        self._places = (np.arange(BLOCK)[:, None] * self.count + self.of).ravel()

    def sums(self, effects: np.ndarray) -> np.ndarray:
        """(n, groups): (n, signals) effects summed by group, in the order of the signals; any batch gives a row the same bits."""
        found = np.empty((len(effects), self.count))
        for start in range(0, len(effects), BLOCK):
            block = effects[start : start + BLOCK]
            size = len(block) * self.count
            found.ravel()[start * self.count :][:size] = np.bincount(self._places[: block.size], block.ravel(), size)
        return found

    def spoken(self, effects: np.ndarray, k: int) -> Spoken:
        """The strongest groups of each of (n, signals) rows of effects, at most k a row, with the member whose sentence is told."""
        sums = self.sums(effects)
        total = np.abs(sums).sum(axis=1)
        order = strongest(sums, k)
        found = np.take_along_axis(sums, order, axis=1)
        there = found != 0  # the strongest come first, so these are the heads of the rows
        rows, groups, own = np.nonzero(there)[0], order[there], found[there]
        signals, sizes = self._first[groups], np.zeros(len(groups), dtype=np.int64)
        many = np.flatnonzero(self._sizes[groups] > 1)
        members = self._members[groups[many]]
        known = members < effects.shape[1]
        parts = np.where(known, effects[rows[many][:, None], np.where(known, members, 0)], 0.0)
        loudest = (parts * np.sign(own[many])[:, None]).argmax(axis=1)
        signals[many] = members[np.arange(len(many)), loudest]
        kept = parts != 0
        sizes[many] = kept.sum(axis=1)
        sizes[sizes == 1] = 0
        kept &= sizes[many][:, None] > 0
        return Spoken(
            there.sum(axis=1), rows, own, np.abs(own) / total[rows], signals, sizes, members[kept], parts[kept]
        )


def strongest(effects: np.ndarray, k: int) -> np.ndarray:
    """(n, min(k, columns)) int64: the columns of the k largest absolute effects of each row, the earlier one first in a tie.

    That is a stable sort's order; of many rows, k passes over 60 columns take a fourth of its time.
    """
    left = np.abs(effects)
    n, columns = left.shape
    if n <= FEW:
        return (-left).argsort(axis=1, kind="stable")[:, :k]
    found = np.empty((n, min(k, columns)), dtype=np.int64)
    every = np.arange(n)
    for place in range(found.shape[1]):
        found[:, place] = left.argmax(axis=1)
        left[every, found[:, place]] = -1.0
    return found


FEW = 16
"""Rows up to which one sort is quicker than k passes."""
BLOCK = 256
"""Rows that are summed at a time, so that their places are known and stay in the processor's cache."""
