"""Refusals of training: each says what was found, what is needed and the nearest thing that would work."""

from __future__ import annotations

from features.kit.errors import Refused, TrainingRefused

__all__ = ["LOOK", "NOTHING_LIVE", "PromotionRefused", "TrainingRefused"]  # the last is told by `features check` too

NOTHING_LIVE = Refused.exit_code
"""Exit code of a command that did its work, and whose answer is that nothing may go live."""
LOOK = 4
"""Exit code of a command that watched a live model, and whose answer is that someone should look."""


class PromotionRefused(Refused):
    """Raised when a gate keeps a version from becoming champion."""
