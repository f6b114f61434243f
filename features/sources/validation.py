"""Validates a table of a source: missing columns, wrong types, impossible values, files that cannot be read."""

from __future__ import annotations

import datetime as dt
import difflib
import itertools
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa

from features.kit.clock import to_us
from features.kit.errors import Fault
from features.kit.flat_files.bounds import (
    FREE_INFLATED_BYTES,
    TooMuch,
    is_packed,
    metadata_of,
    packing_of,
    refuse_inflated,
    texts_fault,
)
from features.sources.cast_advice import cast_advice, quoted
from features.sources.cast_faults import FIELDS, RAGGED, ragged
from features.sources.casts import ACCEPTED, canonical_item, family_of, internal, internal_of, quote
from features.sources.query_text import Excerpt
from features.sources.schema import TABLES, Column, Table
from features.sources.source_fault import of_file, source_fault

if TYPE_CHECKING:
    from features.sources.source import Source

FIRST_TIME, LAST_TIME = dt.date(1971, 1, 1), dt.date(2200, 1, 1)
"""Times outside are typing errors or placeholders (1900-01-01, 9999-12-31). The arithmetic of weeks relies on these limits."""
SHOWN_NAMES = 20


def name_fault(path: Path) -> Fault:
    """The fault of a file whose name is not a table."""
    near = difflib.get_close_matches(path.stem.lower(), TABLES, 1, 0.8)
    step = f"rename it to {f'{near[0]}{path.suffix}' if near else 'one of them'}, or to _{path.name}, which is not read"
    return source_fault(
        path,
        found=f"no canonical table is called {path.stem!r}",
        rule=f"one of {', '.join(TABLES)}",
        next_step=step,
    )


def schema_faults(
    connection: duckdb.DuckDBPyConnection, path: Path, table: Table, types: Mapping[str, str], query: str | None
) -> list[Fault]:
    """Faults of columns that are missing or of the wrong type, each with a SELECT that mends it (`features.sources.cast_advice`)."""
    faults: list[Fault] = []
    raw = quote("raw_" + table.name)
    for column in table.canonical:
        if column.name not in types:
            if column.required:
                file = ragged(connection, query or "", column.name)
                if file is not None:
                    faults.append(
                        source_fault(
                            path,
                            column=column.name,
                            found=f"{file.name}: some of its lines have other fields than its header",
                            rule=FIELDS,
                            next_step=RAGGED,
                        )
                    )
                    continue
                held = ", ".join(list(types)[:SHOWN_NAMES]) + (" ..." if len(types) > SHOWN_NAMES else "")
                step = f"SELECT the column that holds it AS {column.name}; the SELECT has {held}"
                faults.append(
                    source_fault(
                        path,
                        column=column.name,
                        found="it is missing",
                        rule=f"{column.type}: {column.meaning}",
                        next_step=step,
                    )
                )
            continue
        family = family_of(types[column.name])
        is_key = column.type == "text" and column.name.endswith("_id")
        if family == '"NULL"' or family in ACCEPTED[column.type] or (is_key and family in ACCEPTED["integer"]):
            continue
        step = cast_advice(connection, f"SELECT * FROM {raw}", column, types[column.name])
        faults.append(
            source_fault(
                path,
                column=column.name,
                found=f"its type is {types[column.name]}",
                rule=f"{column.name} is {column.type}: {column.meaning}",
                next_step=step,
            )
        )
    return faults


def taken_faults(path: Path, slugs: Mapping[str, str], names: Sequence[str]) -> list[Fault]:
    """Faults of custom columns whose slug is one of `names`, or that of another column. `slugs` has the slug of each column."""
    rule = "column names are unique in lower case with words joined by underscores, and no canonical or internal ones"
    faults: list[Fault] = []
    taken = set(names)
    for name, slug in slugs.items():
        if slug in taken:
            free = next(each for n in itertools.count(2) if (each := f"{slug}_{n}") not in {*taken, *slugs.values()})
            step = f"rename it: SELECT * RENAME ({quoted(name)} AS {free}) FROM (THIS SELECT)"
            faults.append(
                source_fault(
                    path,
                    column=name,
                    found=f"its name reads {slug!r}, which is taken",
                    rule=rule,
                    next_step=step,
                )
            )
            taken.add(free)
        taken.add(slug)
    return faults


def overflow_faults(
    connection: duckdb.DuckDBPyConnection, path: Path, table: Table, types: Mapping[str, str]
) -> list[Fault]:
    """Faults of values that are too large for the canonical type: whole numbers and cents beyond 64 bits."""
    faults: list[Fault] = []
    raw = quote("raw_" + table.name)
    for column in table.canonical:
        if column.name not in types:
            continue
        c = quote(column.name)
        kept = canonical_item(table.name, column, True).rpartition(" AS ")[0]
        lost = f"{c} IS NOT NULL AND TRY({kept}) IS NULL" + (f" AND isfinite({c})" if column.type == "number" else "")
        try:
            count, value = connection.execute(
                f"SELECT count(*), min(CAST({c} AS VARCHAR)) FROM {raw} WHERE {lost}"
            ).fetchall()[0]
        except duckdb.Error:
            continue
        if count:
            rule = (
                "a whole number fits into 64 bits"
                if column.type == "integer"
                else f"{column.type} fits into 64 bits (money in cents)"
            )
            faults.append(
                source_fault(
                    path,
                    column=column.name,
                    rows=count,
                    found=f"is too large: {value[:60]}",
                    rule=rule,
                    next_step=_without(column, f"NOT ({lost})"),
                )
            )
    return faults


def _without(column: Column, good: str) -> str:
    """The step that removes what is not `good`: the value, or the whole row when the column is required."""
    c = quoted(column.name)
    good = good.replace(quote(column.name), c)
    if column.required:
        return f"leave these rows out: SELECT * FROM (THIS SELECT) WHERE {good}"
    return f"make them null: SELECT * REPLACE (CASE WHEN {good} THEN {c} END AS {c}) FROM (THIS SELECT)"


def python_fault(path: Path, error: Exception) -> Fault:
    """The fault of a source's own Python file: what it raised, and at which of its lines."""
    text = (str(error).strip().splitlines() or [""])[0]
    of_file = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == str(path)]
    number = error.lineno if isinstance(error, SyntaxError) else of_file[-1] if of_file else None
    excerpt = ""
    if number is not None:
        line = path.read_text(errors="replace").splitlines()[number - 1]
        excerpt = str(Excerpt(number, line, len(line) - len(line.lstrip()), len(line)))
    step = "mend the file; it has a function rows(data) that returns a pyarrow.Table or RecordBatchReader"
    if isinstance(error, TypeError) and "rows(data) returned" in text:
        step = "return pyarrow.Table.from_pylist(...) of a list of dictionaries, or a data frame"
    elif isinstance(error, AttributeError) and "'rows'" in text:
        step = "write a function rows(data) that returns a pyarrow.Table or RecordBatchReader"
    return source_fault(
        path,
        line=number,
        found=f"{type(error).__name__}: {text}",
        rule="rows(data) returns Arrow",
        next_step=step,
        excerpt=excerpt,
    )


def value_faults(source: Source, path: Path, table: Table) -> list[Fault]:
    """Faults of nulls in required columns and of impossible times, found in one pass over the table."""
    first, last = (to_us(dt.datetime.combine(day, dt.time(), dt.UTC)) for day in (FIRST_TIME, LAST_TIME))
    tests: list[tuple[Column, str, str, str, str]] = []
    for column in table.columns:
        if column.required:
            good = f"{quote(column.name)} IS NOT NULL"
            tests.append((column, f"{internal_of(column)} IS NULL", "is null", "has a value in every row", good))
        if column.type == "time" and column.name in source.columns[table.name]:
            name = internal(column.name)
            tests.append(
                (
                    column,
                    f"{name} < {first} OR {name} >= {last}",
                    f"lies before {FIRST_TIME} or after {LAST_TIME}",
                    "is a real time; unknown is null",
                    f"{quote(column.name)} >= '{FIRST_TIME}' AND {quote(column.name)} < '{LAST_TIME}'",
                )
            )
    if not tests:
        return []
    if source.stays(table.name):
        # One query per rule on the file's own columns: Parquet's statistics answer it without a scan.
        counts = [_count_raw(source, table, column.name, test) for column, test, *_ in tests]
    else:
        filters = ", ".join(f"count(*) FILTER (WHERE {test})" for _, test, *_ in tests)
        counts = list(source.query(f"SELECT {filters} FROM {quote(table.name)}")[0])
    return [
        source_fault(
            path,
            column=column.name,
            rows=count,
            found=found,
            rule=f"{column.name} {rule}",
            next_step=_without(column, good),
        )
        for count, (column, _, found, rule, good) in zip(counts, tests, strict=True)
        if count
    ]


def _count_raw(source: Source, table: Table, name: str, condition: str) -> int:
    """Number of rows that break a rule, in a table that stays in its files (see `value_faults`)."""
    kind = source.query(f"SELECT typeof({quote(name)}) FROM {quote('raw_' + table.name)} LIMIT 1")[0][0]
    if "IS NULL" not in condition:
        zone = "+00" if "TIME ZONE" in kind else ""
        stamp = "TIMESTAMPTZ" if zone else "TIMESTAMP"
        first, last = (f"{stamp} '{day} 00:00:00{zone}'" for day in (FIRST_TIME, LAST_TIME))
        condition = f"{quote(name)} < {first} OR {quote(name)} >= {last}"
    else:
        condition = f"{quote(name)} IS NULL"
    return int(source.query(f"SELECT count(*) FROM {quote('raw_' + table.name)} WHERE {condition}")[0][0])


def file_fault(path: Path, file: Path) -> Fault | None:
    """The fault of a file that asks for absurdly much memory (`features.kit.flat_files.bounds`); None when it does not."""
    try:
        if is_packed(file) or packing_of(file) is not None:
            refuse_inflated(file, 2 * FREE_INFLATED_BYTES)
        elif _is_parquet(file):
            fault = texts_fault(file, metadata_of(file))
            return fault and of_file(path, fault.where, fault)
    except TooMuch as error:
        return of_file(path, error.fault.where, error.fault)
    except (pa.ArrowException, OSError):
        return None  # DuckDB says what is wrong with it
    return None


def _is_parquet(file: Path) -> bool:
    with file.open("rb") as opened:
        return opened.read(4) == b"PAR1"  # whatever it is called: DuckDB's `read_parquet` does not ask
