"""What a model is, as data: whom it scores, what it predicts, when it is good enough, what a mistake costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from features.signal import Entity, Signal, Theme


@dataclass(frozen=True)
class Outcome:
    """The outcome in the words that reasons and reports use."""

    label: str
    """Name of the label column, 1 when it happened: `churned`."""
    noun: str
    """`churn`."""
    happened: str
    """Past tense, after a number of entities: `left`, as in "19 % left within 90 days"."""
    crowd: str
    """Plural of the entity: `accounts`."""
    good: bool
    """True when we hope that it happens; then a signal with good=+1 may only raise the score."""


@dataclass(frozen=True)
class Band:
    """A named stretch of percentiles; it ends where the next one begins."""

    name: str
    from_percentile: int
    """1 to 100, the first percentile that belongs to it."""
    meaning: str


@dataclass(frozen=True)
class Gate:
    """One condition for going live: a measure of the judgement and the limit it must keep.

    `at_least` and `at_most` are inclusive. `noise` names another measure that replaces `at_most` when it is larger: the
    bound below which even a perfect model of that sample size would fall in 95 of 100 cases. An `optional` gate passes
    when its measure is absent (there is no champion yet); any other gate fails then.
    """

    name: str
    measure: str
    why: str
    at_least: float | None = None
    at_most: float | None = None
    noise: str | None = None
    optional: bool = False

    def check(self, measures: Mapping[str, float | None]) -> GateResult:
        """Hold the measures against the limit.

        >>> gate = Gate("enough labels", "positives", "fewer say nothing", at_least=50)
        >>> gate.check({"positives": 12}).text
        'enough labels: positives is 12, needed at least 50'
        """
        value = measures.get(self.measure)
        if value is None or value != value:
            return GateResult(self, None, self.optional, f"{self.name}: {self.measure} is not known")
        ceiling = self.at_most
        noise = measures.get(self.noise) if self.noise else None
        if ceiling is not None and noise is not None and noise > ceiling:
            ceiling = noise
        passed = (self.at_least is None or value >= self.at_least) and (ceiling is None or value <= ceiling)
        needed = [f"at least {self.at_least:g}"] if self.at_least is not None else []
        needed += [f"at most {ceiling:.4g}"] if ceiling is not None else []
        return GateResult(self, value, passed, f"{self.name}: {self.measure} is {value:.4g}, needed {' and '.join(needed)}")


@dataclass(frozen=True)
class GateResult:
    """A gate with what was found; `text` is one line for people."""

    gate: Gate
    value: float | None
    passed: bool
    text: str


@dataclass(frozen=True)
class Parameter:
    """A number of the business, with what it stands for."""

    name: str
    value: float
    unit: str
    meaning: str


@dataclass(frozen=True)
class Profit:
    """How profit is measured: a metric of `empulse` and its parameters by the names it gives them."""

    metric: Literal["empa", "empb"]
    source: str
    parameters: tuple[Parameter, ...]

    def arguments(self) -> dict[str, float]:
        """Keyword arguments for the metric."""
        return {parameter.name: parameter.value for parameter in self.parameters}


@dataclass(frozen=True)
class Capacity:
    """What the people who act on the list can do, and what acting costs; the defaults of a judgement."""

    share: float
    """Share of the scored entities that is worked on, 0 to 1."""
    contact_cost: float
    """Cost of acting on one entity, in the source's currency."""
    success: float
    """Share of the right ones that acting saves or wins, 0 to 1: what an action is worth is this times the value."""
    success_meaning: str


@dataclass(frozen=True)
class Observation:
    """When entities are looked at for training."""

    step_days: int = 28
    """A calendar grid: as_of at 00:00 UTC whose days since 1970-01-01 are divisible by it."""
    warm_up_days: int = 84
    """The first as_of is this long after the source's first event, so that the longest window is full."""
    lead_days: int = 0
    """Outcomes nearer than this to as_of come too late to act upon and are not counted; 0 counts all."""


@dataclass(frozen=True)
class Model:
    """One model. A third one is a third file with one of these and one line in `models/catalog.py`."""

    name: str
    """`churn-risk`: in URLs, the registry and file names."""
    title: str
    question: str
    """What the number answers, in one sentence."""
    not_for: str
    """What it must not be used for."""
    entity: Entity
    population: str
    """Who is scored, in words."""
    horizon_days: int
    outcome: Outcome
    label_table: str
    """Canonical table that holds a ready outcome, when the source has one."""
    themes: tuple[Theme, ...]
    """Themes whose signals it may use, in the order of reports."""
    bands: tuple[Band, ...]
    """From the lowest to the highest; the first begins at percentile 1."""
    gates: tuple[Gate, ...]
    profit: Profit
    capacity: Capacity
    observation: Observation = Observation()

    def __post_init__(self) -> None:
        starts = [band.from_percentile for band in self.bands]
        if not starts or starts[0] != 1 or starts != sorted(set(starts)) or starts[-1] > 100:
            raise ValueError(f"{self.name}: bands begin at percentiles {starts}; the first must be 1, each above the last")

    def direction(self, signal: Signal) -> Literal[-1, 0, 1]:
        """Monotone direction of the score in a signal: 1 up only, -1 down only, 0 free (always for categories)."""
        if signal.is_category or signal.good == 0:
            return 0
        return 1 if (signal.good > 0) == self.outcome.good else -1

    def uses(self, signal: Signal) -> bool:
        """Whether the model may look at a signal."""
        return self.entity in signal.entities and signal.theme in self.themes

    def judge(self, measures: Mapping[str, float | None]) -> list[GateResult]:
        """Every gate with its result, in the order of the file."""
        return [gate.check(measures) for gate in self.gates]
