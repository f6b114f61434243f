"""Tables to audit, honest but for what a test plants in them, and what was found of a column."""

from __future__ import annotations

import numpy as np
import pandas as pd

from features.audit.finding import Finding


def codes_of(findings: list[Finding], column: str) -> set[str]:
    return {f.code for f in findings if column in f.columns}


def columns_at(findings: list[Finding], *severities: str) -> set[str]:
    return {c for f in findings if f.severity in severities for c in f.columns}


def clean(n: int = 3_000, seed: int = 0) -> pd.DataFrame:
    """Five honest inputs of ordinary strength, and their outcome."""
    rng = np.random.default_rng(seed)
    size, visits = rng.lognormal(4, 1, n), rng.poisson(4, n)
    sector = rng.choice(["steel", "retail", "software"], n)
    region = pd.Series(rng.choice(["north", "south"], n)).where(rng.random(n) > 0.1)
    noise = rng.normal(size=n)
    odds = -1.5 + 0.15 * visits + 0.5 * (sector == "software") + 0.2 * np.log(size) - 0.8
    outcome = rng.random(n) < 1 / (1 + np.exp(-odds))
    return pd.DataFrame(
        {
            "size": size,
            "visits": visits,
            "sector": sector,
            "region": region,
            "noise": noise,
            "outcome": outcome.astype(int),
        }
    )


def base(n: int = 2_000, seed: int = 0, rate: float = 0.3) -> tuple[pd.DataFrame, np.ndarray, np.random.Generator]:
    """Two honest columns, and an outcome `won` that hangs on the first a little."""
    rng = np.random.default_rng(seed)
    size = rng.normal(size=n)
    y = (rng.random(n) < 1 / (1 + np.exp(-(np.log(rate / (1 - rate)) + 0.5 * size)))).astype(int)
    return pd.DataFrame({"size": size, "sector": rng.choice(["a", "b"], n), "won": y}), y, rng


def tickets(n: int = 2_000, still_open: float = 0.3) -> pd.DataFrame:
    """Last states of tickets, with an outcome that has nothing to do with them."""
    rng = np.random.default_rng(0)
    raised = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 8_000, n), unit="h")
    table = pd.DataFrame({"raised": raised, "outcome": rng.integers(0, 2, n)})
    table["finished"] = (raised + pd.to_timedelta(rng.integers(1, 400, n), unit="h")).where(rng.random(n) > still_open)
    table["stars"] = pd.Series(rng.integers(1, 6, n)).where(table.finished.notna() & (rng.random(n) < 0.6))
    table["state"] = np.where(table.finished.notna(), "done", "running")
    table["team"] = pd.Series(rng.choice(["north", "south"], n)).where(rng.random(n) < 0.8)
    table["size"] = rng.normal(size=n)
    return table
