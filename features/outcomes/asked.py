"""What the rules must know of whoever asks an outcome: a model says it, and an outcome by its name asks with usual figures."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from features.kit.errors import Fault, UserMistake
from features.outcomes.catalog import OUTCOMES
from features.outcomes.outcome import Outcome
from features.signals.signal import THEMES, Entity, Signal, Theme

CATALOG = "models.catalog"
"""The module whose `MODELS` are asked for, by its name: models build on features, so that nothing here imports them."""


class FewestLabels(Protocol):
    """Fewest rows with the outcome, and without it, before a version may go live."""

    @property
    def min_positives(self) -> int: ...
    @property
    def min_negatives(self) -> int: ...


class Narrowing(Protocol):
    """Whom a model is for; `models.population.Population` says it. Without a condition it is false."""

    @property
    def signals(self) -> tuple[str, ...]: ...
    @property
    def code(self) -> str: ...
    def __bool__(self) -> bool: ...
    def faults(self, model: str, entity: Entity, signals: Sequence[Signal]) -> list[Fault]: ...
    def unknown_words(self, model: str, columns: Any) -> list[Fault]: ...
    def narrow(self, status: Any, columns: Any) -> Any: ...


class Asked(Protocol):
    """Who asks: `models.definition.Model`, or an `AskedOutcome`."""

    @property
    def name(self) -> str: ...
    @property
    def outcome(self) -> Outcome: ...
    @property
    def entity(self) -> Entity: ...
    @property
    def horizon_days(self) -> int: ...
    @property
    def grid_days(self) -> int: ...
    @property
    def lead_days(self) -> int | None: ...
    @property
    def warm_up_days(self) -> int: ...
    @property
    def themes(self) -> tuple[Theme, ...]: ...
    @property
    def exclude(self) -> tuple[str, ...]: ...
    @property
    def gates(self) -> FewestLabels: ...
    @property
    def population(self) -> Narrowing | None: ...


@dataclass(frozen=True)
class Usual:
    """The gates of an outcome that no model asks for."""

    min_positives: int = 60
    min_negatives: int = 200


@dataclass(frozen=True)
class AskedOutcome:
    """An outcome by itself, over its own horizon and with every theme."""

    outcome: Outcome
    grid_days: int = 28
    lead_days: int | None = None
    warm_up_days: int = 84
    themes: tuple[Theme, ...] = THEMES
    exclude: tuple[str, ...] = ()
    gates: Usual = field(default_factory=Usual)
    population: None = None

    @property
    def name(self) -> str:
        return self.outcome.name

    @property
    def entity(self) -> Entity:
        return self.outcome.entity

    @property
    def horizon_days(self) -> int:
        return self.outcome.horizon_days


def installed_models() -> Mapping[str, Asked]:
    """The models that are there, by name; without any, every outcome asks for itself. Raises `UserMistake` when one has faults."""
    if importlib.util.find_spec(CATALOG.split(".", maxsplit=1)[0]) is None:
        return {name: AskedOutcome(outcome) for name, outcome in OUTCOMES.items()}
    found: Mapping[str, Asked] = importlib.import_module(CATALOG).MODELS
    return found


def get_asked(name: str, models: Mapping[str, Asked]) -> Asked:
    """A model by its name (an underscore is taken for a hyphen), or else an outcome by its own.

    >>> get_asked("churn", {}).horizon_days
    90
    """
    model = models.get(name.replace("_", "-"))
    if model is not None:
        return model
    if name in OUTCOMES:
        return AskedOutcome(OUTCOMES[name])
    raise UserMistake(
        f"no model or outcome {name!r}: a model is one of {', '.join(models) or 'none'}, an outcome one of {', '.join(OUTCOMES)}"
    )
