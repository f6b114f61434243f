"""The settings that readiness and audit need of a model, and the defaults for an outcome without a model."""

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
"""Name of the module that holds `MODELS`; imported by name, because features must not import models."""


class FewestLabels(Protocol):
    """Fewest rows with the outcome, and without it, before a version may go live."""

    @property
    def min_positives(self) -> int: ...
    @property
    def min_negatives(self) -> int: ...


class Narrowing(Protocol):
    """The part of `models.population.Population` that is used here: which entities a model is for. False without a
    condition."""

    @property
    def signals(self) -> tuple[str, ...]: ...
    @property
    def code(self) -> str: ...
    def __bool__(self) -> bool: ...
    def faults(self, model: str, entity: Entity, signals: Sequence[Signal]) -> list[Fault]: ...
    def unknown_words(self, model: str, columns: Any) -> list[Fault]: ...
    def narrow(self, status: Any, columns: Any) -> Any: ...


class Asked(Protocol):
    """The part of `models.definition.Model` that is used here; `AskedOutcome` has it, too."""

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
    """Fewest labels for an outcome without a model."""

    min_positives: int = 60
    min_negatives: int = 200


@dataclass(frozen=True)
class AskedOutcome:
    """An outcome without a model: its own horizon, every theme, the usual gates."""

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
    """The installed models by name; without the package `models`, every outcome by its name. Raises `UserMistake` when
    a model has faults."""
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
