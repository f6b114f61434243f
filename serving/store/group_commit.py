"""Group commit: what many requests want to write goes into one transaction, and each waits for its commit.

A durable commit costs about 180 us in SQLite and 280 us in Postgres (`fdatasync`), more than a scored request; a
thousand rows to a commit cost 3 us each.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from sqlalchemy import Connection

from serving.errors import StoreAway
from serving.store.connect import Store, Writing

T = TypeVar("T")
Job = Callable[[Connection], Any]
JOBS_A_COMMIT = 256
_Item = tuple[Job, "Future[Any]"]


class GroupWriter:
    """One thread that commits. `submit` may be called from any thread; the future is done after the commit."""

    def __init__(self, store: Store) -> None:
        self._transaction = Writing(store)
        self._lock = threading.Lock()
        self._closed = False
        self._queue: SimpleQueue[_Item | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._thread.start()

    def submit(self, job: Callable[[Connection], T]) -> Future[T]:
        """Run `job` in a coming transaction; its result, or what it or the commit raised, arrives in the future."""
        future: Future[T] = Future()
        with self._lock:
            if self._closed:
                future.set_exception(StoreAway("the store's writer has stopped"))
            else:
                self._queue.put((job, future))
        return future

    def close(self, timeout: float = 30) -> None:
        """Commit what was submitted, then stop; what comes later is refused with `StoreAway`."""
        with self._lock:
            self._closed = True
            self._queue.put(None)
        self._thread.join(timeout)

    def _run(self) -> None:
        with contextlib.closing(self._transaction):
            self._work()

    def _work(self) -> None:
        stop = False
        while not stop:
            first = self._queue.get()
            if first is None:
                return
            items = [first]
            while len(items) < JOBS_A_COMMIT:
                try:
                    item = self._queue.get_nowait()
                except Empty:
                    break
                if item is None:
                    stop = True
                    break
                items.append(item)
            self._commit(items)

    def _commit(self, items: list[_Item]) -> None:
        try:
            with self._transaction() as connection:
                results = [job(connection) for job, _ in items]
        except BaseException as error:
            # One bad job must not fail its neighbours: each gets a transaction of its own. An absent store fails all.
            if len(items) == 1 or isinstance(error, StoreAway):
                for _, future in items:
                    future.set_exception(error)
            else:
                for item in items:
                    self._commit([item])
            return
        for (_, future), result in zip(items, results, strict=True):
            future.set_result(result)
