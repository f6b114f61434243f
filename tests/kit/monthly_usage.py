"""A company with one usage file a month, and what writes and opens it."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from features.sources.loader import open_source
from features.sources.source import Source
from tests.kit.company import at


def usage(day: dt.datetime, quantity: int = 1) -> dict[str, Any]:
    return {"account_id": "a", "user_id": f"u{day.day}", "event_time": day, "quantity": quantity}


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    types = {
        "account_id": pa.string(),
        "user_id": pa.string(),
        "event_time": pa.timestamp("us", "UTC"),
        "quantity": pa.int64(),
    }
    pq.write_table(pa.Table.from_pylist(rows, schema=pa.schema(types)), path)


def make_company(data: Path) -> Path:
    """Eight days of usage in each of three months, 2024-01, -03 and -05, each month in a file of its own."""
    (data / "usage").mkdir(parents=True)
    (data / "accounts.sql").write_text("SELECT 'a' AS account_id, TIMESTAMP '2023-01-01' AS event_time")
    (data / "usage.sql").write_text("SELECT * FROM read_parquet('${data}/usage/*.parquet')")
    for month in (1, 3, 5):
        write(data / "usage" / f"{month}.parquet", [usage(at(f"2024-0{month}-{day:02d}")) for day in range(1, 9)])
    return data


def opened(data: Path) -> Source:
    return open_source(str(data), data)
