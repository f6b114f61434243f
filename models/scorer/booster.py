"""What gives the trees' raw scores: lignum, which reads LightGBM's text, or LightGBM itself; the same bits."""

from __future__ import annotations

import tempfile
from typing import Any

import numpy as np


def read_booster(text: bytes) -> Any:
    """What gives the trees' raw scores: lignum, or LightGBM itself where lignum is not to be had; the same bits."""
    try:
        import lignum
    except ImportError:
        return LightGBM(text.decode())
    with tempfile.NamedTemporaryFile(suffix=".txt") as copy:
        # From the verified bytes, not from the path: the file may have changed since it was checked.
        copy.write(text)
        copy.flush()
        return lignum.load(copy.name)


class LightGBM:
    """LightGBM's own booster with lignum's way of calling it."""

    def __init__(self, text: str) -> None:
        import lightgbm as lgb

        self._booster = lgb.Booster(model_str=text)

    def predict(self, x: np.ndarray, *, raw_score: bool, n_jobs: int) -> Any:
        return self._booster.predict(x, raw_score=raw_score, num_threads=n_jobs)
