"""Reads LightGBM's model text for prediction: by lignum, or by LightGBM where lignum is not installed. The bits are the same."""

from __future__ import annotations

import tempfile
from typing import Any

import numpy as np


def read_booster(text: bytes) -> Any:
    """A predictor of the trees' raw scores, from the text of a LightGBM model."""
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
    """LightGBM's own booster behind lignum's interface."""

    def __init__(self, text: str) -> None:
        import lightgbm as lgb

        self._booster = lgb.Booster(model_str=text)

    def predict(self, x: np.ndarray, *, raw_score: bool, n_jobs: int) -> Any:
        return self._booster.predict(x, raw_score=raw_score, num_threads=n_jobs)
