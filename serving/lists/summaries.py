"""Keeps the sums of all lists (`serving.lists.summary`) and counts them anew when something changed.

Counting 200,000 accounts and 1,000,000 leads takes seconds, and a page may take 0.1 s. So a page shows what was counted last, says
when that was, and a count goes on beside the requests: on a thread, inside the database, where the event loop is not held up. A
small store is counted while the page waits, so that what somebody has just changed is in it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import func, select

from models.definition import Model
from serving.lists.summary import Summary, summary
from serving.notes import repository as notes
from serving.overrides import repository as overrides
from serving.privacy import repository as privacy
from serving.privacy.cache import Directives
from serving.store import version_counters
from serving.store.connect import Store
from serving.store.tables import decisions

log = logging.getLogger("serving.lists")
WAIT_SECONDS = 0.1
"""How long a page waits for a count: a store of 5,000 entities takes 0.05 s."""
FIRST_WAIT_SECONDS = 1.0
"""How long it waits while there is nothing to show instead."""
REST = 10
"""After a count that took n seconds none begins for so many times n, so that counting takes a tenth of a processor at most. An
erasure or an objection does not wait."""
OLD_SECONDS = 600.0
"""Counted anew after so long whatever changed: a deletion in a CRM leaves no trace among what is compared."""
Key = tuple[int, int, tuple[tuple[str, int], ...]]


@dataclass(frozen=True)
class Counted:
    """The sums as they were counted last."""

    by_model: dict[str, Summary]
    at_us: int
    """The clock when counting began, microseconds."""
    seconds: float
    """How long it took."""
    current: bool = True
    """False when something changed since; it is being counted, or soon will be."""


class Summaries:
    """For the event loop of one process."""

    def __init__(self, store: Store, clock: Callable[[], float] = time.monotonic) -> None:
        self._store, self._clock = store, clock
        self._kept: Counted | None = None
        self._key: Key | None = None
        self._ended = float("-inf")
        self._task: asyncio.Task[None] | None = None

    async def get(self, models: Sequence[Model], directives: Directives, now_us: int) -> Counted | None:
        """The sums of these models; None while they are counted for the first time. Raises `StoreAway`."""
        key = await asyncio.to_thread(self._read_key)
        names = {model.name for model in models}
        if self._is_current(key, names):
            return self._kept
        if self._task is not None and self._task.done():
            task, self._task = self._task, None
            if task.exception() is not None:  # nobody waited for it any longer: it is tried again
                log.warning("summaries.failed why=%s", type(task.exception()).__name__)
        if self._task is None and self._may_begin(key, names):
            self._task = asyncio.create_task(self._count(models, directives, now_us, key))
        if self._task is not None:
            wait = FIRST_WAIT_SECONDS if self._kept is None else WAIT_SECONDS
            done, _ = await asyncio.wait({self._task}, timeout=wait)
            if done:
                task, self._task = self._task, None
                task.result()  # raises what the count raised
        if self._kept is None or not names <= self._kept.by_model.keys():
            return None
        kept = self._kept
        return Counted(kept.by_model, kept.at_us, kept.seconds, self._is_current(key, names))

    def _is_current(self, key: Key, names: set[str]) -> bool:
        fresh = self._clock() - self._ended < OLD_SECONDS
        return self._kept is not None and key == self._key and fresh and names <= self._kept.by_model.keys()

    def _may_begin(self, key: Key, names: set[str]) -> bool:
        if self._kept is None or self._key is None or not names <= self._kept.by_model.keys():
            return True
        rested = self._clock() - self._ended >= REST * self._kept.seconds
        return rested or key[1] != self._key[1]

    async def _count(self, models: Sequence[Model], directives: Directives, now_us: int, key: Key) -> None:
        began = self._clock()
        found = await asyncio.to_thread(self._read, models, directives, now_us)
        self._ended = self._clock()
        self._kept, self._key = Counted(found, now_us, self._ended - began), key

    def _read(self, models: Sequence[Model], directives: Directives, now_us: int) -> dict[str, Summary]:
        found = {}
        for model in models:  # a transaction each: none is open for longer than one model takes
            with self._store.read() as connection:
                found[model.name] = summary(connection, model, directives, now_us)
        return found

    def _read_key(self) -> Key:
        """What changes when the sums do: the newest decision record, who may be shown, what people told."""
        with self._store.read() as connection:
            newest = connection.execute(select(func.max(decisions.c.id))).scalar() or 0
            counters = version_counters.read(connection)
        told = {
            name: value
            for name, value in counters.items()
            if name == overrides.GENERATION or name.startswith(notes.GENERATION)
        }
        return newest, counters.get(privacy.GENERATION, 0), tuple(sorted(told.items()))
