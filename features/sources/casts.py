"""SQL that makes canonical columns of a source's columns: their types, their names, and the interval in which a version holds."""

from __future__ import annotations

import re

from features.kit.clock import FOREVER_US
from features.sources.schema import CURRENCY, Column
from features.sources.vocabularies import understood_sql

ACCEPTED: dict[str, tuple[str, ...]] = {
    "text": ("VARCHAR", "UUID", "ENUM"),
    "integer": ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "HUGEINT"),
    "boolean": ("BOOLEAN",),
    "time": ("TIMESTAMP", "DATE"),
}
ACCEPTED["number"] = ACCEPTED["money"] = (*ACCEPTED["integer"], "DOUBLE", "FLOAT", "DECIMAL")
OTHER_UNITS = {
    "TIMESTAMP_NS": ("TIMESTAMP", "make_timestamp(epoch_ns({}) // 1000)"),
    "TIMESTAMPTZ_NS": ("TIMESTAMP WITH TIME ZONE", "make_timestamptz(epoch_ns({}) // 1000)"),
    "TIMESTAMP_MS": ("TIMESTAMP", "CAST({} AS TIMESTAMP)"),
    "TIMESTAMP_S": ("TIMESTAMP", "CAST({} AS TIMESTAMP)"),
}
"""Other time types that a source may have (pandas and polars write nanoseconds), the type that each becomes, and the conversion.
Nanoseconds are rounded down. (DuckDB's own cast rounds up: the last nanosecond of a day would be the next day.)"""
ADDED = (
    "event_us",
    "known_us",
    "visible_us",
    "from_us",
    "until_us",
    "created_us",
    "entity_id",
    "as_of_us",
    "epoch_us",
)
"""Internal column names, which a custom column must not have."""


def quote(name: str) -> str:
    """A name in double quotes, as SQL takes any name."""
    return '"' + name.replace('"', '""') + '"'


def internal(name: str) -> str:
    """The int64 column that stands for a time column."""
    return quote(name.removesuffix("_time") + "_us" if name.endswith("_time") else name + "_us")


def internal_of(column: Column) -> str:
    """The quoted name of the column that holds a canonical column here."""
    return internal(column.name) if column.type == "time" else quote(column.name)


def family_of(duckdb_type: str) -> str:
    """A DuckDB type without its parameters: `DECIMAL(9,2)` is DECIMAL, `TIMESTAMP WITH TIME ZONE` is TIMESTAMP."""
    return duckdb_type.split("(", maxsplit=1)[0].split(" ", maxsplit=1)[0]


def canonical_item(table: str, column: Column, present: bool) -> str:
    """SQL of one canonical column in the type that signals see, with words in their canonical spelling; null when it is not present."""
    quoted = quote(column.name)
    match column.type:
        case "time":
            # A naive timestamp is UTC (the session's zone); one with a zone is the moment that it names.
            return f"{f'epoch_us({quoted})' if present else 'NULL::BIGINT'} AS {internal(column.name)}"
        case "money":
            return f"{f'CAST(round({quoted} * 100) AS BIGINT)' if present else 'NULL::BIGINT'} AS {quoted}"
        case "integer":
            return f"{f'CAST({quoted} AS BIGINT)' if present else 'NULL::BIGINT'} AS {quoted}"
        case "number":
            return f"{_clean(quoted) if present else 'NULL::DOUBLE'} AS {quoted}"
        case "boolean":
            return f"{quoted if present else 'NULL::BOOLEAN'} AS {quoted}"
        case _:
            text = understood_sql(table, column.name, f"CAST({quoted} AS VARCHAR)")
            if column.name == CURRENCY.name:
                text = f"upper(nullif(trim({text}), ''))"
            return f"{text if present else 'NULL::VARCHAR'} AS {quoted}"


def in_microseconds(expression: str, duckdb_type: str) -> str:
    """SQL of a time column, converted to microseconds where its type has another unit.

    >>> in_microseconds("seen", "TIMESTAMP_NS"), in_microseconds("seen", "DATE")
    ('make_timestamp(epoch_ns(seen) // 1000)', 'seen')
    """
    return OTHER_UNITS[duckdb_type][1].format(expression) if duckdb_type in OTHER_UNITS else expression


def _clean(quoted: str) -> str:
    """A float without NaN or infinity, which engines disagree about."""
    return f"CASE WHEN isfinite(CAST({quoted} AS DOUBLE)) THEN CAST({quoted} AS DOUBLE) END"


def custom_item(name: str, duckdb_type: str, slug: str) -> str:
    """SQL of one custom column: numbers and booleans as DOUBLE, times as microseconds, anything else as text."""
    quoted, family = quote(name), family_of(duckdb_type)
    if family in ACCEPTED["number"]:
        return f"{_clean(quoted)} AS {slug}"
    if family == "BOOLEAN":
        return f"CAST({quoted} AS DOUBLE) AS {slug}"
    if family in ACCEPTED["time"]:
        return f"epoch_us({quoted}) AS {slug}"
    return f"CAST({quoted} AS VARCHAR) AS {slug}"


def slug_of(column: str) -> str:
    """Lower case, words joined by underscores, never a digit first: a name that every engine takes.

    >>> slug_of("Total Time Spent on Website"), slug_of("2nd.mail")
    ('total_time_spent_on_website', 'c_2nd_mail')
    """
    slug = re.sub(r"[^a-z0-9]+", "_", column.lower()).strip("_") or "column"
    return f"c_{slug}" if slug[0].isdigit() else slug


def versions(select: str, key: str, tie: str = "hash(version)") -> str:
    """Give each version row the interval of as_of (`from_us`, `until_us`) in which it is the newest known state of its key.

    Two versions of one key with the same times contradict each other. Their hash decides, so that the order of rows in a file
    never does. `tie` is that hash when the rows have more columns than the table.
    """
    return f"""
        WITH version AS ({select})
        SELECT *,
            visible_us AS from_us,
            coalesce(min(visible_us) OVER (
                PARTITION BY {key} ORDER BY event_us, known_us, {tie}
                ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING
            ), {FOREVER_US}) AS until_us,
            min(event_us) OVER (PARTITION BY {key} ORDER BY visible_us) AS created_us
        FROM version"""
