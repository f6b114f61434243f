"""What an API process keeps of the store in memory, and how it stays true: keys, overrides, objections, erasures."""

from __future__ import annotations

import asyncio
import logging
import threading
from dataclasses import replace
from pathlib import Path

from features.kit.clock import Clock, system_us, to_us
from features.kit.errors import UserMistake
from features.kit.writable import told
from serving.errors import StoreAway
from serving.keys import repository as keys
from serving.keys.cache import LOST, keep, kept
from serving.keys.service import KeyRing
from serving.privacy import cache
from serving.privacy.cache import Directives
from serving.store import version_counters
from serving.store.connect import Store

log = logging.getLogger("serving")
WATCH_SECONDS = 1.0
"""How soon a key that was revoked by another process is refused; a look reads one small table (0.1 ms)."""


class StoreCache:
    """`keys` and `directives` are replaced whole; whoever reads one sees it before a change or after.

    `keys` is None in a process that started while the store was away and has none kept (`serving.keys.cache`).
    """

    def __init__(self, store: Store, pepper: bytes, clock: Clock, home: Path) -> None:
        self._store, self._clock, self._home, self._pepper = store, clock, home, pepper
        self._seen: dict[str, int] | None = None
        self._lock = threading.Lock()
        self.away = False
        """Whether the last look failed."""
        self.keys = kept(home, pepper)
        self.keys_lost = False
        """Whether the store has no key and this home knows of one: nobody is let in."""
        self.directives = Directives()

    @property
    def seen(self) -> bool:
        """Whether this process ever reached the store: until then nobody's objection or erasure is known."""
        return self._seen is not None

    def start(self) -> None:
        """The first look. Raises `UserMistake` when the store is at another revision; one that is away is waited for."""
        try:
            self.refresh()
        except StoreAway as error:
            if self._store.dialect == "sqlite":
                raise  # a file that cannot be opened does not come back by itself
            self.away = True
            known = "none" if self.keys is None else "as they were last"
            log.error("store.away why=%s keys=%s next=score records that bring their signals", error, known)

    def refresh(self) -> None:
        """Look at the counters and load what changed. Raises `StoreAway`; then all stays as it was."""
        if not self.seen:
            self._store.require_revision()
        with self._lock, self._store.read() as connection:
            found = version_counters.read(connection)
            if found == self._seen:
                return
            before = self._seen
            if before is None or before.get(keys.GENERATION) != found.get(keys.GENERATION):
                self.keys = self._closed(KeyRing.load(connection, self._pepper, system_us()))
                self._keep(self.keys)
            if before is None or any(before.get(name) != found.get(name) for name in cache.GENERATIONS):
                self.directives = Directives.load(connection, to_us(self._clock()))
            self._seen = found

    def _keep(self, ring: KeyRing) -> None:
        """A home that cannot be written stops no key from ending: what is told here is what a start while the store is away lacks."""
        try:
            keep(ring, self._home)
        except OSError as error:
            log.warning("keys.not_kept why=%s", told(error))

    def _closed(self, found: KeyRing) -> KeyRing:
        """A store without any key where this home knows of one was lost, or is another one: it opens nothing. A key that is made in
        it ends this."""
        self.keys_lost = not found.needed and self.keys is not None and self.keys.needed
        if not self.keys_lost:
            return found
        log.error("keys.lost the store has no API key and this home had some: " + LOST)
        return replace(found, needed=True)

    async def watch(self) -> None:
        """Refresh until cancelled. While the store is away nobody can change what it says: what is known holds."""
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            try:
                await asyncio.to_thread(self.refresh)
            except (StoreAway, UserMistake) as error:
                if not self.away:
                    log.error("store.away %s", error)
                self.away = True
            else:
                if self.away:
                    log.info("store.back")
                self.away = False
