"""Opens what `features init` writes for a folder of files, and reads a table of it as plain tuples."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from features.init.times import Order
from features.init.write import write_source
from features.sources.loader import open_source
from features.sources.source import Source
from features.sources.table_query import table_rows
from tests.kit.exports import Rows, Style, write_files


def initialised(
    folder: Path,
    labels: str | Sequence[str],
    files: Mapping[str, Rows],
    style: Style | None = None,
    zone: str = "UTC",
    order: Order | None = None,
) -> Source:
    """Write the files into `folder`/data, the source into `folder`/source, and open it."""
    data = write_files(folder / "data", files, style)
    write_source(folder / "source", [labels] if isinstance(labels, str) else labels, data, zone, order)
    return open_source(str(folder / "source"), data)


def rows_of(source: Source, table: str, *columns: str) -> list[tuple[Any, ...]]:
    """The rows of a table in the order of their texts; times are texts such as 2025-01-31 08:00:00. Without columns: all."""
    found = table_rows(source, table, None, 100_000)
    columns = columns or tuple(found.types)
    told = [tuple(_plain(row[c]) for c in columns) for row in found.rows.to_pylist()]
    return sorted(told, key=str)


def _plain(value: Any) -> Any:
    return f"{value:%Y-%m-%d %H:%M:%S}" if isinstance(value, dt.datetime) else value
