"""State of scoring in an API process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from serving.scoring.micro_batch import Together
from serving.scoring.recorder import Recorder
from serving.scoring.service import Terms


@dataclass(frozen=True)
class Scoring:
    """`AppState.part(Scoring)`."""

    recorder: Recorder
    """On the event loop alone."""
    terms: Callable[[], Terms]
    """Makes the terms of a request that is scored now."""
    together: Together
    """On the event loop alone."""
