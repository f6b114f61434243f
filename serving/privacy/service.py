"""Erasure and objections, as the API and the commands do them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from features.kit.errors import AccountscoreError
from features.kit.writable import told
from serving.audit_log import head
from serving.audit_log.entry import Who
from serving.connections.config import ConnectionConfig
from serving.notes import export as notes
from serving.privacy import files, repository, suppression_export
from serving.privacy.aliases import aliases
from serving.store.connect import Store
from serving.store.wipe import wipe


@dataclass(frozen=True)
class Erasure:
    """The result of an erasure."""

    deleted: dict[str, int]
    """Deleted rows by table."""
    left: list[str]
    """What could not be done at once, with the next step."""

    @property
    def found(self) -> bool:
        """Whether the store had any row of it."""
        return any(self.deleted.values())


def erase(
    store: Store,
    connections: Iterable[ConnectionConfig],
    kind: str,
    name: str,
    now_us: int,
    home: Path,
    by: Who | None = None,
) -> Erasure:
    """Delete the store's rows in one transaction, publish the suppression list, and clean the home's files.

    Raises `UserMistake`, before anything is deleted, when the home cannot be written; `StoreAway`, after which it has
    to be repeated.
    """
    suppression_export.require_writable(home)
    with store.write() as connection:
        done = repository.erase(connection, kind, name, now_us, aliases(connections, kind, name), by)
    return Erasure(done, settle(store, home))


def object_to(
    store: Store, entity: str, entity_id: str, now_us: int, home: Path, by: Who | None = None
) -> tuple[bool, list[str]]:
    """Record an objection, in the store and in the home. Returns whether it is new, and what could not be done, with
    the next step."""
    with store.write() as connection:
        new = repository.object_to(connection, entity, entity_id, now_us, by)
    return new, _told(store, home)


def allow(
    store: Store, entity: str, entity_id: str, now_us: int, home: Path, by: Who | None = None
) -> tuple[bool, list[str]]:
    """Take an objection back, in the store and in the home. Returns whether there was one, and what could not be done,
    with the next step."""
    with store.write() as connection:
        had = repository.allow(connection, entity, entity_id, now_us, by)
    return had, _told(store, home)


def _told(store: Store, home: Path) -> list[str]:
    """Update the home's copies. They are needed only if the store is lost, so that a home that cannot be written is reported
    and does not fail the objection."""
    try:
        head.keep(store, home)
        suppression_export.publish(store, home)
    except (OSError, AccountscoreError) as error:
        why = told(error) if isinstance(error, OSError) else str(error)
        return [f"the home does not know of it ({why}): run python -m serving privacy publish when it can be written"]
    return []


def settle(store: Store, home: Path) -> list[str]:
    """The steps after an erasure: publish the suppression list and the notes, keep the head of the audit log, rewrite the
    home's files, wipe deleted bytes.

    Repeating it changes nothing. Returns what could not be done, with the next step. Raises `StoreAway`.
    """
    suppression_export.publish(store, home)
    head.keep(store, home)
    try:
        notes.publish(store, home, whole=True)
        left = []
    except OSError as error:
        left = [
            f"notes are not published ({told(error)}): run python -m serving privacy publish when they can be written"
        ]
    with store.read() as connection:
        erased = repository.Erased.load(connection)
    return left + files.remove_erased(home, erased) + wipe(store)
