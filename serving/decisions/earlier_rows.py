"""What rows that were known before an earlier score give, where that differs from what it was made of: part of a decision record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from models.scorer.reason_texts import Value

Inputs = Mapping[str, Value]
"""Signal to value."""


@dataclass(frozen=True)
class Old:
    """What the rows known before the old moment give, where that differs: signal to value."""

    aged: Inputs = field(default_factory=dict)
    """At the new moment, from the new inputs."""
    restated: Inputs = field(default_factory=dict)
    """At the old moment, from the old inputs: as those rows read now, after an edit in place, a merge or an erasure."""
