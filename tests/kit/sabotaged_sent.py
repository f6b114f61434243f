"""`python -m serving` that takes a write for done when the CRM is away: what the test of that outage must catch."""

from __future__ import annotations

from collections.abc import Sequence

from features.kit.cli import run
from serving.__main__ import app
from serving.outbox.deliver import Delivered, Deliverer
from serving.vendors.calls import CallFailed
from serving.vendors.outbound import Write, WriteResult


def _done(self: Deliverer, found: Sequence[tuple[Write, int, int]], _error: CallFailed) -> Delivered:
    return self._settle(found, [WriteResult("sent")] * len(found))


if __name__ == "__main__":
    Deliverer._all_again = _done  # type: ignore[method-assign]
    run(app)
