"""Custom signals: a source's columns beyond the canonical ones, with their type inferred from the data."""

from __future__ import annotations

from dataclasses import dataclass

import narwhals as nw

from features.signals.aggregations import State
from features.signals.definition import Definition, days_since, define, number
from features.signals.signal import Entity
from features.sources.schema import ENTITIES
from features.sources.source import Source

MOST_WORDS = 1_000
"""A text column with more different values is not offered as a category."""
IDENTIFIER_SHARE = 0.5
"""A text column with more different values than this share of its rows is an identifier."""


@dataclass(frozen=True)
class LeftOut:
    """A column that is not offered, and why."""

    table: str
    column: str
    why: str


def custom_definitions(source: Source, entity: Entity, taken: set[str]) -> tuple[list[Definition], list[LeftOut]]:
    """One definition per usable extra column of the entity's table; `taken` are names that are in use."""
    table = ENTITIES[entity]
    definitions: list[Definition] = []
    left_out: list[LeftOut] = []
    for column in source.custom.get(table, ()):
        quoted = '"' + column.replace('"', '""') + '"'
        found = source.query(f'SELECT typeof({quoted}) FROM "{table}" WHERE {quoted} IS NOT NULL LIMIT 1')
        if not found:
            left_out.append(LeftOut(table, column, "it has no value in any row"))
            continue
        name = column
        while name in taken:
            name = f"custom_{name}"
        if found[0][0] == "VARCHAR":
            words, rows = source.query(f'SELECT approx_count_distinct({quoted}), count({quoted}) FROM "{table}"')[0]
            if words > MOST_WORDS or (rows > 20 and words > IDENTIFIER_SHARE * rows):
                left_out.append(
                    LeftOut(
                        table,
                        column,
                        f"about {words:,} different texts in {rows:,} rows: an identifier, not a category",
                    )
                )
                continue
        taken.add(name)
        definitions.append(_definition(name, column, table, entity, found[0][0]))
    return definitions, left_out


def _definition(name: str, column: str, table: str, entity: Entity, kind: str) -> Definition:
    measure = State(f"custom_{column}", table, value=lambda: nw.col(column), how="max")
    label = column.replace("_", " ")
    missing = f"{label} is not recorded"
    if kind == "VARCHAR":
        return define(
            name,
            lambda get: get(measure),
            entity=entity,
            theme="custom",
            unit="category",
            label=label,
            some=f"{label} is {{value}}.",
            missing=missing,
            unknown=f"{label} is not known.",
        )
    if kind == "BIGINT":
        return define(
            name,
            lambda get: days_since(get(measure)),
            entity=entity,
            theme="custom",
            unit="days",
            by_clock=True,
            label=f"days since {label}",
            some=f"{label} was {{value}} days ago.",
            zero=f"{label} was within the last day.",
            negative=f"{label} is in {{size}} days.",
            unknown=f"{label} is not known.",
            missing=missing,
        )
    return define(
        name,
        lambda get: number(get(measure)),
        entity=entity,
        theme="custom",
        unit="points",
        label=label,
        some=f"{label} is {{value}}.",
        missing=missing,
        unknown=f"{label} is not known.",
    )
