"""The `eligibility` columns of a panel, one per outcome, and the outcomes' names in its metadata."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pyarrow as pa

from features.kit.errors import UserMistake
from features.outcomes.catalog import outcomes_of
from features.outcomes.outcome import Outcome
from features.signals.signal import Entity


def asked_outcomes(entity: Entity, outcomes: Sequence[Outcome]) -> tuple[Outcome, ...]:
    """The outcomes whose eligibility a panel reports, each once; by default the entity's usual one.

    Raises `UserMistake` for an outcome of another entity."""
    others = [each.name for each in outcomes if each.entity != entity]
    if others:
        raise UserMistake(
            f"{', '.join(others)}: no outcome of the entity {entity!r}; one of {', '.join(o.name for o in outcomes_of(entity))}"
        )
    return tuple({each.name: each for each in outcomes}.values()) or outcomes_of(entity)[:1]


def eligibility_of(panel: pa.Table, outcome: Outcome) -> pa.ChunkedArray:
    """(n,) text: `eligible`, or the reason for having no score, for one of the panel's outcomes.

    Raises `UserMistake` when the panel was built for others.
    """
    told = (panel.schema.metadata or {}).get(b"outcomes")
    asked: list[str] = json.loads(told) if told else [outcomes_of(outcome.entity)[0].name]
    if outcome.name not in asked:
        raise UserMistake(
            f"the panel tells eligibility for {', '.join(asked)}, not for {outcome.name}: build it with outcomes=[...]"
        )
    return panel["eligibility" if outcome.name == asked[0] else f"eligibility:{outcome.name}"]


def eligibility_columns(outcomes: Sequence[Outcome]) -> list[str]:
    """The name of each outcome's column."""
    return ["eligibility", *(f"eligibility:{each.name}" for each in outcomes[1:])]


def described_outcomes(outcomes: tuple[Outcome, ...]) -> dict[str, str]:
    """Metadata that names the outcomes; empty for the entity's usual outcome alone."""
    if outcomes == outcomes_of(outcomes[0].entity)[:1]:
        return {}
    return {"outcomes": json.dumps([each.name for each in outcomes])}
