"""Refusals of training: each says what was found, what is needed and the nearest thing that would work."""

from __future__ import annotations

from features.errors import AccountscoreError, BadInput, UserMistake


class TrainingRefused(BadInput):
    """Raised when the data cannot make a model that could be judged; holds every reason at once."""


class PromotionRefused(UserMistake):
    """Raised when a gate keeps a version from becoming champion."""

    exit_code = 3


class SomeoneShouldLook(AccountscoreError):
    """Raised after a model was watched and something about it is beyond its limits; the report has been printed by then."""

    exit_code = 4
