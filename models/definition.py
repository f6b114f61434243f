"""What a model is, before any data: one file per model says all of it (`churn_risk.py`, `lead_fit.py`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from features.signal import Entity, Signal, Theme


@dataclass(frozen=True)
class Gates:
    """What a version must show on the untouched test period before it may serve."""

    min_positives: int = 40
    """Fewest rows with the outcome, in training and again in the test period a quarter of it."""
    min_negatives: int = 40
    min_auc: float = 0.55
    """Lowest lower end of the 95 % interval of ROC AUC is 0.5; this is the lowest AUC itself."""
    max_calibration_error: float = 0.05
    """Mean distance of predicted and observed rate over 10 equal-count bins, unless inside the band of a perfect model."""
    max_segment_error: float = 0.10
    """The same within each large segment."""
    min_segment_rows: int = 200
    beat_rule: bool = True
    """AUC above that of the best one-column rule, or not below it beyond noise when the rule itself is strong."""


@dataclass(frozen=True)
class Model:
    """One thing to predict, for one kind of entity, within one horizon."""

    name: str
    title: str
    entity: Entity
    horizon_days: int
    outcome: str
    """What happened to those with the outcome, as a verb in the past: `left`."""
    crowd: str
    """What the entities are called: `accounts`."""
    themes: tuple[Theme, ...]
    sign: Literal[-1, 1]
    """+1 when what is good for the relationship raises the probability, -1 when it lowers it."""
    free: tuple[str, ...] = ()
    """Signals whose direction is left to the data although the catalog knows one for the relationship."""
    bands: tuple[tuple[str, int], ...] = (("high", 90), ("medium", 70), ("low", 1))
    """Name and lowest percentile of each band, highest first, without gaps."""
    gates: Gates = field(default_factory=Gates)
    grid_days: int = 28
    """Days between the dates at which it is trained and judged."""
    warm_up_days: int = 84
    """History that an entity's windows need before the first of those dates."""
    grace_days: int = 0
    """Days after the horizon in which a return undoes the outcome."""
    segments: tuple[str, ...] = ()
    """Signals by whose values quality is judged apart."""
    capacity_share: float = 0.10
    """Share of the entities that people can act upon in one horizon."""
    contact_cost: float = 50.0
    """Cost of acting upon one entity, in the currency of the source."""
    accept_rate: float = 0.3
    """Share of those acted upon in time that the act turns."""

    def direction(self, signal: Signal) -> Literal[-1, 0, 1]:
        """Monotone direction of the probability in a signal: 1 rising, -1 falling, 0 free."""
        if signal.is_category or signal.name in self.free:
            return 0
        product = signal.good * self.sign
        return 1 if product > 0 else -1 if product < 0 else 0

    def band_of(self, percentile: int) -> str:
        """The band of a percentile 1..100."""
        return next(name for name, lowest in self.bands if percentile >= lowest)
