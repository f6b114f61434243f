"""Panels of random accounts, and what each of their rows scores alone: for tests that columns give the same."""

from __future__ import annotations

import datetime as dt
import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from features.signals.signal import FIXED
from models import champion_pointer
from models.catalog import get_model
from models.champion_pointer import Pointer
from models.scorer.sigmoid import sigmoid
from serving.champion import Champion
from serving.eligibility import ELIGIBLE, OPTED_OUT
from serving.scoring.rows import ScoredRow, signal_rows
from tests.kit.scorers import WORDS, make_scorer, random_rows

AS_OF = dt.datetime(2026, 1, 29, tzinfo=dt.UTC)
EARLIER = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
RUN = "0123456789abcdef"


def put_live(home: Path, folder: Path, version: int, **more: Any) -> Champion:
    scorer = make_scorer(folder, n=800, **more)
    with champion_pointer.locked(home, "churn-risk"):
        champion_pointer.put_live(home, "churn-risk", folder, version)
    return Champion(
        get_model("churn-risk"), Pointer("churn-risk", version, scorer.sha256, Path(), "2026-01-01"), scorer
    )


def make_panel(as_of: dt.datetime, n: int = 400, seed: int = 3, **more: Any) -> pa.Table:
    """Accounts in the order of their ids; some have no score, no value, unseen words, or nothing at all."""
    x, _ = random_rows(n, seed=seed)
    rng = np.random.default_rng(seed)
    columns: dict[str, Any] = {
        "entity_id": pa.array([f"acc_{i:05}" for i in range(n)]),
        "as_of": pa.array([as_of] * n, pa.timestamp("us", "UTC")),
        "eligibility": pa.array(rng.choice(["eligible", "eligible", "eligible", "not_customer"], n).tolist()),
        "value": pa.array([None if rng.random() < 0.1 else round(rng.lognormal(8), 2) for _ in range(n)], pa.float64()),
    }
    for j in range(6):
        columns[f"number_{j}"] = pa.array(x[:, j].copy(), from_pandas=j % 2 == 0)  # NaN stays NaN in every second one
    for j in (6, 7):
        words = [None if math.isnan(v) else [*WORDS, "gold"][int(v)] for v in x[:, j]]
        columns[f"word_{j - 6}"] = pa.array([("gold" if w and rng.random() < 0.05 else w) for w in words])
    return pa.table({**columns, **more})


def one_by_one(champion: Champion, panel: pa.Table, reasons: int, quiet: set[str]) -> list[ScoredRow]:
    """Each row for itself, through the functions of the scorer that the API asks for a record of a request."""
    scorer, found = champion.scorer, []
    for row, values in zip(panel.select(list(FIXED)).to_pylist(), signal_rows(panel), strict=True):
        inputs = {name: values[name] for name in scorer.names}
        known = row["entity_id"], row["as_of"], row["value"], inputs
        status = OPTED_OUT if row["entity_id"] in quiet else row["eligibility"]
        if status != ELIGIBLE:
            found.append(ScoredRow(*known, no_score=status))
            continue
        x, _, _ = scorer.encode_records([inputs])
        log_odds, effects = scorer.explain(x)
        probability = float(sigmoid(log_odds)[0])
        told = (
            (scorer.reasons_of([inputs], effects, reasons)[0], scorer.by_themes(effects)[0]) if reasons else ([], None)
        )
        found.append(ScoredRow(*known, None, probability, *scorer.standing(probability), *told))
    return found
