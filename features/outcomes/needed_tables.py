"""Which canonical tables a model reads: a broken table stops only the models that read it."""

from __future__ import annotations

from collections.abc import Collection
from functools import cache

from features.outcomes.catalog import outcomes_of
from features.outcomes.outcome import Outcome
from features.signals.catalog import definitions
from features.signals.signal import THEMES, Entity, Theme
from features.sources.schema import ENTITIES
from features.sources.source import Source

_COMPANY: dict[Entity, tuple[str, ...]] = {"account": (), "lead": ("opportunities", "subscriptions", "accounts")}
"""Tables that say which company a lead belongs to, and whether it has bought."""


@cache
def tables_for(entity: Entity, themes: tuple[Theme, ...] = THEMES, outcome: Outcome | None = None) -> frozenset[str]:
    """The tables of an entity's signals of these themes, of its outcome (None: of all its outcomes) and of who is eligible.

    >>> "tickets" in tables_for("account"), "tickets" in tables_for("lead")
    (True, False)
    """
    of_signals = {table for d in definitions(entity) if d.signal.theme in themes for table in d.signal.tables}
    asked = outcomes_of(entity) if outcome is None else (outcome,)
    telling = {table for each in asked for table in each.tables}
    eligible = {n.table for each in asked for n in each.not_eligible if n.table is not None}
    return frozenset({ENTITIES[entity], *_COMPANY[entity], *telling, *eligible, *of_signals})


def left_out_notes(source: Source, needed: Collection[str]) -> list[str]:
    """A sentence for each table that cannot be read and is not needed. No value of a row is in it: reports and logs have it."""
    return [
        f"Table {table} is left out, and nothing here reads it: {faults[0].where} has a fault; run python -m features check --source "
        f"{source.folder}"
        for table, faults in source.broken.items()
        if table not in needed
    ]
