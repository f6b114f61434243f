"""Rows for what changes nothing in the store: a replay, an export. They go on where the store cannot be written, and say
that they left no row."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

from features.kit.errors import UserMistake
from features.kit.writable import told
from models import audit_spool
from serving.audit_log import head, repository, spool
from serving.audit_log.entry import Entry
from serving.errors import StoreAway
from serving.settings import ServingSettings
from serving.store.connect import Store, open_store
from serving.store.tables import REVISION


def append_reading(store: Store, home: Path, entry: Entry, now_us: int) -> str | None:
    """Add the row of something that only reads. Returns why there is none, None when there is one: a copy of the store
    that can be read alone may be looked at."""
    try:
        store.require_writable()
        with store.write() as connection:
            repository.append(connection, entry, now_us)
        head.keep(store, home)
    except (StoreAway, UserMistake) as error:
        return str(error)
    return None


def append_or_spool(settings: ServingSettings, entry: Entry, now_us: int) -> str | None:
    """As `append_reading`, for what needs no store: where there is none, or it is away, the row waits in the home."""
    store, home = open_store(settings.base.store_url), settings.base.home
    try:
        with contextlib.suppress(StoreAway):
            if is_set_up(store) and append_reading(store, home, entry, now_us) is None:
                return None
    finally:
        store.close()
    return leave_in_spool(home, entry)


def leave_in_spool(home: Path, entry: Entry) -> str | None:
    """Leave the row in the home, from where it is taken in within a second of a running API: it waits for no lock of the
    store. Returns why there is none, None when it is durable."""
    by, of = (entry.actor.kind, entry.actor.id, entry.actor.name), (entry.object_kind, entry.object_id)
    try:
        audit_spool.put(home, entry.action, by, of, entry.before, entry.after, time.time_ns())
    except OSError as error:
        return told(error)
    return None


def settle_if_there(settings: ServingSettings) -> None:
    """Take the spool in, if the store is set up and answers; else the events wait in the home."""
    store = open_store(settings.base.store_url)
    try:
        with contextlib.suppress(StoreAway, UserMistake):
            if is_set_up(store):
                store.require_writable()
                spool.settle(store, settings.base.home)
    finally:
        store.close()


def is_set_up(store: Store) -> bool:
    """Whether the store is at this revision. A file that is not there is not made."""
    file = store.engine.url.database
    if store.dialect == "sqlite" and not (file and Path(file).is_file()):
        return False
    return store.revision() == REVISION
