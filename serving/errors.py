"""Errors of the serving package; who must act is told by the base class (`features.kit.errors`)."""

from __future__ import annotations

from features.kit.errors import AccountscoreError


class ServingError(AccountscoreError):
    """Raised when something that serving depends on failed; says whether trying again can help."""

    retryable = False


class StoreAway(ServingError):
    """Raised when the store cannot be reached or does not answer in time; trying again later helps."""

    retryable = True


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
