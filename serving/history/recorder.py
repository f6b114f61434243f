"""Decision records of requests: those that wait while a commit is under way share the next one.

One job and one wake-up of the event loop a commit: with a future of the writer's own for each request, waking the loop cost
as much as the score.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future

from serving.errors import StoreAway
from serving.history import repository
from serving.scoring.service import Scored
from serving.store.writer import GroupWriter

_Waiting = tuple[Scored, "asyncio.Future[Scored]"]


class Recorder:
    """To be used on one event loop. What is recorded is checked already (`repository.put`)."""

    def __init__(self, writer: GroupWriter) -> None:
        self._writer = writer
        self._waiting: list[_Waiting] = []
        self.busy = False
        """Whether a commit is under way, or about to be."""
        self.before_next: Callable[[], None] | None = None
        """Called after a commit: who adds records now has them in the next one."""

    def record(self, scored: Scored, done: asyncio.Future[Scored]) -> None:
        """Keep the decision records. `done` gets `scored` after the commit, with `away` when the store was; or what these
        records themselves did wrong."""
        self._waiting.append((scored, done))
        if not self.busy:
            self.busy = True
            loop = done.get_loop()
            loop.call_soon(self._next, loop)  # after the other requests that are ready now

    def _next(self, loop: asyncio.AbstractEventLoop) -> None:
        if self.before_next is not None:
            self.before_next()
        batch, self._waiting = self._waiting, []
        self.busy = bool(batch)
        if batch:
            self._submit(loop, batch)

    def _submit(self, loop: asyncio.AbstractEventLoop, batch: list[_Waiting]) -> None:
        rows = [row for scored, _ in batch for row in scored.decisions]
        checked_at = min(scored.checked_at for scored, _ in batch)
        job = self._writer.submit(lambda connection: repository.put(connection, rows, checked_at=checked_at))
        job.add_done_callback(lambda committed: loop.call_soon_threadsafe(self._done, loop, batch, committed))

    def _done(self, loop: asyncio.AbstractEventLoop, batch: list[_Waiting], committed: Future[bool]) -> None:
        error = committed.exception()
        away = isinstance(error, StoreAway)
        if error is not None and len(batch) > 1 and not away:
            for one in batch:  # a request that cannot be stored does not spoil its neighbours
                self._submit(loop, [one])
        else:
            for scored, done in batch:
                if done.done():  # the request was cancelled
                    continue
                if error is None or away:
                    scored.away = away
                    done.set_result(scored)
                else:
                    done.set_exception(error)
        self._next(loop)
