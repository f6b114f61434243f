"""The signals that the rows known before an earlier score give now: part of a decision record, from which a change is
split into data and time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from models.scorer.reason_texts import Value

Inputs = Mapping[str, Value]
"""From signal to value."""


@dataclass(frozen=True)
class Old:
    """The signals of the rows known before the old moment, where they differ."""

    aged: Inputs = field(default_factory=dict)
    """At the new moment, where they differ from the new inputs."""
    restated: Inputs = field(default_factory=dict)
    """At the old moment, where they differ from the old inputs, because rows were since edited in place, merged or
    erased."""
