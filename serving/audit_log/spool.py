"""Takes the events that training left in the home (`models.audit_spool`) into the audit log, each once."""

from __future__ import annotations

import logging
from pathlib import Path

from features.kit.writable import told
from models import audit_spool
from serving.audit_log import head, repository
from serving.audit_log.entry import Command, Entry
from serving.store.connect import Store

log = logging.getLogger("serving.audit_log")


def take_in(store: Store, home: Path) -> int:
    """Append each waiting event and delete its file; returns how many were new. Raises `StoreAway`.

    A process that dies between the commit and the deletion leaves the file: the log knows the event by its id, and the
    next call deletes the file. A file that cannot be read stays, and is logged.
    """
    new = 0
    for path, event in audit_spool.waiting(home):
        if event is None:
            log.error("audit_log.spool_unreadable file=%s next=see who wrote it and delete it", path.name)
            continue
        who = Command(event.actor_id, event.actor_name, event.actor_kind)
        try:
            entry = Entry(who, event.action, event.object_kind, event.object_id, event.before, event.after)
        except ValueError as error:  # nothing of ours wrote it
            log.error("audit_log.spool_refused file=%s why=%s", path.name, error)
            continue
        with store.write() as connection:
            new += repository.append_event(connection, entry, event.at, event.id)
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            log.warning("audit_log.spool_left why=%s", told(error))
    if new:
        head.keep(store, home)
    return new


def settle(store: Store, home: Path) -> None:
    """Take the spool in and bring the home's head up to the log: what a process does when it starts."""
    take_in(store, home)
    head.keep(store, home)
