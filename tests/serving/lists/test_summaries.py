"""Sums are counted beside the requests, kept, and counted anew when something changed."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from models.catalog import get_model
from serving.audit_log.entry import Command
from serving.errors import StoreAway
from serving.lists import summaries
from serving.lists.summaries import Counted, Summaries
from serving.overrides import repository as overrides
from serving.overrides.repository import Override
from serving.privacy import repository as privacy
from serving.privacy.cache import Directives
from serving.store.connect import Store
from tests.kit.list_rows import NOW_US, put

CHURN, LEADS = get_model("churn-risk"), get_model("lead-fit")
JANE = Command("key:1", "jane", "person")


class Clock:
    """Seconds that a test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Gate(Summaries):
    """Counts when it is let."""

    def __init__(self, store: Store, clock: Clock) -> None:
        super().__init__(store, clock)
        self.open = threading.Event()
        self.open.set()
        self.counts = 0
        self.clock = clock
        self.takes = 0.0

    def _read(self, *given: Any) -> Any:
        assert self.open.wait(10)
        self.counts += 1
        self.clock.now += self.takes
        return super()._read(*given)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def kept(store: Store, clock: Clock) -> Gate:
    put(store, [{"entity_id": f"a/{n}"} for n in range(5)])
    return Gate(store, clock)


async def ask(kept: Summaries, *models: Any) -> Counted | None:
    with kept._store.read() as connection:
        directives = Directives.load(connection, NOW_US)
    return await kept.get(models or (CHURN, LEADS), directives, NOW_US)


def rows(counted: Counted | None) -> int:
    assert counted is not None
    return counted.by_model["churn-risk"].rows


def test_what_is_counted_is_kept_until_something_changes(kept: Gate, store: Store) -> None:
    async def work() -> None:
        assert rows(await ask(kept)) == rows(await ask(kept)) == 5
        assert kept.counts == 1
        put(store, [{"entity_id": "a/new"}])
        counted = await ask(kept)
        assert rows(counted) == 6
        assert counted is not None
        assert counted.current

    asyncio.run(work())


@pytest.mark.both_databases
def test_a_judgement_and_an_objection_are_changes(store: Store, clock: Clock) -> None:
    put(store, [{"entity_id": f"a/{n}"} for n in range(5)])
    kept = Summaries(store, clock)

    async def work() -> None:
        assert rows(await ask(kept)) == 5
        with store.write() as connection:
            overrides.put(connection, Override("churn-risk", "account", "a/1", "low", "x", "jane", 1, None))
        counted = await ask(kept)
        assert counted is not None
        assert counted.by_model["churn-risk"].overrides == {"low": 1}
        with store.write() as connection:
            privacy.object_to(connection, "account", "a/1", NOW_US, by=JANE)
        assert rows(await ask(kept)) == 4

    asyncio.run(work())


def test_a_page_waits_for_no_long_count(kept: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(summaries, "FIRST_WAIT_SECONDS", 0.01)
    kept.open.clear()

    async def work() -> None:
        assert await ask(kept) is None
        assert await ask(kept) is None
        kept.open.set()
        monkeypatch.setattr(summaries, "FIRST_WAIT_SECONDS", 10)
        assert rows(await ask(kept)) == 5
        assert kept.counts == 1, "two visitors, one count"

    asyncio.run(work())


def test_while_it_is_counted_anew_the_former_sums_are_shown_and_said_to_be_old(
    kept: Gate, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(summaries, "WAIT_SECONDS", 0.01)

    async def work() -> None:
        assert rows(await ask(kept)) == 5
        put(store, [{"entity_id": "a/new"}])
        kept.open.clear()
        counted = await ask(kept)
        assert rows(counted) == 5
        assert counted is not None
        assert not counted.current
        kept.open.set()
        monkeypatch.setattr(summaries, "WAIT_SECONDS", 10)
        assert rows(await ask(kept)) == 6

    asyncio.run(work())


def test_a_long_count_rests_and_an_erasure_does_not_wait(kept: Gate, store: Store, clock: Clock) -> None:
    kept.takes = 5.0

    async def work() -> None:
        await ask(kept)
        put(store, [{"entity_id": "a/new"}])
        clock.now += summaries.REST * 5.0 - 1
        assert rows(await ask(kept)) == 5
        with store.write() as connection:
            privacy.erase(connection, "account", "a/1", NOW_US, by=JANE)
        assert rows(await ask(kept)) == 5 + 1 - 1
        put(store, [{"entity_id": "a/newer"}])
        assert rows(await ask(kept)) == 5
        clock.now += summaries.REST * 5.0
        assert rows(await ask(kept)) == 6

    asyncio.run(work())


def test_what_leaves_no_trace_is_found_after_a_while(kept: Gate, store: Store, clock: Clock) -> None:
    from serving.store.listed import forget_listed

    async def work() -> None:
        await ask(kept)
        with store.write() as connection:
            forget_listed(connection, "account", ["a/1"])
        assert rows(await ask(kept)) == 5
        clock.now += summaries.OLD_SECONDS
        assert rows(await ask(kept)) == 4

    asyncio.run(work())


def test_a_model_that_goes_live_is_counted_at_once(kept: Gate) -> None:
    async def work() -> None:
        first = await ask(kept, CHURN)
        assert first is not None
        assert set(first.by_model) == {"churn-risk"}
        second = await ask(kept)
        assert second is not None
        assert set(second.by_model) == {"churn-risk", "lead-fit"}

    asyncio.run(work())


def test_a_count_that_fails_is_told_and_tried_again(kept: Gate, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: Any) -> None:
        raise StoreAway("it does not answer")

    async def work() -> None:
        with monkeypatch.context() as patch:
            patch.setattr(Gate, "_read", away)
            with pytest.raises(StoreAway):
                await ask(kept)
        assert rows(await ask(kept)) == 5

    asyncio.run(work())


def test_one_that_fails_when_nobody_waits_is_tried_again(
    kept: Gate, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(summaries, "WAIT_SECONDS", 0.0)

    async def work() -> None:
        await ask(kept)
        put(store, [{"entity_id": "a/new"}])
        with monkeypatch.context() as patch:
            patch.setattr(summaries, "summary", lambda *_: 1 / 0)
            assert rows(await ask(kept)) == 5
            while kept._task is not None and not kept._task.done():
                await asyncio.sleep(0.01)
        monkeypatch.setattr(summaries, "WAIT_SECONDS", 10)
        assert rows(await ask(kept)) == 6

    asyncio.run(work())
