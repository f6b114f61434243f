"""Why many scores moved: what `split` says of one, for all rows of a chunk in columns, with the same numbers and words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.scorer.reason_texts import Value
from models.scorer.scorer import Scorer, sigmoid
from models.scorer.topics import strongest
from serving.score_change.attribution import moved_by, parts_of, points_of, shares_of

CLOSE = 1e-9
"""Effects nearer to each other than this are put in order by `split`'s own sums: rounding could turn them round."""


@dataclass(frozen=True)
class Splits:
    """The causes of n changes."""

    score: dict[str, np.ndarray]
    """(n,) int64 points of the score by part: data, time, version, thresholds."""
    counts: np.ndarray
    """(n,) int64: sentences about each row's largest shares."""
    places: np.ndarray
    """(m,) int64: those of a row beside each other, the largest share first, by their place in `texts`."""
    texts: list[str]


def split_many(old: Scorer, new: Scorer, way: Sequence[np.ndarray], z_new: np.ndarray, k: int) -> Splits:
    """`way`: four times (n, signals) as the old version encodes them, the inputs before, as their rows read now, what those give
    at the new moment, and the inputs now; `z_new` (n,) log-odds by the new version; the `k` largest shares of each row are told."""
    # Nothing restated is the usual case: the same array is explained once.
    explained = {id(x): old.explain(x) for x in way}
    z = np.stack([explained[id(x)][0] for x in way])
    effects = np.stack([explained[id(x)][1] for x in way])
    steps = [old.percentile(sigmoid(each)).astype(np.int64) for each in (*z, z_new)]
    score = points_of(np.stack([*steps, new.percentile(sigmoid(z_new)).astype(np.int64)]))
    # Columns by name and part, so that the first of equals is the one that comes first there.
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
