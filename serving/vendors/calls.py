"""How a call to a system ends when it does not succeed."""

from __future__ import annotations

from serving.errors import ServingError


class CallFailed(ServingError):
    """Raised when a whole call failed and trying again later can help: nothing is known of its writes."""

    retryable = True

    def __init__(self, why: str, retry_after: float | None = None, *, paused: bool = False) -> None:
        super().__init__(why)
        self.retry_after = retry_after
        """Seconds the CRM asked us to wait; None when it said nothing."""
        self.paused = paused
        """The CRM has not judged the writes, only our pace or our credentials: no attempt is counted."""


class CallRefused(ServingError):
    """Raised when the CRM refused a whole call for what is in it. Its writes are then halved and sent again, so that one bad
    row does not hold back the others and costs 14 calls of a hundred and not 101; one that is refused alone is dead."""

    retryable = False
