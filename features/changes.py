"""Changes that a CRM told us since the source was read, laid over it: new versions of rows of a state table."""

from __future__ import annotations

import copy
import datetime as dt
import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from features.canonical import internal, quote, versions
from features.errors import BadInput, Fault, UserMistake
from features.source import Source, configure, to_us
from features.tables import KNOWN_TIME, TABLES, Column, Table

_NUMBER = itertools.count(1)
_ARROW = {
    "text": pa.string(), "integer": pa.int64(), "number": pa.float64(), "money": pa.int64(), "boolean": pa.bool_(), "time": pa.int64(),
}  # fmt: skip


def coerce(column: Column, value: Any) -> Any:
    """A value as a CRM writes it, in the type that the table holds (money in cents, times in microseconds).

    Texts are read: `"12"`, `"true"`, ISO 8601 times, milliseconds since 1970; an empty text is null.

    >>> coerce(Column("employees", "integer", ""), "250")
    250
    >>> coerce(Column("employees", "integer", ""), "many")
    Traceback (most recent call last):
    ValueError: 'many' is no integer
    """
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    text = value.strip() if isinstance(value, str) else value
    try:
        match column.type:
            case "text":
                return str(text)
            case "integer":
                number = float(text)
                if isinstance(text, bool) or not number.is_integer():
                    raise ValueError
                return int(number)
            case "number" | "money":
                number = float(text)
                if isinstance(text, bool) or not math.isfinite(number):
                    raise ValueError
                return round(number * 100) if column.type == "money" else number
            case "boolean":
                if isinstance(text, bool):
                    return text
                return {"true": True, "false": False, "yes": True, "no": False, "1": True, "0": False}[
                    str(text).lower()
                ]
            case "time":
                return time_us(text)
    except (ValueError, TypeError, KeyError, OverflowError):
        raise ValueError(f"{value!r} is no {column.type}") from None
    raise ValueError(f"{value!r} is no {column.type}")


def time_us(value: Any) -> int:
    """Microseconds since 1970 of an ISO 8601 text (UTC where it names no zone) or of milliseconds; raises `ValueError`."""
    if isinstance(value, dt.datetime):
        moment = value
    elif isinstance(value, (int, float)) or str(value).lstrip("-").isdigit():
        return int(value) * 1000
    else:
        moment = dt.datetime.fromisoformat(str(value))
    return to_us(moment.replace(tzinfo=dt.UTC) if moment.tzinfo is None else moment.astimezone(dt.UTC))


def overlay(source: Source, table: str, changes: Sequence[Mapping[str, Any]]) -> Source:
    """See `Source.with_changes`. Raises `BadInput` with every value that its column cannot hold."""
    definition = TABLES.get(table)
    if definition is None or definition.kind != "state" or definition.key is None:
        raise UserMistake(f"changes go into a state table; {table!r} is none")
    if table not in source.columns:
        raise UserMistake(f"source {source.name!r} has no table {table!r} to change")
    read = _together(definition.key, _read(definition, changes, source.custom[table]))
    keys = sorted({row[definition.key] for row in read})
    names = [_name(c) for c in definition.columns] + ["known_us", "visible_us", *source.custom[table]]
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
        rows.append(newest | change | {"visible_us": max(change["event_us"], change["known_us"])})

    above = copy.copy(source)
    for cached in ("fingerprint", "contents", "span"):
        above.__dict__.pop(cached, None)
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
    """Changes of one row at one time are one version of it: a message with several fields is a change of each. Of one field
    that is in two of them the later one counts.

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


def _read(definition: Table, changes: Sequence[Mapping[str, Any]], custom: Sequence[str]) -> list[dict[str, Any]]:
    faults: list[Fault] = []
    read = []
    known = {c.name: c for c in (*definition.columns, KNOWN_TIME)}
    for number, change in enumerate(changes):
        row: dict[str, Any] = {}
        for name, value in change.items():
            column = known.get(name)
            if column is None and name not in custom:
                choices = ", ".join([*known, *custom])
                faults.append(
                    Fault(
                        f"change {number}, table {definition.name}, column {name}",
                        "no such column",
                        f"one of {choices}",
                        "mend the mapping",
                    )
                )
                continue
            try:
                row[name if column is None else _name(column)] = value if column is None else coerce(column, value)
            except ValueError as error:
                # The value is the customer's: the message names its type, the caller decides about showing it.
                faults.append(
                    Fault(
                        f"change {number}, table {definition.name}, column {name}",
                        str(error),
                        column.meaning if column else "",
                        "mend the mapping or the value in the CRM",
                    )
                )
        for needed in (definition.key or "", "event_us"):
            if row.get(needed) is None:
                faults.append(
                    Fault(
                        f"change {number}, table {definition.name}",
                        f"no {needed}",
                        "a change names its key and its time",
                        "add it",
                    )
                )
        row.setdefault("known_us", row.get("event_us"))
        read.append(row)
    if faults:
        raise BadInput(f"changes to {definition.name}", faults)
    return read
