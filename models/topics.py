"""Groups the signals that say the same, so that one reason speaks for each group and carries the effect of all its members."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from features.signal import topic_of
from models.spec import SignalSpec


@dataclass(frozen=True)
class Spoken:
    """For n rows the k groups that move a score most, the strongest first; the earlier one in a tie."""

    effects: np.ndarray
    """(n, k) float64, on the log-odds: of a group, the sum over its members in their order. 0 where there is no such group."""
    shares: np.ndarray
    """(n, k) float64 of the sum of the absolute effects of all groups, 0 to 1."""
    signals: np.ndarray
    """(n, k) int64: the member that speaks, the strongest of those that push as the whole group does."""
    members: np.ndarray
    """(n, k, size) int64: the group's members in the order of the signals; the number of signals where there are no more."""
    parts: np.ndarray
    """(n, k, size) float64: their effects."""


class Topics:
    """The groups of a scorer's signals: those of one topic. A column of somebody's own never joins ours of the same name."""

    def __init__(self, signals: Sequence[SignalSpec]) -> None:
        keys = [(signal.theme == "custom", signal.topic or topic_of(signal.name)) for signal in signals]
        place = {key: at for at, key in enumerate(dict.fromkeys(keys))}
        self.of = np.array([place[key] for key in keys], dtype=np.int64)
        """(signals,) the group of each."""
        self.count = len(place)
        sizes = np.bincount(self.of, minlength=self.count)
        self.members = np.full((self.count, int(sizes.max(initial=1))), len(signals), dtype=np.int64)
        """(groups, size of the largest): signals by group, `signals` where there are no more."""
        self.lists: list[list[int]] = [np.flatnonzero(self.of == group).tolist() for group in range(self.count)]
        """The same without what is no member."""
        for group, own in enumerate(self.lists):
            self.members[group, : len(own)] = own
        self._flat = self.of  # the places of one row; those of more rows grow as they are asked for

    def sums(self, effects: np.ndarray) -> np.ndarray:
        """(n, groups): (n, signals) effects summed by group, in the order of the signals; any batch gives a row the same bits."""
        n = len(effects)
        flat = self._flat
        if len(flat) < effects.size:
            flat = (np.arange(n)[:, None] * self.count + self.of).ravel()
            if n <= 64:
                self._flat = flat
        return np.bincount(flat[: effects.size], effects.ravel(), n * self.count).reshape(n, self.count)

    def spoken(self, effects: np.ndarray, k: int) -> Spoken:
        """Who speaks in each of (n, signals) rows of effects."""
        n = len(effects)
        sums = self.sums(effects)
        strength = np.abs(sums)
        order = strongest(strength, k)
        every = np.arange(n)[:, None]
        found = sums[every, order]
        total = strength.sum(axis=1)[:, None]
        shares = np.divide(np.abs(found), total, out=np.zeros(found.shape), where=total > 0)
        # One more column, of nothing, for the places behind the last member of a small group.
        padded = np.zeros((n, effects.shape[1] + 1))
        padded[:, :-1] = effects
        members = self.members[order]
        parts = padded[every[:, :, None], members]
        loudest = (parts * np.sign(found)[:, :, None]).argmax(axis=2)
        signals = np.take_along_axis(members, loudest[:, :, None], axis=2)[:, :, 0]
        return Spoken(found, shares, signals, members, parts)


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
