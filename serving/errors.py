"""Errors of the serving package. The base class says who must act (`features.kit.errors`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from features.kit.errors import AccountscoreError


class ServingError(AccountscoreError):
    """Raised when something that serving depends on failed; says whether trying again can help."""

    retryable = False


class StoreAway(ServingError):
    """Raised when the store cannot be reached or does not answer in time; trying again later helps."""

    retryable = True


class Declined(ServingError):
    """Raised when a request cannot be answered; one subclass per kind of reason.

    `serving.problems` alone maps these to HTTP."""

    def __init__(self, code: str, text: str, more: Mapping[str, Any] | None = None) -> None:
        super().__init__(text)
        self.code = code
        """Stable, in words with underscores: what a program switches on."""
        self.more = more or {}
        """For programs too: `faults`, `choices`."""


class NotFound(Declined):
    """Raised where what is asked for is not there."""


class Malformed(Declined):
    """Raised for a text that cannot be read at all."""


class Invalid(Declined):
    """Raised for what can be read and breaks a rule."""


class Conflict(Declined):
    """Raised for what was right at another time."""


class NotLive(Declined):
    """Raised where no model is live that could answer; trying again later helps."""

    retryable = True


def no_such(kind: str, choices: list[str]) -> NotFound:
    """A `NotFound` that lists the choices."""
    return NotFound(f"no_such_{kind}", f"no such {kind}: one of {', '.join(choices)}", {"choices": choices})


def invalid(code: str, where: str, found: str, rule: str, next_step: str) -> Invalid:
    """An `Invalid` with one fault. `found` describes what is there and never repeats its value."""
    fault = {"where": where, "found": found, "rule": rule, "next_step": next_step}
    return Invalid(code, f"{where}: {found}. Rule: {rule}. Next: {next_step}.", {"faults": [fault]})


class RegistryFailed(ServingError):
    """Raised when the registry is away, slow or gives what does not verify; trying again later may help."""

    retryable = True


class BatchBusy(ServingError):
    """Raised when another run is going on in the same folder (exit code 5)."""

    retryable = True
    exit_code = 5


class StaleInput(ServingError):
    """Raised when the newest row of a source is older than `--max-age` allows (exit code 6)."""

    exit_code = 6


class DiskTrouble(ServingError):
    """Raised when the disk is full or fails; nothing was published (exit code 7)."""

    retryable = True
    exit_code = 7
