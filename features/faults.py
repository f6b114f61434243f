"""What is wrong with a table of a source: columns that lack or have another type, values that cannot be, files that cannot be read."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from features.canonical import ACCEPTED, family_of, internal, internal_of, quote
from features.errors import Fault
from features.flat_files.bounds import (
    FREE_INFLATED_BYTES,
    TooMuch,
    is_packed,
    metadata_of,
    refuse_inflated,
    texts_fault,
)
from features.tables import Column, Table

if TYPE_CHECKING:
    from features.source import Source

FIRST_TIME, LAST_TIME = dt.date(1971, 1, 1), dt.date(2200, 1, 1)
"""Times outside are typing errors or placeholders (1900-01-01, 9999-12-31); `week` arithmetic relies on it."""
_NEXT_STEP = {
    "text": "CAST(... AS VARCHAR)",
    "integer": "CAST(... AS BIGINT)",
    "number": "CAST(... AS DOUBLE)",
    "money": "CAST(... AS DOUBLE)",
    "boolean": "write a comparison such as (col = 'Yes')",
    "time": "CAST(... AS TIMESTAMP) or strptime(...)",
}


def schema_faults(path: Path, canonical: Sequence[Column], types: Mapping[str, str]) -> list[Fault]:
    faults = []
    for column in canonical:
        where = f"{path}, column {column.name}"
        if column.name not in types:
            if column.required:
                faults.append(
                    Fault(where, "it is missing", f"{column.type}: {column.meaning}", f"SELECT ... AS {column.name}")
                )
            continue
        family = family_of(types[column.name])
        is_key = column.type == "text" and column.name.endswith("_id")
        if family == '"NULL"' or family in ACCEPTED[column.type] or (is_key and family in ACCEPTED["integer"]):
            continue
        faults.append(
            Fault(
                where,
                f"its type is {types[column.name]}",
                f"{column.name} is {column.type}: {column.meaning}",
                _NEXT_STEP[column.type],
            )
        )
    return faults


def value_faults(source: Source, path: Path, table: Table) -> list[Fault]:
    """Nulls where none may be, and times that cannot be true, in one pass over the table."""
    first, last = _us(FIRST_TIME), _us(LAST_TIME)
    tests: list[tuple[str, str, str, str]] = []
    for column in table.columns:
        if column.required:
            tests.append((column.name, f"{internal_of(column)} IS NULL", "is null", "has a value in every row"))
        if column.type == "time" and column.name in source.columns[table.name]:
            name = internal(column.name)
            tests.append(
                (
                    column.name,
                    f"{name} < {first} OR {name} >= {last}",
                    f"lies before {FIRST_TIME} or after {LAST_TIME}",
                    "is a real time; unknown is null",
                )
            )
    if not tests:
        return []
    if source.stays(table.name):
        # One small query per rule on the file's own columns: Parquet's statistics answer them without a scan.
        counts = [_count_raw(source, table, column) for column in tests]
    else:
        filters = ", ".join(f"count(*) FILTER (WHERE {test})" for _, test, _, _ in tests)
        counts = list(source.query(f"SELECT {filters} FROM {quote(table.name)}")[0])
    return [
        Fault(
            f"{path}, table {table.name}, column {name}",
            f"{count:,} rows where it {found}",
            f"{name} {rule}",
            "filter or repair these rows in the SELECT",
        )
        for count, (name, _, found, rule) in zip(counts, tests, strict=True)
        if count
    ]


def _count_raw(source: Source, table: Table, test: tuple[str, str, str, str]) -> int:
    """Rows of a table that stays where it is that break a rule, by its own column (see `value_faults`)."""
    name, condition, _, _ = test
    kind = source.query(f"SELECT typeof({quote(name)}) FROM {quote('raw_' + table.name)} LIMIT 1")[0][0]
    if "IS NULL" not in condition:
        zone = "+00" if "TIME ZONE" in kind else ""
        stamp = "TIMESTAMPTZ" if zone else "TIMESTAMP"
        first, last = (f"{stamp} '{day} 00:00:00{zone}'" for day in (FIRST_TIME, LAST_TIME))
        condition = f"{quote(name)} < {first} OR {quote(name)} >= {last}"
    else:
        condition = f"{quote(name)} IS NULL"
    return int(source.query(f"SELECT count(*) FROM {quote('raw_' + table.name)} WHERE {condition}")[0][0])


def _us(day: dt.date) -> int:
    return (day - dt.date(1970, 1, 1)).days * 86_400_000_000


def reading_fault(path: Path, error: Exception) -> Fault:
    text = str(error).strip().splitlines()[0]
    if "xtension" in text:
        return Fault(
            str(path),
            text,
            "only parquet, json, csv and icu come with DuckDB; other extensions are downloads",
            f"write {path.stem}.py with rows(data) that yields Arrow (SQLAlchemy, ADBC, fsspec)",
        )
    step = "check ${data} and the file's name" if "No files found" in text else "run the SELECT in DuckDB and mend it"
    return Fault(str(path), text, "the file is one SELECT that DuckDB can run", step)


def file_fault(path: Path, file: Path) -> Fault | None:
    """Why a file that a SELECT reads asks for absurdly much memory (`features.flat_files.bounds`); None when it does not."""
    try:
        if is_packed(file):
            refuse_inflated(file, 2 * FREE_INFLATED_BYTES)
        elif _is_parquet(file):
            fault = texts_fault(file, metadata_of(file))
            return fault and replace(fault, where=f"{path}, file {fault.where}")
    except TooMuch as error:
        return replace(error.fault, where=f"{path}, file {error.fault.where}")
    except (pa.ArrowException, OSError):
        return None  # DuckDB says what is wrong with it
    return None


def _is_parquet(file: Path) -> bool:
    with file.open("rb") as opened:
        return opened.read(4) == b"PAR1"  # whatever it is called: DuckDB's `read_parquet` does not ask
