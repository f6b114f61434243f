"""How a call to a CRM can fail: retry it, or not."""

from __future__ import annotations

from serving.errors import ServingError


class CallFailed(ServingError):
    """Raised when a whole call failed and a retry can help. It is unknown which of its writes were done."""

    retryable = True

    def __init__(self, why: str, retry_after: float | None = None, *, paused: bool = False) -> None:
        super().__init__(why)
        self.retry_after = retry_after
        """Seconds that the CRM asked us to wait; None when it did not say."""
        self.paused = paused
        """The CRM refused our rate or our credentials, not the writes: no attempt is counted."""


class CallRefused(ServingError):
    """Raised when the CRM refused a whole call because of its content. Its writes are then sent again in halves, so
    that one bad row of 100 costs at most 14 more calls instead of 100 and holds up no other. A write that is refused
    alone is given up."""

    retryable = False
