"""Rows to learn from, straight out of arrays."""

from __future__ import annotations

import numpy as np

from features.signals.signal import Phrase, Signal
from training.dataset import Rows


def make_rows(x: np.ndarray, y: np.ndarray, words: dict[int, tuple[str, ...]] | None = None) -> Rows:
    """Rows without time; `words` names the vocabulary of the columns that hold codes."""
    vocabularies = tuple((words or {}).get(j) for j in range(x.shape[1]))
    signals = tuple(
        Signal(
            f"s{j}", "custom", "category" if v else "points", "before as_of", "not known", f"s{j}", Phrase("{value}")
        )
        for j, v in enumerate(vocabularies)
    )
    n = len(y)
    return Rows(signals, vocabularies, x, y, None, np.arange(n), np.full(n, np.nan), np.arange(n).astype(str))
