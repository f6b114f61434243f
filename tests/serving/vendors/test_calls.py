"""How a call to a CRM ends when it does not succeed."""

from __future__ import annotations

from serving.errors import ServingError
from serving.vendors.calls import CallFailed, CallRefused


def test_a_failed_call_may_be_tried_again_and_counts_an_attempt() -> None:
    error = CallFailed("HTTP 503", 7.0)
    assert (str(error), error.retry_after, error.paused, error.retryable) == ("HTTP 503", 7.0, False, True)
    assert CallFailed("ReadTimeout").retry_after is None


def test_a_refused_call_is_not_tried_again_as_it_is() -> None:
    error: ServingError = CallRefused("HTTP 400")
    assert not error.retryable
    assert not isinstance(error, CallFailed)
