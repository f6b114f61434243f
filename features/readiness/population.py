"""Sizes of the populations of models that share an outcome, and the entities that two of them have in common."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pyarrow as pa

from features.kit.errors import BadInput
from features.outcomes.asked import Asked
from features.outcomes.needed_tables import tables_for
from features.outcomes.outcome import ELIGIBLE
from features.panel.build import build_panel
from features.panel.population import narrowed, require_readable
from features.readiness.line import Line
from features.sources.schema import ENTITIES
from features.sources.source import Source


@dataclass(frozen=True)
class Members:
    """The entities of a source as of a moment, for models of one outcome."""

    as_of: dt.datetime
    eligible: int
    ids: np.ndarray
    """(n,) text: all entities."""
    inside: dict[str, np.ndarray]
    """Model -> (n,) bool: eligible and in its population."""

    def count(self, model: str) -> int:
        return int(self.inside[model].sum())

    def shared(self) -> dict[tuple[str, str], int]:
        """How many entities two models both are for; pairs that share nobody are not there."""
        pairs = {(a, b): int((self.inside[a] & self.inside[b]).sum()) for a, b in combinations(self.inside, 2)}
        return {pair: count for pair, count in pairs.items() if count}


def members(source: Source, models: Sequence[Asked]) -> Members:
    """Who is in the populations of models of one outcome, at the end of the data.

    Raises `BadInput` when a population reads what the source does not offer.
    """
    for model in models:
        require_readable(source, model)
    first = models[0]
    reads = dict.fromkeys(name for model in models if model.population for name in model.population.signals)
    as_of = source.span[1] + dt.timedelta(microseconds=1)
    panel = build_panel(source, first.entity, [as_of], only=list(reads), outcomes=[first.outcome])
    inside = {model.name: _is_eligible(narrowed(panel, model)) for model in models}
    ids = panel["entity_id"].to_numpy(zero_copy_only=False)
    return Members(as_of, int(_is_eligible(panel).sum()), ids, inside)


def _is_eligible(panel: pa.Table) -> np.ndarray:
    return np.asarray(panel["eligibility"].to_numpy(zero_copy_only=False) == ELIGIBLE)


def population_lines(source: Source, models: Iterable[Asked]) -> Iterable[Line]:
    """The size of each narrowed population, and pairs of models of one outcome that overlap: only one of the two can go
    live."""
    by_outcome: dict[str, list[Asked]] = {}
    for model in models:
        broken = tables_for(model.entity, model.themes, model.outcome).intersection(source.broken)
        if not broken and source.has(ENTITIES[model.entity]) and is_readable(source, model):
            by_outcome.setdefault(model.outcome.name, []).append(model)
    for outcome, asked in by_outcome.items():
        if len(asked) > 1 or asked[0].population:
            yield from _lines(outcome, {model.name: model for model in asked}, members(source, asked))


def is_readable(source: Source, model: Asked) -> bool:
    """Whether the population reads only what the source offers; its faults have lines of their own."""
    try:
        require_readable(source, model)
    except BadInput:
        return False
    return True


def _lines(outcome: str, asked: dict[str, Asked], found: Members) -> Iterable[Line]:
    table = ENTITIES[next(iter(asked.values())).entity]
    for name, model in asked.items():
        if model.population:
            count = found.count(name)
            yield Line(
                severity="info" if count else "weakens",
                table=table,
                column="",
                rows=count,
                rule=f"its population: {model.population}",
                found=f"{count:,} of {found.eligible:,} eligible {table} at the end of the data",
                needed="at least one",
                what_to_do="nothing" if count else "check the words and limits of its population",
                model=name,
            )
    for pair, count in found.shared().items():
        for name, other in (pair, pair[::-1]):
            yield Line(
                severity="weakens",
                table=table,
                column="",
                rows=count,
                rule=f"two live models of {outcome} share nobody",
                found=f"{count:,} of {found.eligible:,} eligible {table} are also of {other} ({asked[other].population or 'everybody'})",
                needed="none",
                what_to_do=f"narrow {name} or {other} by the field population, or put one of the two live alone",
                model=name,
                gate=True,
            )
