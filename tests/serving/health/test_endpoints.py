"""What `/readyz` says of the store is true."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import delete, insert

from serving.store.tables import signals
from tests.kit.inside import Inside, running_inside
from tests.kit.store_rows import signal_row


@pytest.fixture(scope="module")
def inside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    with running_inside(tmp_path_factory.mktemp("home")) as running:
        yield running


def ready(inside: Inside) -> dict[str, Any]:
    inside.state.probe._asked_at = float("-inf")
    found: dict[str, Any] = inside.client.get("/readyz").json()
    return found


def test_signals_of_a_later_moment_are_a_fault(inside: Inside) -> None:
    later = 4_000_000_000_000_000

    def look() -> dict[str, Any]:
        inside.state.probe._looked_at = float("-inf")
        return ready(inside)

    assert look()["signals"] == "in time"
    with inside.writing() as connection:
        connection.execute(insert(signals), [signal_row("from-tomorrow", later)])
    found = look()
    assert (found["status"], found["signals"]) == ("degraded", "ahead of the clock")
    with inside.writing() as connection:
        connection.execute(delete(signals).where(signals.c.as_of == later))
    assert look()["signals"] == "in time"
