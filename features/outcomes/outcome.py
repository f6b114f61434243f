"""Definition of an outcome: entity, horizon, who is eligible, how it is read, what is at stake. One file per outcome
beside this one; `catalog.py` lists them.

Imports are light on purpose: models hold an outcome, and the API loads models without DuckDB and pandas. Code that
reads rows is imported when it is called.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from features.signals.signal import Entity
from features.sources.schema import ENTITIES

if TYPE_CHECKING:
    import narwhals as nw

    from features.outcomes.labels import Outcomes
    from features.signals.aggregations import Wanted
    from features.sources.source import Source

ELIGIBLE = "eligible"
"""What the panel's column `eligibility` says of those that get a score; of the others it says the code of a `NotEligible`."""


@dataclass(frozen=True)
class NotEligible:
    """One reason for having no score at `as_of`."""

    code: str
    """In the panel's column `eligibility`, the store and the API's `no_score`."""
    words: str
    """Who they are, for the report: "objected to being scored"."""
    detail: str
    """What the API answers in the place of a score: whole sentences."""
    holds: Callable[[Wanted], nw.Expr]
    """The condition, out of measures as they were known at `as_of`; true leaves the entity out."""
    table: str | None = None
    """Asked only where the source has this table; None: always."""
    of_notes: bool = False
    """Asked only where notes tell outcomes (`features.sources.notes`)."""


@dataclass(frozen=True)
class Stake:
    """What is at stake, in words and in money."""

    title: str
    """Of a list of those that need attention: "accounts most at risk"."""
    amount: str
    """What probability times amount is called: "revenue at risk"."""
    value: Callable[[Wanted, Source], nw.Expr | None]
    """float64 in currency units: the amount, as known at `as_of`, that the panel has as `value`; None when no table tells it."""
    is_loss: bool = False
    """Whether the outcome takes the amount away: the API then says `value_at_risk`, the star `arr_at_risk`; else `expected_value`."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One outcome of an entity. Training, audit, check, monitor and star all use this definition."""

    name: str
    entity: Entity
    verb: str
    """What those with the outcome did: `left`."""
    flag: str
    """The same as a column of a table says it: `churned`."""
    horizon_days: int
    """Where a model does not say another one; 0 when nothing is known of it (a flat table)."""
    sign: Literal[-1, 1]
    """+1 when what is good for the relationship raises the probability, -1 when it lowers it."""
    tables: tuple[str, ...]
    """Every table that it may be read from, that of ready labels first; any one of them is enough."""
    not_eligible: tuple[NotEligible, ...]
    """Who gets no score, the first that holds; whoever is in none of them is eligible."""
    read: Callable[[Source], Outcomes]
    """Reads the outcomes of a source that records them; raises `OutcomesRefused` with every reason. Call
    `read_outcomes`."""
    stake: Stake
    labels: str | None = None
    """The table of ready outcomes, whose column is `flag`; None when there is none."""
    crowd: str = ""
    """What the entities are called; the name of their table where it is not given."""
    told_as: Mapping[str, bool] = field(default_factory=dict, hash=False)
    """The words by which people and CRMs tell it of one entity, and whether it happened then; empty when it cannot be
    told."""

    def __post_init__(self) -> None:
        if not self.crowd:
            object.__setattr__(self, "crowd", ENTITIES[self.entity])

    def told_by(self, source: Source) -> tuple[str, ...]:
        """The tables that it is read from in this source: ready labels alone where there are any."""
        if self.labels and source.has(self.labels):
            return (self.labels,)
        return tuple(table for table in self.tables if table != self.labels and source.has(table))

    def lacking(self, source: Source) -> str | None:
        """None when the source can tell it, else what the source lacks."""
        if not source.has(ENTITIES[self.entity]):
            return f"no table {ENTITIES[self.entity]}"
        if self.told_by(source):
            return None
        return f"none of the tables {', '.join(self.tables)}, which record the outcome"

    def eligibility(self, get: Wanted, source: Source) -> nw.Expr:
        """The panel's column: `ELIGIBLE`, or the code of the first reason that holds."""
        import narwhals as nw

        rules = [
            (n.code, n.holds(get))
            for n in self.not_eligible
            if (n.table is None or source.has(n.table)) and (source.told_outcomes or not n.of_notes)
        ]
        status: nw.Expr = nw.lit(ELIGIBLE)
        for code, holds in reversed(rules):
            status = nw.when(holds).then(nw.lit(code)).otherwise(status)
        return status

    def __deepcopy__(self, memo: dict[int, Any]) -> Outcome:
        return self
