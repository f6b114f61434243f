"""A change of the store is made on a thread, one after the other, and this process sees it at once."""

from __future__ import annotations

import asyncio
import threading
from types import SimpleNamespace
from typing import Any

import pytest

from serving import state
from serving.errors import StoreAway
from serving.problems import Problem
from serving.state import change


def holder(refreshed: list[str]) -> Any:
    """What `change` needs of an `AppState`."""
    return SimpleNamespace(
        changing=asyncio.Semaphore(1), watched=SimpleNamespace(refresh=lambda: refreshed.append("seen"))
    )


class TestChange:
    def test_it_runs_on_a_thread_and_what_was_changed_is_read_before_the_answer(self) -> None:
        refreshed: list[str] = []

        async def run() -> tuple[int, str]:
            return await change(holder(refreshed), lambda n: (n, threading.current_thread().name), 7)

        number, thread = asyncio.run(run())
        assert number == 7
        assert thread != threading.main_thread().name
        assert refreshed == ["seen"]

    def test_a_store_that_is_away_is_503_and_the_next_one_gets_its_turn(self) -> None:
        refreshed: list[str] = []

        def away() -> None:
            raise StoreAway("no answer")

        async def run() -> str:
            app = holder(refreshed)
            with pytest.raises(Problem) as refused:
                await change(app, away)
            assert (refused.value.status, refused.value.code) == (503, "store_away")
            return await change(app, lambda: "done")

        assert asyncio.run(run()) == "done"
        assert refreshed == ["seen"]

    def test_who_waits_too_long_for_those_before_gets_503_and_changes_nothing(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(state, "TURN_SECONDS", 0.01)
        done: list[str] = []

        async def run() -> None:
            app = holder([])
            async with app.changing:
                with pytest.raises(Problem) as refused:
                    await change(app, done.append, "changed")
            assert refused.value.status == 503

        asyncio.run(run())
        assert done == []
