"""Lays changes from a CRM over a source that was read before: new versions of rows of a state table."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from features.kit.errors import BadInput, Fault, UserMistake
from features.sources.casts import internal, quote, versions
from features.sources.money import in_reporting_currency, is_converted, knows
from features.sources.schema import CURRENCY, KNOWN_TIME, TABLES, Column, Table, Type
from features.sources.source import Source, configure
from features.sources.typed_values import Unreadable, coerce, coerce_custom
from features.sources.vocabularies import understood

_NUMBER = itertools.count(1)
_CUSTOM: dict[str, Type] = {"DOUBLE": "number", "BIGINT": "time"}
"""Types of custom columns by their DuckDB type (`features.sources.casts.custom_item`); any other is text."""


def overlay(source: Source, table: str, changes: Sequence[Mapping[str, Any]]) -> Source:
    """A new source with additional versions of some rows of a state table; the given source is unchanged.

    Each change has the key, `event_time` and `known_time` (aware datetimes), and the columns that changed; other columns are
    carried over from the newest version before it. An unknown key is a new row.

    Raises `BadInput` with every value that its column cannot hold, and `UserMistake` for a table that takes no changes.
    """
    definition = TABLES.get(table)
    if definition is None or definition.kind != "state" or definition.key is None:
        raise UserMistake(f"changes go into a state table; {table!r} is none")
    if table not in source.columns:
        raise UserMistake(f"source {source.name!r} has no table {table!r} to change")
    read = _together(definition.key, _read(source, definition, changes))
    keys = sorted({row[definition.key] for row in read})
    names = [_name(c) for c in definition.columns if _held(source, table, c)] + [
        "known_us",
        "visible_us",
        *source.custom[table],
    ]
    below = f"{quote(source.schemas[table])}.{quote(table)}"
    source.connection.register("changed_keys", pa.table({"changed": pa.array(keys, pa.string())}))
    held = source.connection.sql(
        f"SELECT {', '.join(map(quote, names))} FROM {below} WHERE {quote(definition.key)} IN (SELECT changed FROM changed_keys)"
    ).to_arrow_table()
    rows = held.to_pylist()
    for change in sorted(read, key=lambda r: (r["event_us"], r["known_us"])):
        earlier = [
            r for r in rows if r[definition.key] == change[definition.key] and r["event_us"] <= change["event_us"]
        ]
        newest = max(earlier, key=lambda r: (r["event_us"], r["known_us"])) if earlier else dict.fromkeys(names)
        version = newest | change | {"visible_us": max(change["event_us"], change["known_us"])}
        if is_converted(source, table):
            of_key = [r["event_us"] for r in rows if r[definition.key] == change[definition.key]]
            version |= in_reporting_currency(source, table, change, newest, min([*of_key, change["event_us"]]))
        rows.append(version)

    above = copy.copy(source)
    above.__dict__.pop("observed", None)
    above.noted = {}
    above.connection = source.connection.cursor()
    number = next(_NUMBER)
    schema, kept = f"changes_{number}", f"changed_{number}"
    path = [schema, *dict.fromkeys(s for s in source.schemas.values() if s != "main"), "main"]
    above.schemas = {**source.schemas, table: schema}
    above.columns = {
        **source.columns,
        table: tuple(dict.fromkeys((*source.columns[table], *_given(changes, definition)))),
    }
    configure(above.connection)
    above.connection.execute(f"CREATE SCHEMA {schema}")
    above.connection.register("changed_rows", pa.Table.from_pylist(rows, schema=held.schema))
    above.connection.execute(
        f"CREATE TABLE {schema}.{kept} AS {versions('SELECT * FROM changed_rows', quote(definition.key))}"
    )
    every = ", ".join(map(quote, [*names, "from_us", "until_us", "created_us"]))
    above.connection.execute(
        f"CREATE VIEW {schema}.{quote(table)} AS SELECT {every} FROM {below} "
        f"WHERE {quote(definition.key)} NOT IN (SELECT {quote(definition.key)} FROM {schema}.{kept}) "
        f"UNION ALL SELECT {every} FROM {schema}.{kept}"
    )
    above.connection.execute(f"SET search_path = '{','.join(path)}'")
    return above


def _together(key: str, read: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Merge the changes of one row at one time into one version: a message with several fields has a change for each. When a field
    occurs twice, the later value counts.

    >>> _together("id", [{"id": 1, "event_us": 5, "known_us": 6, "a": 1}, {"id": 1, "event_us": 5, "known_us": 6, "b": 2}])
    [{'id': 1, 'event_us': 5, 'known_us': 6, 'a': 1, 'b': 2}]
    """
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for change in read:
        found.setdefault((change[key], change["event_us"], change["known_us"]), {}).update(change)
    return list(found.values())


def _name(column: Column) -> str:
    return internal(column.name).strip('"') if column.type == "time" else column.name


def _given(changes: Sequence[Mapping[str, Any]], definition: Table) -> list[str]:
    return [c.name for c in definition.columns if any(c.name in change for change in changes)]


def readable(
    source: Source, table: str, changes: Sequence[Mapping[str, Any]]
) -> tuple[list[Mapping[str, Any]], list[tuple[int, str]]]:
    """The changes that the table can hold, and the positions of the others with the reason. No reason contains a value."""
    good: list[Mapping[str, Any]] = []
    bad: list[tuple[int, str]] = []
    known = _known(source, TABLES[table])
    for number, change in enumerate(changes):
        _, faults = _read_one(source, TABLES[table], known, change)
        if faults:
            bad.append((number, "; ".join(f"{table}.{name}: {rule}" for name, _, rule in faults)))
        else:
            good.append(change)
    return good, bad


def custom_column(source: Source, table: str, name: str) -> Column | None:
    """A custom column with the type that the source holds; None when the table has no such column."""
    return _custom(source, table).get(name)


def _custom(source: Source, table: str) -> dict[str, Column]:
    names = source.custom.get(table, ())
    if not names:
        return {}
    described = source.connection.execute(f"DESCRIBE {quote(source.schemas[table])}.{quote(table)}").fetchall()
    return {n: Column(n, _CUSTOM.get(kind, "text"), "a custom column") for n, kind, *_ in described if n in names}


def _known(source: Source, definition: Table) -> dict[str, Column]:
    held = [c for c in definition.columns if _held(source, definition.name, c)]
    return {c.name: c for c in (*held, KNOWN_TIME)} | _custom(source, definition.name)


def _held(source: Source, table: str, column: Column) -> bool:
    """Whether the loaded table has a canonical column (`features.sources.schema.Column`)."""
    return not column.only_given or source.has(table, column.name)


_Wrong = tuple[str, str, str]
"""Column, what was found, the rule without the value."""


def _read_one(
    source: Source, definition: Table, known: Mapping[str, Column], change: Mapping[str, Any]
) -> tuple[dict[str, Any], list[_Wrong]]:
    row: dict[str, Any] = {}
    wrong: list[_Wrong] = []
    for name, value in change.items():
        column = known.get(name)
        if column is None:
            wrong.append((name, "no such column", f"no such column: one of {', '.join(known)}"))
            continue
        canonical = definition.column(name) is not None or column is KNOWN_TIME
        try:
            held = coerce(column, value) if canonical else coerce_custom(column, value)
            if column == CURRENCY and held is not None:
                held = held.upper()
                if not knows(source, held):
                    raise Unreadable(value, "not the reporting currency, nor one that has a rate in rates.sql")
            row[_name(column) if canonical else name] = (
                understood(definition.name, name, held) if isinstance(held, str) else held
            )
        except Unreadable as error:
            wrong.append((name, str(error), f"the value is {error.rule}"))
    for needed in (definition.key or "", "event_us"):
        if row.get(needed) is None:
            wrong.append((needed, f"no {needed}", "a change names its key and its time"))
    row.setdefault("known_us", row.get("event_us"))
    if definition.name == "subscriptions" and (row.get("mrr") or 0) < 0:
        del row["mrr"]  # a credit: the monthly revenue is unchanged (`features.sources.credits`)
    return row, wrong


def _read(source: Source, definition: Table, changes: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    faults: list[Fault] = []
    read = []
    known = _known(source, definition)
    for number, change in enumerate(changes):
        row, wrong = _read_one(source, definition, known, change)
        for name, found, rule in wrong:
            # The value may be personal data: the caller decides whether to show it.
            where, step = (
                f"change {number}, table {definition.name}, column {name}",
                "mend the mapping or the value in the CRM",
            )
            faults.append(Fault(where=where, found=found, rule=rule, next_step=step))
        read.append(row)
    if faults:
        raise BadInput(f"changes to {definition.name}", faults)
    return read
