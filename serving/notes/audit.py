"""Rows of the audit log about notes: who told what, and what it took the place of. Free text is not in them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection

from features.kit.clock import from_us, iso
from serving.audit_log.entry import Entry, Who
from serving.audit_log.repository import append_all
from serving.notes.repository import Note, Told


def append_told(connection: Connection, who: Who, told: Iterable[Told], now_us: int) -> None:
    """A row for each note that is new or corrected, in the transaction that stores it. Called last (`append`)."""
    changed = [each for each in told if each.state in ("new", "corrected")]
    entries = [
        Entry(who, each.note.kind, each.note.entity, each.note.entity_id, shown(each.before), shown(each.note))
        for each in changed
    ]
    if entries:
        append_all(connection, entries, now_us)


def append_withdrawn(connection: Connection, who: Who, note: Note, now_us: int) -> None:
    """The row of a note that was withdrawn: nothing comes after it."""
    append_all(connection, [Entry(who, note.kind, note.entity, note.entity_id, shown(note), None)], now_us)


def shown(note: Note | None) -> dict[str, Any] | None:
    """What the log says of a note."""
    if note is None:
        return None
    return {"id": note.id, "told": note.word, "when": iso(from_us(note.event_at)), "source": note.source}
