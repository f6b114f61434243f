"""State of a running API process: built by the app's lifespan, passed to each endpoint."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from fastapi import Request

from features.kit.clock import Clock
from serving.champion import Champions
from serving.connections.config import ConnectionConfig
from serving.metrics import Metrics
from serving.problems import guarded, store_away
from serving.scorer_cache import KeptScorers
from serving.settings import ServingSettings
from serving.store.connect import Store
from serving.store.group_commit import GroupWriter
from serving.store.probe import Probe
from serving.store_cache import StoreCache

T = TypeVar("T")


@dataclass(frozen=True)
class AppState:
    """All of it is safe to use from the event loop and from threads."""

    settings: ServingSettings
    store: Store
    writer: GroupWriter
    champions: Champions
    connections: dict[str, ConnectionConfig]
    metrics: Metrics
    clock: Clock
    watched: StoreCache
    scorers: KeptScorers
    mapped: Mapping[str, ConnectionConfig]
    """Connections including those whose webhooks are refused for lack of a secret."""
    probe: Probe
    off: frozenset[str]
    """Names of connections that have a fault: their webhooks are answered 503."""
    large: asyncio.Semaphore
    """Limits how many requests with a large body are worked on at the same time."""
    changing: asyncio.Semaphore
    """Limits how many changes are written at the same time, each on a thread."""
    parts: Mapping[type, object]
    """State of single rooms by its type; this module imports none of them."""

    def part(self, kind: type[T]) -> T:
        """Returns the state of the room that defines `kind`."""
        found = self.parts[kind]
        assert isinstance(found, kind)
        return found


TURN_SECONDS = 2.0
"""Seconds that a change waits for those before it. Each of them waits for a lock of the store for at most
`ANSWER_TIMEOUT_MS`.
"""


async def change(state: AppState, work: Callable[..., T], *given: Any) -> T:
    """Changes the store on a thread, then reloads the cached state. Raises `Problem` 503 when the store is away or
    locked; nothing was changed then.
    """
    with guarded():
        try:
            async with asyncio.timeout(TURN_SECONDS):
                await state.changing.acquire()
        except TimeoutError:
            raise store_away() from None
        try:
            done = await asyncio.to_thread(work, *given)
            await asyncio.to_thread(state.watched.refresh)
        finally:
            state.changing.release()
    return done


def state_of(request: Request) -> AppState:
    state: AppState = request.app.state.serving
    return state
