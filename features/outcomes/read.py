"""Reads the outcomes of a source, and adds those that notes tell."""

from __future__ import annotations

from features.kit.errors import Fault
from features.outcomes.labels import Outcomes, OutcomesRefused
from features.outcomes.notes import with_notes
from features.outcomes.outcome import Outcome
from features.sources.schema import ENTITIES
from features.sources.source import Source


def read_outcomes(source: Source, outcome: Outcome) -> Outcomes:
    """The outcomes of a source, with those of notes. Raises `OutcomesRefused` when it records none or its labels contradict themselves."""
    table = ENTITIES[outcome.entity]
    if not source.has(table):
        wanted = f"a model of {table} learns from the table {table!r}"
        fault = Fault(
            where=f"source {source.name!r}",
            found=f"it has {', '.join(source.tables)}",
            rule=wanted,
            next_step=f"add {table}.sql, or fit another model",
        )
        raise OutcomesRefused(f"source {source.name!r}", [fault])
    return with_notes(source, outcome, outcome.read(source))
