"""What an API process keeps of the store in memory, and how it stays true: keys, overrides, objections, erasures."""

from __future__ import annotations

import asyncio
import logging
import threading
import time

from serving.clock import Clock, to_us
from serving.errors import StoreAway
from serving.keys import repository as keys
from serving.keys.service import KeyRing
from serving.privacy import marks
from serving.privacy.marks import Marks
from serving.store import generation
from serving.store.connect import Store

log = logging.getLogger("serving")
WATCH_SECONDS = 1.0
"""How soon a key that was revoked by another process is refused; a look reads one small table (0.1 ms)."""


class Watched:
    """`keys` and `marks` are replaced whole; whoever reads one sees it before a change or after."""

    def __init__(self, store: Store, pepper: bytes, clock: Clock) -> None:
        self._store, self._clock = store, clock
        self._seen: dict[str, int] | None = None
        self._lock = threading.Lock()
        self._away = False
        self.keys = KeyRing(pepper)
        self.marks = Marks()

    def refresh(self) -> None:
        """Look at the counters and load what changed. Raises `StoreAway`; then all stays as it was."""
        with self._lock, self._store.read() as connection:
            found = generation.read(connection)
            if found == self._seen:
                return
            before = self._seen
            if before is None or before.get(keys.GENERATION) != found.get(keys.GENERATION):
                self.keys = KeyRing.load(connection, self.keys.pepper, time.time_ns() // 1000)
            if before is None or any(before.get(name) != found.get(name) for name in marks.GENERATIONS):
                self.marks = Marks.load(connection, to_us(self._clock()))
            self._seen = found

    async def watch(self) -> None:
        """Refresh until cancelled. While the store is away nobody can change what it says: what is known holds."""
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            try:
                await asyncio.to_thread(self.refresh)
            except StoreAway as error:
                if not self._away:
                    log.error("store.away %s", error)
                self._away = True
            else:
                if self._away:
                    log.info("store.back")
                self._away = False
