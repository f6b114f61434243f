"""Rows of a live model straight out of arrays, with no scorer and no source behind them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from features.kit.clock import DAY_US
from training.monitor.live_rows import LiveRows

TODAY = 20_000 * DAY_US


def live_rows(p: list[float], y: list[float], **more: Any) -> LiveRows:
    """All ripe, of one date, each of an account of its own, in band `low`, on the list, not acted upon."""
    n = len(p)
    rows: dict[str, Any] = {
        "as_of_us": TODAY + 90 * DAY_US,
        "x": np.empty((n, 0)),
        "table": pa.table({"entity_id": [f"a{i}" for i in range(n)]}),
        "p": np.array(p),
        "time": np.full(n, TODAY),
        "group": np.arange(n),
        "band": np.full(n, "low", dtype=object),
        "listed": np.ones(n),
        "y": np.array(y),
        "pending": np.isnan(y),
        "so_far": np.nan_to_num(y) > 0,
        "acted": None,
        "held_out": np.zeros(n, dtype=bool),
        "notes": (),
    }
    return LiveRows(**{**rows, **more})
