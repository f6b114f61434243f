"""The simulated companies that several tests look at, and how they look."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from features.simulate.base import EPOCH, World
from features.simulate.company import tables_written
from features.simulate.customers import Spells

END = dt.date(2025, 6, 19)
CHANGE = dt.date(2024, 12, 5)
SMALL: dict[str, Any] = {"accounts": 150, "leads": 500, "days": 420, "end": END, "usage_events": 20_000}


def connect(folder: Path) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'; SET enable_progress_bar = false")
    for name in (*tables_written(), "truth"):
        path = folder / ("usage/*.parquet" if name == "usage" else f"{name}.parquet")
        connection.execute(f"CREATE VIEW {name} AS SELECT * FROM read_parquet('{path}')")
    return connection


def one(connection: duckdb.DuckDBPyConnection, query: str) -> tuple[Any, ...]:
    row = connection.execute(query).fetchone()
    assert row is not None
    return row


def world_of(**changes: Any) -> World:
    end_day = (END - EPOCH).days
    base = World(
        accounts=1, leads=1, seed=1, usage_events=0, start_day=end_day - 500, end_day=end_day, change_day=end_day
    )
    return replace(base, **changes)


def spells_of(start_day: int, count: int = 1) -> Spells:
    same = np.ones(count, np.int64)
    return Spells(
        account=np.arange(count),
        start_us=same * start_day * 86_400_000_000,
        term=2 * same,
        auto_renew=np.zeros(count, bool),
        discount=np.zeros(count),
        seats_at_start=8 * same,
        multiplier=np.ones(count),
        add_on=np.zeros(count, bool),
        first_health=2 * same,
        on_grid=np.ones(count, bool),
    )
