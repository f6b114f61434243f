"""Applies a model's population to a panel: eligible entities outside of it get its code in `eligibility`."""

from __future__ import annotations

import pyarrow as pa

from features.kit.errors import BadInput
from features.outcomes.asked import Asked
from features.panel.build import signals_of
from features.sources.source import Source


def require_readable(source: Source, asked: Asked) -> None:
    """Raises `BadInput` with everything that is wrong with a model's population for this source."""
    if not asked.population:
        return
    faults = asked.population.faults(asked.name, asked.entity, signals_of(source, asked.entity))
    if faults:
        raise BadInput(f"source {source.name!r} for {asked.name}", faults)


def narrowed(panel: pa.Table, asked: Asked) -> pa.Table:
    """The panel with `eligibility` narrowed to the model's population; it needs the signals that the population
    reads."""
    if not asked.population:
        return panel
    status = asked.population.narrow(panel["eligibility"], panel)
    return panel.set_column(panel.schema.names.index("eligibility"), "eligibility", status)
