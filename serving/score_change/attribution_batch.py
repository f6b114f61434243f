"""Why many scores changed: `attribution.split` for all rows of a chunk in columns, with the same numbers and sentences."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.scorer.reason_texts import Value
from models.scorer.scorer import Scorer
from models.scorer.sigmoid import sigmoid
from models.scorer.topics import strongest
from serving.score_change.attribution import moved_by, parts_of, points_of, shares_of

CLOSE = 1e-9
"""Shares closer to each other than this are ordered by `split`'s own sums, because rounding could swap them."""


@dataclass(frozen=True)
class Splits:
    """The split of n changes."""

    score: dict[str, np.ndarray]
    """(n,) int64 points of the score by part: data, time, version, thresholds."""
    counts: np.ndarray
    """(n,) int64: how many sentences each row has."""
    places: np.ndarray
    """(m,) int64: indices into `texts`, row by row, the largest share first."""
    texts: list[str]


def split_many(old: Scorer, new: Scorer, way: Sequence[np.ndarray], z_new: np.ndarray, k: int) -> Splits:
    """`way` has four arrays (n, signals) in the old version's encoding: the inputs before, restated, aged, and now.
    `z_new` (n,) are log-odds by the new version. Each row gets sentences for its `k` largest shares."""
    # Usually nothing is restated: the same array is explained once.
    explained = {id(x): old.explain(x) for x in way}
    z = np.stack([explained[id(x)][0] for x in way])
    effects = np.stack([explained[id(x)][1] for x in way])
    steps = [old.percentile(sigmoid(each)).astype(np.int64) for each in (*z, z_new)]
    score = points_of(np.stack([*steps, new.percentile(sigmoid(z_new)).astype(np.int64)]))
    # Columns are sorted by name and part, as `split` orders equal shares.
    by_name = np.array(sorted(range(len(old.names)), key=old.names.__getitem__))
    causes = moved_by(effects)
    moved = np.empty((len(z_new), len(causes) * len(by_name)))
    for place, part in enumerate(sorted(causes)):
        moved[:, place :: len(causes)] = causes[part][:, by_name]
    order = strongest(moved, k + 1)
    size = np.abs(moved[np.arange(len(moved))[:, None], order])
    there = size[:, :k] > 0
    rows, column = np.nonzero(there)[0], order[:, :k][there]
    signal = by_name[column // len(causes)]
    places, texts = old.say(signal, way[-1][rows, signal])
    counts = there.sum(axis=1)
    ends = counts.cumsum()
    for i in np.flatnonzero(((size[:, :-1] - size[:, 1:] < CLOSE) & (size[:, 1:] > 0)).any(axis=1)).tolist():
        parts = parts_of(z[:, i], float(z_new[i]))
        own = shares_of(old, [_values(old, x[i]) for x in way], effects[:, i], parts, k)
        places[ends[i] - counts[i] : ends[i]] = len(texts) + np.arange(counts[i])
        texts += [share.text for share in own[: counts[i]]]
    return Splits(score, counts, places, texts)


def _values(scorer: Scorer, row: np.ndarray) -> dict[str, Value]:
    """An encoded row as a record. A category outside the vocabulary becomes a word that is not in it."""
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
