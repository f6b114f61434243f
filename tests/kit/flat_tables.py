"""Flat tables to learn from: one row per lead, and weekly rows per account."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from training.flat_table import Ask, FlatTable, flat_rows


def leads(n: int = 600, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    size = rng.lognormal(3, 1, n)
    plan = np.array(["basic", "pro", None], dtype=object)[rng.integers(0, 3, n)]
    won = rng.random(n) < 1 / (1 + np.exp(-(np.log(size) - 3.5 + (plan == "pro"))))
    return pd.DataFrame(
        {
            "id": [f"lead-{i}" for i in range(n)],
            "row": np.arange(n),
            "created": pd.date_range("2024-01-01", periods=n, freq="h"),
            "size": size,
            "plan": plan,
            "trial": rng.random(n) < 0.5,
            "empty": [None] * n,
            "as text": [f"{v:.1f}" if v < 60 else "" for v in size],
            "won": np.where(won, "Yes", "No"),
        }
    )


def weekly_accounts(signal: bool = False, accounts: int = 240, weeks: int = 44, seed: int = 0) -> pd.DataFrame:
    """Weekly rows per account until it leaves; the outcome is "within 90 days". Facts of an account tell nothing of it; with
    `signal` its mood does, which moves slowly."""
    rng = np.random.default_rng(seed)
    mood = np.zeros((accounts, weeks + 13))
    for week in range(weeks + 13):
        mood[:, week] = 0.95 * mood[:, week - 1] + 0.31 * rng.normal(size=accounts)
    hazard = 0.015 * (np.exp(2.5 * mood - 2) if signal else 1.0)
    leaves = rng.random(mood.shape) < hazard
    end = np.where(leaves.any(axis=1), leaves.argmax(axis=1), weeks + 99)
    who, week = np.repeat(np.arange(accounts), weeks), np.tile(np.arange(weeks), accounts)
    frame = pd.DataFrame(
        {
            "account": who,
            "snapshot": (pd.Timestamp("2024-01-01") + pd.to_timedelta(7 * week, unit="D")).strftime("%Y-%m-%d"),
            "age": rng.integers(0, 4000, accounts)[who],
            "size": rng.lognormal(3, 1, accounts)[who],
            "noise": rng.normal(size=len(who)),
            "mood": mood[who, week] if signal else rng.normal(size=len(who)),
            "left": (end[who] < week + 13).astype(int),
        }
    )
    return frame[week <= end[who]].reset_index(drop=True)


def learnt_from(frame: pd.DataFrame, **more: Any) -> FlatTable:
    return flat_rows(pa.Table.from_pandas(frame, preserve_index=False), Ask("left", time="snapshot", **more))
