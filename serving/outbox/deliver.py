"""Delivers queued write-backs: at the connection's rate, in the vendor's batch size, with retries up to a limit."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tenacity import RetryCallState, Retrying
from tenacity.wait import wait_exponential_jitter

from features.kit.clock import Clock, make_clock, system_us
from serving.connections.config import ConnectionConfig
from serving.errors import ServingError, StoreAway
from serving.log import place_of
from serving.outbox import echo_ledger
from serving.outbox import repository as outbox
from serving.store.connect import Store
from serving.vendors.calls import CallFailed, CallRefused
from serving.vendors.outbound import Outbound, Reader, WriteResult
from serving.vendors.registry import make_sender

log = logging.getLogger("serving.outbox")
MAX_ATTEMPTS = 22
"""With the pauses below a write is given up after about 28 hours, as long as Svix and HubSpot retry."""
PAUSE = wait_exponential_jitter(initial=1, max=3 * 3600, jitter=1)
OLDEST_EVERY = 10
"""Every so many calls the oldest writes go first, whatever their priority, so that urgent ones do not starve them."""
POLL_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 30.0


@dataclass(frozen=True)
class Delivered:
    """Writes of one or more rounds: sent, to be retried, and given up."""

    sent: int = 0
    again: int = 0
    dead: int = 0

    def __add__(self, other: Delivered) -> Delivered:
        return Delivered(self.sent + other.sent, self.again + other.again, self.dead + other.dead)


def pause_after(attempts: int, asked: float | None = None) -> float:
    """Seconds until the next attempt, at least what the CRM asked for."""
    state = RetryCallState(Retrying(), None, (), {})
    state.attempt_number = max(1, attempts)
    return max(PAUSE(state), asked or 0.0)


ReadTruncated = Callable[[Store, ConnectionConfig, Reader, Clock], int]
"""Reads records whose webhooks were truncated (`serving.inbox.truncated`). Passed in, because the outbox must not
import the inbox."""


class Deliverer:
    """Sends the write-backs of one connection. Only one may run per connection, so that an older score never overtakes
    a newer one."""

    def __init__(self, store: Store, config: ConnectionConfig, sender: Outbound, read_truncated: ReadTruncated) -> None:
        self._store, self._config, self._sender, self._read_truncated = store, config, sender, read_truncated
        self._apart = 1.0 / config.writeback.requests_per_second
        self._next_call = 0.0
        self._not_before_us = 0
        self._clock, self._unread, self._rounds = make_clock(), 0, 0

    def round(self) -> Delivered:
        """Send one batch, if any write is due. Raises `StoreAway`."""
        now = system_us()
        if now < self._not_before_us:
            return Delivered()
        if isinstance(self._sender, Reader) and not self._read(self._sender):
            return Delivered()
        self._rounds += 1
        oldest_first = self._rounds % OLDEST_EVERY == 0
        with self._store.read() as connection:
            found = outbox.due(connection, self._config, now, self._sender.batch, oldest_first=oldest_first)
        return self._send(found) if found else Delivered()

    def _read(self, reader: Reader) -> bool:
        """Read the records of truncated webhooks. Returns False when the CRM is away."""
        try:
            self._read_truncated(self._store, self._config, reader, self._clock)
            self._unread = 0
        except CallFailed as error:
            self._unread += 1
            wait = pause_after(self._unread, error.retry_after)
            self._not_before_us = system_us() + int(1e6 * wait)
            log.warning("webhook.unread connection=%s why=%s again_in_s=%.0f", self._config.name, error, wait)
        return not self._unread

    def once(self, stopping: threading.Event) -> Delivered:
        """Send until nothing is due. Failed writes that are to be retried later stay."""
        total = Delivered()
        while not stopping.is_set():
            done = self.round()
            if done == Delivered():
                break
            total += done
        return total

    def run(self, stopping: threading.Event) -> None:
        """Send until `stopping` is set. While the store is away the pauses grow."""
        pause = POLL_SECONDS
        while not stopping.is_set():
            try:
                busy = self.round() != Delivered()
                pause = POLL_SECONDS
            except StoreAway:
                busy, pause = False, min(2 * pause, LONGEST_PAUSE_SECONDS)
            except Exception as error:
                # A bug must neither end the thread silently nor repeat a thousand times a second.
                log.error("writeback.fault connection=%s %s", self._config.name, place_of(error))
                busy, pause = False, min(2 * pause, LONGEST_PAUSE_SECONDS)
            if not busy:
                stopping.wait(pause)

    def _send(self, found: Sequence[outbox.Due]) -> Delivered:
        """Send some writes. A call that is refused as a whole is halved until the bad writes are alone. Between two
        calls urgent writes that arrived meanwhile go first."""
        total, left, seen = Delivered(), [found], {write.key for write, _, _ in found}
        while left and system_us() >= self._not_before_us:
            part = left.pop(0)
            try:
                total += self._call(part)
            except CallRefused as error:
                if len(part) == 1:
                    total += self._settle(part, [WriteResult("dead", str(error))])
                else:
                    left[:0] = [part[: len(part) // 2], part[len(part) // 2 :]]
            if left:
                with self._store.read() as connection:
                    # A write that a newer score has replaced meanwhile is dropped.
                    left = [again for half in left if (again := outbox.still_due(connection, self._config, half))]
                    urgent = outbox.due(connection, self._config, system_us(), self._sender.batch, worst=outbox.WEBHOOK)
                urgent = [one for one in urgent if one[0].key not in seen]
                if urgent:
                    seen |= {write.key for write, _, _ in urgent}
                    left.insert(0, urgent)
        return total

    def _call(self, found: Sequence[outbox.Due]) -> Delivered:
        """One call. Raises `CallRefused`."""
        bad = [one for one in found if not one[0].readable]
        if bad:
            done = self._settle(bad, [WriteResult("dead", "what is stored of it cannot be read")] * len(bad))
            good = [one for one in found if one[0].readable]
            return done + self._call(good) if good else done
        writes = [write for write, _, _ in found]
        # Committed before the call: even if the process dies in it, the echo will be recognised.
        with self._store.write() as connection:
            echo_ledger.record(connection, self._config.name, writes, system_us())
        self._keep_pace()
        try:
            outcomes = self._sender.send(writes)
        except CallFailed as error:
            return self._all_again(found, error)
        except ServingError:
            raise
        except Exception as error:  # a value that our sender cannot write is treated like one that the CRM refuses
            log.error("writeback.fault connection=%s %s", self._config.name, place_of(error))
            raise CallRefused(f"it cannot be sent: {type(error).__name__}") from None
        return self._settle(found, outcomes)

    def _settle(self, found: Sequence[outbox.Due], outcomes: Sequence[WriteResult]) -> Delivered:
        now, total = system_us(), Delivered()
        with self._store.write() as connection:
            for (write, generation, attempts), outcome in zip(found, outcomes, strict=True):
                if outcome == WriteResult("retry"):  # it was not in the call, so no attempt is counted
                    total += Delivered(again=1)
                    continue
                tried = attempts + 1
                state, due = outbox.SENT, now
                if outcome.state == "dead" or (outcome.state == "retry" and tried >= MAX_ATTEMPTS):
                    state = outbox.DEAD
                elif outcome.state == "retry":
                    state, due = outbox.WAITING, now + int(1e6 * pause_after(tried, outcome.wait))
                total += Delivered(state == outbox.SENT, state == outbox.WAITING, state == outbox.DEAD)
                outbox.settle(
                    connection,
                    self._config,
                    write,
                    generation,
                    state=state,
                    attempts=tried,
                    due_at=due,
                    error=outcome.why or None,
                    **({"sent_at": now} if state == outbox.SENT else {}),
                )
            echo_ledger.forget_old(connection, now)
        waits = [outcome.wait for outcome in outcomes if outcome.wait]
        if waits:  # the CRM named one write and means the whole connection
            self._not_before_us = now + int(1e6 * max(waits))
        if total.dead:
            log.warning(
                "writeback.dead connection=%s count=%d next=python -m serving dead-letters",
                self._config.name,
                total.dead,
            )
        return total

    def _all_again(self, found: Sequence[outbox.Due], error: CallFailed) -> Delivered:
        now = system_us()
        counted = 0 if error.paused else 1
        attempts = max(tried for _, _, tried in found) + 1
        wait = pause_after(attempts, error.retry_after)
        self._not_before_us = now + int(1e6 * wait)
        log.warning("writeback.failed connection=%s why=%s again_in_s=%.0f", self._config.name, error, wait)
        dead = 0
        with self._store.write() as connection:
            for write, generation, tried in found:
                gone = tried + counted >= MAX_ATTEMPTS
                dead += gone
                outbox.settle(
                    connection,
                    self._config,
                    write,
                    generation,
                    state=outbox.DEAD if gone else outbox.WAITING,
                    attempts=tried + counted,
                    due_at=self._not_before_us,
                    error=str(error),
                )
        return Delivered(again=len(found) - dead, dead=dead)

    def _keep_pace(self) -> None:
        now = time.monotonic()
        if now < self._next_call:
            time.sleep(self._next_call - now)
        self._next_call = max(now, self._next_call) + self._apart


class Deliverers:
    """One deliverer and thread for each connection that is switched on, so that a CRM that hangs holds up no other."""

    def __init__(
        self, store: Store, connections: Mapping[str, ConnectionConfig], read_truncated: ReadTruncated
    ) -> None:
        self._stopping = threading.Event()
        self._senders = {
            name: make_sender(config.vendor, config.writeback)
            for name, config in connections.items()
            if config.writeback.sends
        }
        self._deliverers = {
            name: Deliverer(store, connections[name], sender, read_truncated) for name, sender in self._senders.items()
        }
        self._threads = [
            threading.Thread(target=each.run, args=(self._stopping,), name=f"deliver-{name}", daemon=True)
            for name, each in self._deliverers.items()
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def once(self, stopping: threading.Event) -> dict[str, Delivered]:
        return {name: each.once(stopping) for name, each in self._deliverers.items()}

    def close(self) -> None:
        """Stop every deliverer after its current call."""
        self._stopping.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join()
        for sender in self._senders.values():
            sender.close()
