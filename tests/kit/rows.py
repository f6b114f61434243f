"""Rows to learn from, straight out of arrays."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from features.signals.signal import Phrase, Signal
from training.calibrate import sigmoid
from training.dataset import Rows
from training.learn import LearnSettings
from training.splits import Split, split_in_time

QUICK = LearnSettings(budget_s=None, trials=1)


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


def dated_rows(n: int = 2000, seed: int = 0, signal: float = 1.0, shift: float = 0.0, words: bool = True) -> Rows:
    """Rows in time order with a bend, a word and an interaction; `shift` raises the log-odds of the newest fifth."""
    rng = np.random.default_rng(seed)
    x = np.column_stack(
        [rng.normal(size=n), rng.lognormal(size=n), rng.integers(0, 4, n).astype(float), rng.normal(size=n)]
    )
    z = -1 + signal * (1.5 * np.tanh(x[:, 0]) + 2.0 * (x[:, 2] == 1) + 0.8 * (x[:, 0] > 0) * (x[:, 3] > 0))
    z = z + shift * (np.arange(n) >= 0.8 * n)
    x[rng.random(x.shape) < 0.05] = np.nan
    y = (rng.random(n) < sigmoid(z)).astype(float)
    rows = make_rows(x, y, {2: ("a", "b", "c", "d")} if words else None)
    return replace(rows, time=np.arange(n, dtype=np.int64))


def in_time(rows: Rows) -> Split:
    assert rows.time is not None
    return split_in_time(rows.time, rows.y, 0, rows.group)
