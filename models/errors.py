"""What can go wrong with a model, told apart by who can mend it."""

from __future__ import annotations

from collections.abc import Iterable

from features.errors import AccountscoreError, UserMistake


class ModelsError(AccountscoreError):
    """Base of the faults of this package that are not a user's mistake."""


class ScorerRefused(ModelsError):
    """Raised when a scorer directory is not exactly what its writer wrote; nothing of it is used then."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"scorer refused: {reason}. Next: export it again, or go on with the last good one.")


class PromotionLost(ModelsError):
    """Raised when another promotion came first; nothing was changed."""

    exit_code = 3

    def __init__(self, model: str, expected: str | None, found: str | None) -> None:
        super().__init__(
            f"the champion of {model} is {found or 'not set'}, and this promotion was judged against "
            f"{expected or 'none'}. Rule: a challenger is compared with the champion that it replaces. "
            "Next: compare again, then promote."
        )


class UnknownModel(UserMistake):
    """Raised for a model name that is not in the catalog."""

    def __init__(self, name: str, choices: Iterable[str]) -> None:
        super().__init__(f"{name!r} is no model: choose one of {', '.join(sorted(choices))}")


class NoChampion(UserMistake):
    """Raised when a pointer is asked for that is not there."""

    def __init__(self, model: str, role: str = "champion") -> None:
        super().__init__(f"{model} has no {role}. Next: python -m training fit {model} --source ..., then promote {model}")


class CannotWrite(UserMistake):
    """Raised when what training hands over cannot become a scorer; the message names the rule."""
