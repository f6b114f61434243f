"""What an API process holds while it runs; made by the app's lifespan, handed to each endpoint."""

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
    """Also those whose webhooks are not taken for lack of a secret."""
    probe: Probe
    off: frozenset[str]
    """Names of connections that have a fault: their webhooks are answered 503."""
    large: asyncio.Semaphore
    """For requests with a large body: so many are worked on at once."""
    changing: asyncio.Semaphore
    """For what is written on threads."""
    parts: Mapping[type, object]
    """What rooms hold of their own, by its type: this module knows none of them."""

    def part(self, kind: type[T]) -> T:
        """What the room that defines `kind` holds in this process."""
        found = self.parts[kind]
        assert isinstance(found, kind)
        return found


TURN_SECONDS = 2.0
"""How long a change waits for those before it; each of them waits for a lock of the store no longer than `ANSWER_TIMEOUT_MS`."""


async def change(state: AppState, work: Callable[..., T], *given: Any) -> T:
    """Change the store on a thread, and let this process see it. Raises `Problem` 503 when the store is away or locked: with that,
    nothing was changed."""
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
