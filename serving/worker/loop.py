"""The worker: applies inbox events and scores what changed, until it is stopped. One per deployment."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_when_event_set, wait_exponential
from tenacity.nap import sleep_using_event

from features.kit.clock import Clock, to_us
from features.kit.errors import BadInput, UserMistake
from features.kit.file_lock import file_lock
from serving.audit_log import head
from serving.champion import Champions
from serving.connections.config import ConnectionConfig, tell
from serving.errors import StoreAway
from serving.inbox import repository as inbox
from serving.log import place_of
from serving.notes import export as notes
from serving.privacy import suppression_export
from serving.privacy.service import settle
from serving.scoring.columns import require_populations
from serving.store.connect import Store
from serving.store.wipe import wipe
from serving.worker.apply_inbox import LETTERS_A_ROUND, Applied, apply_events
from serving.worker.score_dirty import RoundResult, next_due, score_dirty
from serving.worker.source_cache import Sources

log = logging.getLogger("serving.worker")
POLL_SECONDS = 0.1
"""Seconds between two looks at an empty inbox; a look costs about 0.1 ms."""
LONGEST_PAUSE_SECONDS = 30.0
LOOK_AGAIN_SECONDS = 30.0
"""Seconds until a source with a fault is read again."""
OLDEST_EVERY = 10
"""Every so many rounds the oldest work is taken whatever its priority, so that webhooks never starve a backlog."""


class Worker:
    """Call `round` until there is nothing left, or `run` for good."""

    def __init__(
        self,
        store: Store,
        connections: Mapping[str, ConnectionConfig],
        champions: Champions,
        clock: Clock,
        stopping: threading.Event | None = None,
        off: Collection[str] = (),
    ) -> None:
        """`off` names connections whose files have a fault; their earlier events wait."""
        self._store, self._connections, self._champions, self._clock = store, connections, champions, clock
        self._home = champions.home
        self._sources = Sources(self._home)
        self._lacking = self._rounds = 0
        self._unwiped = False
        self._off = frozenset(off)
        self._trouble: dict[str, float] = {}
        """Connections whose source has a fault, and when to read it again, monotonic seconds."""
        self.stopping = stopping or threading.Event()

    def check(self) -> None:
        """Opens the sources. A connection whose source has a fault is off until it is mended. Raises `BadInput` when
        all are off, or when a source lacks what the population of a live model reads.
        """
        # A kill after a removal or a note may have left it untold.
        suppression_export.publish(self._store, self._home)
        notes.publish(self._store, self._home, whole=True)
        available = self._available()
        if not available:
            raise BadInput(
                "connections", [f for config in self._connections.values() for f in self._sources.faults(config)]
            )
        for config in {config.source: config for config in available.values()}.values():
            require_populations(self._sources.get(config), self._champions.live())

    def _available(self) -> dict[str, ConnectionConfig]:
        """Connections whose sources can be read now."""
        found, now = {}, time.monotonic()
        for name, config in self._connections.items():
            if now < self._trouble.get(name, now):
                continue
            faults = self._sources.faults(config)
            if not faults:
                found[name] = config
                if self._trouble.pop(name, None) is not None:
                    log.info("connection.on connection=%s", name)
                continue
            if name not in self._trouble:
                tell({name: faults})
            self._trouble[name] = now + LOOK_AGAIN_SECONDS
        return found

    def round(self) -> tuple[int, RoundResult]:
        """Applies the waiting events and scores the entities that are due; returns what was done."""
        self._rounds += 1
        connections = self._available()
        off = self._off | (self._connections.keys() - connections.keys())
        applied = apply_events(self._store, self._sources, connections, self._clock, off)
        if applied.erased:
            for left in settle(self._store, self._home):
                log.warning("erasure.left %s", left)
        elif applied.removals:
            suppression_export.publish(self._store, self._home)
        if applied.notes:
            notes.publish_or_tell(self._store, self._home)
        head.keep(self._store, self._home)
        self._wipe(applied)
        scored = RoundResult()
        due = next_due(self._store)
        if due is not None and due <= to_us(self._clock()):
            self._champions.refresh()
            oldest_first = self._rounds % OLDEST_EVERY == 0
            scored = score_dirty(
                self._store, self._sources, connections, self._champions, self._clock, oldest_first=oldest_first
            )
            if scored.waiting_for_model != self._lacking:
                self._lacking = scored.waiting_for_model
                log.warning("entities.without_model count=%d next=python -m training promote MODEL", self._lacking)
        return applied.events, scored

    def _wipe(self, applied: Applied) -> None:
        """Late data of erased entities was deleted as it was read. This also wipes the bytes from the database files,
        as soon as no reader holds the write-ahead log.
        """
        self._unwiped |= applied.late > 0
        if self._unwiped and self._store.dialect == "sqlite":
            self._unwiped = bool(wipe(self._store, wait_seconds=0.0))

    def once(self) -> tuple[int, int]:
        """Works until no event waits and nothing that can be scored is dirty. Returns (events, scores)."""
        events = scores = 0
        while not self.stopping.is_set():
            looked = to_us(self._clock())
            done, scored = self.round()
            events, scores = events + done, scores + scored.scores
            if done == LETTERS_A_ROUND or scored.entities:
                continue
            with self._store.read() as connection:
                if inbox.has_waiting(connection, self._off | self._trouble.keys()):
                    continue
            due = next_due(self._store)
            # What was due before the round and was not scored waits for its model; what became due since does not.
            if due is None or due <= looked:
                break
            self.stopping.wait(min(POLL_SECONDS, max(0, due - to_us(self._clock())) / 1e6))
        return events, scores

    def run(self) -> None:
        """Runs until `stopping` is set. While the store is away it waits, longer each time."""
        pause = POLL_SECONDS
        while not self.stopping.is_set():
            try:
                with self._store.read() as connection:
                    busy = inbox.has_waiting(connection)
                due = next_due(self._store)
                if busy or (due is not None and due <= to_us(self._clock())):
                    done, scored = self.round()
                    busy = bool(done or scored.entities)
                if pause > POLL_SECONDS:
                    log.info("worker.back")
                pause = POLL_SECONDS
            except StoreAway as error:
                if pause == POLL_SECONDS:
                    log.error("store.away %s", error)
                pause, busy = min(2 * pause, LONGEST_PAUSE_SECONDS), False
            except Exception as error:
                # Not the fault of one record, which would be set aside. It may pass, and stopping would mend nothing.
                log.error("worker.fault %s", place_of(error))
                pause, busy = min(2 * pause, LONGEST_PAUSE_SECONDS), False
            if not busy:
                self.stopping.wait(pause)


def begin(start: Callable[[], None], stopping: threading.Event) -> bool:
    """Runs `start`, and again at growing intervals while the store is away; returns False when `stopping` was set
    first.
    """

    def say(attempt: RetryCallState) -> None:
        if attempt.attempt_number == 1 and attempt.outcome is not None:
            log.error("store.away %s", attempt.outcome.exception())

    patient = Retrying(
        retry=retry_if_exception_type(StoreAway),
        wait=wait_exponential(multiplier=POLL_SECONDS, max=LONGEST_PAUSE_SECONDS),
        stop=stop_when_event_set(stopping),
        sleep=sleep_using_event(stopping),
        before_sleep=say,
        reraise=True,
    )
    try:
        patient(start)
    except StoreAway:
        return False
    return True


class AlreadyRunning(UserMistake):
    """Raised when another process holds the lock of the worker or of `deliver`."""


@contextmanager
def only_one(home: Path, what: str = "worker") -> Iterator[None]:
    """Holds the lock of the worker (or of `deliver`); raises `UserMistake` when another process holds it."""
    busy = AlreadyRunning(
        f"a {what} (or a backfill) is running on {str(home)!r} already, and two would do everything twice: let it work, or stop it first"
    )
    with file_lock(home / f"{what}.lock", 0, busy):
        yield
