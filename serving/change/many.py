"""Why many scores moved: what `split` says of one, for all rows of a chunk in columns, with the same numbers and words."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from models.scorer import Scorer, sigmoid
from models.topics import strongest
from models.words import Value
from serving.change.split import DAY_US, is_last, parts_of, shares_of

CLOSE = 1e-9
"""Effects nearer to each other than this are put in order by `split`'s own sums: rounding could turn them round."""


@dataclass(frozen=True)
class Splits:
    """The causes of n changes."""

    score: dict[str, np.ndarray]
    """(n,) int64 points of the score by part: signals, time, version, thresholds."""
    counts: np.ndarray
    """(n,) int64: sentences about each row's largest shares."""
    places: np.ndarray
    """(m,) int64: those of a row beside each other, the largest share first, by their place in `texts`."""
    texts: list[str]


def split_many(
    old: Scorer, new: Scorer, before: np.ndarray, after: np.ndarray, z_new: np.ndarray, elapsed_us: int, k: int
) -> Splits:
    """`before` and `after` (n, signals) as the old version encodes them, `elapsed_us` apart; `z_new` (n,) log-odds by the
    new version; the `k` largest shares of each row are told."""
    by_time = _by_clock(old, before, after, elapsed_us)
    middle = np.where(by_time, before, after)
    ways = (before, middle, after)
    explained = [old.explain(x) for x in ways]
    z = np.stack([log_odds for log_odds, _ in explained])
    effects = [own for _, own in explained]
    steps = [old.percentile(sigmoid(each)).astype(np.int64) for each in (*z, z_new)]
    score = {
        "signals": steps[1] - steps[0],
        "time": steps[2] - steps[1],
        "version": steps[3] - steps[2],
        "thresholds": new.percentile(sigmoid(z_new)).astype(np.int64) - steps[3],
    }
    # Columns by name and part, so that the first of equals is the one that comes first there.
    by_name = np.array(sorted(range(len(old.names)), key=old.names.__getitem__))
    moved = np.empty((len(before), 2 * len(by_name)))
    moved[:, 0::2] = (effects[1] - effects[0])[:, by_name]
    moved[:, 1::2] = (effects[2] - effects[1])[:, by_name]
    order = strongest(moved, k + 1)
    size = np.abs(moved[np.arange(len(moved))[:, None], order])
    there = size[:, :k] > 0
    rows, column = np.nonzero(there)[0], order[:, :k][there]
    signal, in_time = by_name[column // 2], column % 2 == 1
    places, texts = old.say(signal, np.where(in_time, after[rows, signal], middle[rows, signal]))
    counts = there.sum(axis=1)
    ends = counts.cumsum()
    for i in np.flatnonzero(((size[:, :-1] - size[:, 1:] < CLOSE) & (size[:, 1:] > 0)).any(axis=1)).tolist():
        was, between, now = (_values(old, x[i]) for x in ways)
        parts = parts_of(z[:, i], float(z_new[i]))
        own = shares_of(old, was, between, now, np.stack([e[i] for e in effects]), parts)
        places[ends[i] - counts[i] : ends[i]] = len(texts) + np.arange(counts[i])
        texts += [share.text for share in own[: counts[i]]]
    return Splits(score, counts, places, texts)


def _by_clock(scorer: Scorer, before: np.ndarray, after: np.ndarray, elapsed_us: int) -> np.ndarray:
    """(n, signals) bool: `moved_by_clock` of what moved."""
    elapsed = elapsed_us / DAY_US
    moved = (before != after) & ~(np.isnan(before) & np.isnan(after))
    found = np.zeros(before.shape, dtype=bool)
    described = scorer.spec.signals
    for j, signal in enumerate(described):
        if not signal.by_clock:
            continue
        if signal.unit == "days" and signal.window == "before as_of":
            found[:, j] = np.abs(np.abs(after[:, j] - before[:, j]) - elapsed) < 1  # never with NaN
        elif math.floor(elapsed) > 0:
            ages = after[:, [i for i, each in enumerate(described) if each.theme == signal.theme and is_last(each)]]
            youngest = np.where(np.isnan(ages), -np.inf, -ages).max(axis=1, initial=-np.inf)
            found[:, j] = (youngest <= -math.floor(elapsed)) & (youngest > -np.inf)
    return found & moved


def _values(scorer: Scorer, row: np.ndarray) -> dict[str, Value]:
    """An encoded row as a record; any word that was never seen is as good as another."""
    found: dict[str, Value] = {}
    for signal, value in zip(scorer.spec.signals, row.tolist(), strict=True):
        words = signal.vocabulary
        if math.isnan(value):
            found[signal.name] = None
        elif words is None:
            found[signal.name] = value
        else:
            found[signal.name] = words[int(value)] if value < len(words) else "".join(words) + "?"
    return found
