"""The worker: drains the inbox, scores what changed, until it is told to stop. One per deployment."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_when_event_set, wait_exponential
from tenacity.nap import sleep_using_event

from features.errors import UserMistake
from serving.alone import alone
from serving.champion import Champions
from serving.clock import Clock, to_us
from serving.connections import ConnectionConfig
from serving.errors import StoreAway
from serving.privacy import gone
from serving.store.connect import Store
from serving.webhooks import inbox
from serving.worker.apply import LETTERS_A_ROUND, apply_letters
from serving.worker.score import Scored, next_due, score_dirty
from serving.worker.sources import Sources

log = logging.getLogger("serving.worker")
POLL_SECONDS = 0.1
"""How long an event waits at most before it is seen; an empty look costs about 0.1 ms."""
LONGEST_PAUSE_SECONDS = 30.0


class Worker:
    """Call `round` until there is nothing left, or `run` for good."""

    def __init__(
        self,
        store: Store,
        connections: Mapping[str, ConnectionConfig],
        champions: Champions,
        clock: Clock,
        stopping: threading.Event | None = None,
    ) -> None:
        self._store, self._connections, self._champions, self._clock = store, connections, champions, clock
        self._home = champions.home
        self._sources = Sources(self._home)
        self._lacking = 0
        self.stopping = stopping or threading.Event()

    def check(self) -> None:
        """Open the sources; raises `BadInput` for what the connections ask and a source lacks."""
        gone.publish(self._store, self._home)  # killed after a removal it would not have been told
        self._sources.check(self._connections)

    def round(self) -> tuple[int, Scored]:
        """Work on the letters that wait and on the entities that are due; returns what was done."""
        applied = apply_letters(self._store, self._sources, self._connections, self._clock)
        if applied.removals:
            gone.publish(self._store, self._home)
        scored = Scored()
        due = next_due(self._store)
        if due is not None and due <= to_us(self._clock()):
            self._champions.refresh()
            scored = score_dirty(self._store, self._sources, self._connections, self._champions, self._clock)
            if scored.waiting_for_model != self._lacking:
                self._lacking = scored.waiting_for_model
                log.warning("entities.without_model count=%d next=python -m training promote MODEL", self._lacking)
        return applied.letters, scored

    def once(self) -> tuple[int, int]:
        """Drain: work until no letter waits and nothing that can be scored is dirty. Returns (letters, scores)."""
        letters = scores = 0
        while not self.stopping.is_set():
            looked = to_us(self._clock())
            done, scored = self.round()
            letters, scores = letters + done, scores + scored.scores
            if done == LETTERS_A_ROUND or scored.entities:
                continue
            with self._store.read() as connection:
                if inbox.has_waiting(connection):
                    continue
            due = next_due(self._store)
            # What was due when the round began and was not scored waits for its model; what became due since does not.
            if due is None or due <= looked:
                break
            self.stopping.wait(min(POLL_SECONDS, max(0, due - to_us(self._clock())) / 1e6))
        return letters, scores

    def run(self) -> None:
        """Until `stopping` is set. A store that is away is waited for, longer each time."""
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
                    log.info("store.back")
                pause = POLL_SECONDS
            except StoreAway as error:
                if pause == POLL_SECONDS:
                    log.error("store.away %s", error)
                pause, busy = min(2 * pause, LONGEST_PAUSE_SECONDS), False
            if not busy:
                self.stopping.wait(pause)


def begin(start: Callable[[], None], stopping: threading.Event) -> bool:
    """Do what needs the store before the first round, again and longer apart while it is away; False when `stopping` came first."""

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


@contextmanager
def only_one(home: Path, what: str = "worker") -> Iterator[None]:
    """Holds the lock of a worker (or of who delivers); raises `UserMistake` when another one has it."""
    busy = UserMistake(
        f"a {what} is running on {str(home)!r} already: one is enough, and two would do everything twice"
    )
    with alone(home / f"{what}.lock", busy):
        yield
