"""Caches keys, overrides, objections and erasures of the store in an API process, and keeps them up to date."""

from __future__ import annotations

import asyncio
import logging
import threading
from dataclasses import replace
from pathlib import Path

from sqlalchemy import Connection

from features.kit.clock import Clock, system_us, to_us
from features.kit.errors import UserMistake
from features.kit.writable import told
from serving.audit_log import head, spool
from serving.audit_log import repository as audit_log
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
"""Seconds until a key that another process revoked is refused; a look reads one small table (0.1 ms)."""


class StoreCache:
    """`keys` and `directives` are replaced as a whole; a reader sees them before a change or after it.

    `keys` is None when the process started while the store was away and the home has no cached keys
    (`serving.keys.cache`).
    """

    def __init__(self, store: Store, pepper: bytes, clock: Clock, home: Path) -> None:
        self._store, self._clock, self._home, self._pepper = store, clock, home, pepper
        self._seen: dict[str, int] | None = None
        self._logged = -1
        self._lock = threading.Lock()
        self.away = False
        """Whether the last look failed."""
        self.keys = kept(home, pepper)
        self.keys_lost = False
        """True when the store has no key but this home knows of one: the store was lost, and every request is
        refused.
        """
        self.directives = Directives()

    @property
    def seen(self) -> bool:
        """Whether this process has reached the store. Until then it knows of no objection or erasure."""
        return self._seen is not None

    def start(self) -> None:
        """Loads everything for the first time. Raises `UserMistake` when the store is at another revision. A store
        that is away is waited for.
        """
        try:
            self.refresh()
        except StoreAway as error:
            if self._store.dialect == "sqlite":
                raise  # a file that cannot be opened does not come back by itself
            self.away = True
            known = "none" if self.keys is None else "as they were last"
            log.error("store.away why=%s keys=%s next=score records that bring their signals", error, known)

    def refresh(self) -> None:
        """Reads the version counters and loads what changed. Raises `StoreAway`; then everything stays as it was."""
        if not self.seen:
            self._store.require_revision()
        with self._lock, self._store.read() as connection:
            found, before = version_counters.read(connection), self._seen
            if found != before:
                self._load(connection, before, found)
        self._keep_head(found.get(audit_log.GENERATION, 0))

    def _load(self, connection: Connection, before: dict[str, int] | None, found: dict[str, int]) -> None:
        if before is None or before.get(keys.GENERATION) != found.get(keys.GENERATION):
            self.keys = self._closed(KeyRing.load(connection, self._pepper, system_us()))
            self._keep(self.keys)
        if before is None or any(before.get(name) != found.get(name) for name in cache.GENERATIONS):
            self.directives = Directives.load(connection, to_us(self._clock()))
        self._seen = found

    def _keep_head(self, counted: int) -> None:
        """Writes the newest row of the audit log into the home. What fails is tried again by the next look."""
        if counted == self._logged:
            return
        if head.keep(self._store, self._home):
            self._logged = counted

    def _keep(self, ring: KeyRing) -> None:
        """Writes the keys into the home. A failure is only logged: the new keys apply at once, and only a start while
        the store is away would lack them.
        """
        try:
            keep(ring, self._home)
        except OSError as error:
            log.warning("keys.not_kept why=%s", told(error))

    def _closed(self, found: KeyRing) -> KeyRing:
        """Refuses every request while the store has no key but this home knows of one: the store was lost or is
        another one. Making a key in it ends this.
        """
        self.keys_lost = not found.needed and self.keys is not None and self.keys.needed
        if not self.keys_lost:
            return found
        log.error("keys.lost the store has no API key and this home had some: " + LOST)
        return replace(found, needed=True)

    async def watch(self) -> None:
        """Refreshes until cancelled, and takes into the audit log what training did meanwhile. While the store is away nobody can change it, so the cached state still holds."""
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            try:
                await asyncio.to_thread(spool.take_in, self._store, self._home)
                await asyncio.to_thread(self.refresh)
            except (StoreAway, UserMistake) as error:
                if not self.away:
                    log.error("store.away %s", error)
                self.away = True
            else:
                if self.away:
                    log.info("store.back")
                self.away = False
