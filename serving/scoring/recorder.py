"""Writes the decision records of requests; those that wait while a commit runs share the next commit.

One job and one wake-up of the event loop per commit: a future per request made waking the loop as expensive as
scoring. A shared commit waits a moment for callers that were just answered, because most of them ask again. Without
that wait, busy callers split into small groups with a commit each.
"""

from __future__ import annotations

import asyncio
import logging
import math
from concurrent.futures import Future
from typing import Protocol

from serving.decisions import repository
from serving.errors import StoreAway
from serving.scoring.service import ScoredRequest
from serving.store.group_commit import GroupWriter

log = logging.getLogger("serving")
_Waiting = tuple[ScoredRequest, "asyncio.Future[ScoredRequest]"]
PATIENCE = 0.001
"""Seconds that a shared commit waits for more requests; the smallest step of an event loop."""
LATE_SECONDS = 2.0
"""Seconds that an answer waits for its record, a thousand times a commit. A locked store delays no score longer."""
LATE_ROWS = 20_000
"""Most records in memory while the store is late; further ones are lost, and their answers say so."""
ENOUGH = 0.75
"""Share of the expected requests that ends the wait."""


class Coming(Protocol):
    """Requests that are being scored and will record next."""

    def __len__(self) -> int: ...

    def turn(self) -> None:
        """Called before a commit; records that are added now are part of it."""


class Recorder:
    """For one event loop. Rows are checked before they come here (`repository.put`)."""

    def __init__(self, writer: GroupWriter) -> None:
        self._writer = writer
        self._waiting: list[_Waiting] = []
        self.busy = False
        """Whether a commit runs or is about to."""
        self.late = False
        """Whether the current commit is late: answers no longer wait for it, and say so."""
        self.coming: Coming | None = None
        self._under_way: dict[int, list[_Waiting]] = {}
        self._clock: asyncio.TimerHandle | None = None
        self._enough = 0.0
        self._patience: asyncio.TimerHandle | None = None

    def record(self, scored: ScoredRequest, done: asyncio.Future[ScoredRequest]) -> None:
        """Records the decisions. `done` resolves to `scored` after the commit: with `away` when the store was away,
        with `late` before a commit that takes too long, or with the error of these records alone.
        """
        if self.late and sum(len(s.decisions) for s, _ in self._waiting) >= LATE_ROWS:
            _answer_late([(scored, done)])
            return
        self._waiting.append((scored, done))
        if self.late:
            _answer_late([(scored, done)])
        elif not self.busy:
            self.busy = True
            loop = done.get_loop()
            loop.call_soon(self._next, loop)  # after the other requests that are ready now
        else:
            self.one_more()

    def one_more(self) -> None:
        """One more request waits, here or in `coming`; with enough of them a commit starts at once."""
        if self._patience is not None and self._count() >= self._enough:
            loop = asyncio.get_running_loop()
            self._enough = math.inf  # it is on its way
            loop.call_soon(self._next, loop)

    def _count(self) -> int:
        return len(self._waiting) + (0 if self.coming is None else len(self.coming))

    def _after(self, loop: asyncio.AbstractEventLoop, answered: int) -> None:
        """After a commit: starts the next one when most of the waiting and just answered callers are there."""
        waiting = self._count()
        if self._patience is not None:
            return
        if waiting:
            self._enough = ENOUGH * (waiting + answered)
            self._patience = loop.call_later(PATIENCE, self._next, loop)
        else:
            self.busy = False

    def _next(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
        if self.coming is not None:
            self.coming.turn()
        batch, self._waiting = self._waiting, []
        self.busy = bool(batch)
        if batch:
            self._submit(loop, batch)

    def _overdue(self) -> None:
        """The current commit is late: answers everybody who waits for it or for the next one."""
        self._clock = None
        if not self.late:
            log.error("decisions.late the store is locked or slow; scores are given without waiting for their records")
        self.late = True
        for batch in (*self._under_way.values(), self._waiting):
            _answer_late(batch)
        if self.coming is not None:
            self.coming.turn()

    def _submit(self, loop: asyncio.AbstractEventLoop, batch: list[_Waiting]) -> None:
        self._under_way[id(batch)] = batch
        if self._clock is None:
            self._clock = loop.call_later(LATE_SECONDS, self._overdue)
        rows = [row for scored, _ in batch for row in scored.decisions]
        checked_at = min(scored.checked_at for scored, _ in batch)
        job = self._writer.submit(lambda connection: repository.put(connection, rows, checked_at=checked_at))
        job.add_done_callback(lambda committed: loop.call_soon_threadsafe(self._done, loop, batch, committed))

    def _done(self, loop: asyncio.AbstractEventLoop, batch: list[_Waiting], committed: Future[bool]) -> None:
        error = committed.exception()
        del self._under_way[id(batch)]
        if self._clock is not None and not self._under_way:
            self._clock.cancel()
            self._clock = None
        if self.late and error is None:
            log.info("decisions.in_time_again")
            self.late = False
        away = isinstance(error, StoreAway)
        if error is not None and len(batch) > 1 and not away:
            for one in batch:  # the error of one request does not fail its neighbours
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
        self._after(loop, len(batch))


def _answer_late(waiting: list[_Waiting]) -> None:
    for scored, done in waiting:
        if not done.done():
            scored.late = True
            done.set_result(scored)
