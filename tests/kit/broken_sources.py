"""Sources with one broken table, the words that its message must have, and what the table holds once its step was followed."""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.kit.errors import BadInput
from features.sources.loader import open_source
from features.sources.source import Source
from tests.kit.advice import follow


def pq_bytes(table: pa.Table) -> bytes:
    held = io.BytesIO()
    pq.write_table(table, held)
    return held.getvalue()


ACCOUNTS = "SELECT 'a' AS account_id, TIMESTAMP '2024-01-01' AS event_time"
USAGE = "account_id,event_time,quantity\na,2024-01-01 10:00:00,3\na,2024-01-02 10:00:00,5\n"
PARQUET = pq_bytes(
    pa.table({"account_id": ["a", "b"], "event_time": [dt.datetime(2024, 1, 1)] * 2, "quantity": [1, 2]})
)
READ = "SELECT account_id, event_time, quantity FROM read_csv('${data}/usage.csv')"


@dataclass(frozen=True)
class Case:
    """A source with one broken table, the words that its message must have, and what the table holds once it is mended."""

    name: str
    said: str
    usage: str | bytes
    files: Mapping[str, str | bytes] = field(default_factory=dict)
    held: str = "count(*)"
    is_: object = 2
    table: str = "usage"


def values(*lines: str) -> dict[str, str]:
    return {"usage.csv": "account_id,event_time,quantity\n" + "".join(f"{line}\n" for line in lines)}


SUBSCRIPTION = (
    "SELECT 's' AS subscription_id, 'a' AS account_id, TIMESTAMP '2024-01-01' AS event_time, 'active' AS status, {0}"
)


def broken(case: Case, folder: Path) -> tuple[Path, Path]:
    source, data = folder / "source", folder / "data"
    for made in (source, data):
        made.mkdir()
    (source / "accounts.sql").write_text(ACCOUNTS)
    for name, held in case.files.items():
        (data / name).parent.mkdir(exist_ok=True)
        (data / name).write_bytes(held if isinstance(held, bytes) else held.encode())
    text = case.usage if isinstance(case.usage, bytes) else case.usage.encode()
    (source / f"{case.table}.sql").write_bytes(text)
    return source, data


def followed(source: Path, data: Path) -> Source:
    """The source once every fault's step is followed, once."""
    with pytest.raises(BadInput) as caught:
        open_source(str(source), data)
    for fault in caught.value.faults:
        follow(fault, data)
    return open_source(str(source), data)


def write_sql(folder: Path, **files: str) -> str:
    """Writes `<table>.sql` for each table that is named; returns the folder as `open_source` takes it."""
    for name, text in files.items():
        (folder / f"{name}.sql").write_text(text)
    return str(folder)


def assert_advice_works(case: Case, folder: Path) -> None:
    """The message has the words of the case, and once its steps are followed the table holds what it should."""
    source, data = broken(case, folder)
    with pytest.raises(BadInput) as caught:
        open_source(str(source), data)
    assert case.said in str(caught.value)
    for fault in caught.value.faults:
        follow(fault, data)
    opened = open_source(str(source), data)
    table = "usage" if case.table == "usages" else case.table
    assert opened.query(f"SELECT {case.held} FROM {table}")[0][0] == case.is_
