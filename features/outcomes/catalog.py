"""Registry of the outcomes. A new one is a file and a line here."""

from __future__ import annotations

from features.kit.errors import UserMistake
from features.outcomes.churn import CHURN
from features.outcomes.conversion import CONVERSION
from features.outcomes.expansion import EXPANSION
from features.outcomes.outcome import Outcome
from features.signals.signal import Entity

OUTCOMES: dict[str, Outcome] = {
    outcome.name: outcome
    for outcome in (
        CHURN,
        CONVERSION,
        EXPANSION,
    )
}


class UnknownOutcome(UserMistake):
    """Raised for a name that no outcome has; lists those there are."""

    def __init__(self, name: str) -> None:
        super().__init__(f"no outcome {name!r}: one of {', '.join(OUTCOMES)}")


def get_outcome(name: str) -> Outcome:
    """The outcome of a name.

    >>> get_outcome("churn").verb
    'left'
    >>> get_outcome("loss")
    Traceback (most recent call last):
    features.outcomes.catalog.UnknownOutcome: no outcome 'loss': one of churn, conversion, expansion
    """
    if name not in OUTCOMES:
        raise UnknownOutcome(name)
    return OUTCOMES[name]


def outcomes_of(entity: Entity) -> tuple[Outcome, ...]:
    """The outcomes of an entity; the first is its usual one, which a panel uses by default."""
    return tuple(outcome for outcome in OUTCOMES.values() if outcome.entity == entity)
