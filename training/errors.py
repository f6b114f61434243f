"""Refusals of training: each says what was found, what is needed and the nearest thing that would work."""

from __future__ import annotations

from features.kit.errors import Refused, TrainingRefused

__all__ = [
    "LOOK",
    "NOTHING_LIVE",
    "ChampionChanged",
    "PromotionRefused",
    "SharedPopulation",
    "TrainingRefused",
]  # the last is told by `features check` too

NOTHING_LIVE = Refused.exit_code
"""Exit code of a command that did its work, and whose answer is that nothing may go live."""
LOOK = 4
"""Exit code of a command that watched a live model, and whose answer is that someone should look."""


class PromotionRefused(Refused):
    """Raised when a gate keeps a version from becoming champion."""

    short = "it may not go live"
    """In a report's verdict, after "refused: "."""


class ChampionChanged(PromotionRefused):
    """Raised when another version became champion since this one was compared with the one before."""

    short = "another became champion meanwhile"


class SharedPopulation(PromotionRefused):
    """Raised when another live model of the outcome covers some of the same entities, or when that cannot be determined."""

    short = "another live model of its outcome is for some of the same"
