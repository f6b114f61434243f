"""Decision records of requests: those that wait while a commit is under way share the next one.

One job and one wake-up of the event loop a commit: with a future of the writer's own for each request, waking the loop cost
as much as the score.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from typing import Any

from serving.errors import StoreAway
from serving.history import repository
from serving.store.writer import GroupWriter

_Rows = Sequence[Mapping[str, Any]]
_Waiting = tuple[_Rows, "asyncio.Future[None]"]


class Recorder:
    """To be used on one event loop. What is recorded is checked already (`repository.put`)."""

    def __init__(self, writer: GroupWriter) -> None:
        self._writer = writer
        self._waiting: list[_Waiting] = []
        self._busy = False

    def record(self, rows: _Rows) -> asyncio.Future[None]:
        """Done after the commit; raises `StoreAway`, or what these rows themselves did wrong."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        self._waiting.append((rows, done))
        if not self._busy:
            self._busy = True
            loop.call_soon(self._next, loop)  # after the other requests that are ready now
        return done

    def _next(self, loop: asyncio.AbstractEventLoop) -> None:
        batch, self._waiting = self._waiting, []
        self._busy = bool(batch)
        if batch:
            self._submit(loop, batch)

    def _submit(self, loop: asyncio.AbstractEventLoop, batch: list[_Waiting]) -> None:
        rows = [row for some, _ in batch for row in some]
        job = self._writer.submit(lambda connection: repository.put(connection, rows, checked=True))
        job.add_done_callback(lambda committed: loop.call_soon_threadsafe(self._done, loop, batch, committed))

    def _done(self, loop: asyncio.AbstractEventLoop, batch: list[_Waiting], committed: Future[None]) -> None:
        error = committed.exception()
        if error is not None and len(batch) > 1 and not isinstance(error, StoreAway):
            for one in batch:  # a request that cannot be stored does not spoil its neighbours
                self._submit(loop, [one])
        else:
            for _, waiting in batch:
                if waiting.done():  # the request was cancelled
                    continue
                if error is None:
                    waiting.set_result(None)
                else:
                    waiting.set_exception(error)
        self._next(loop)
