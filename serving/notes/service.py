"""Stores notes, withdraws them, and publishes what changed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from pathlib import Path

import msgspec
from sqlalchemy import Connection

from serving.audit_log import head
from serving.audit_log.entry import Who
from serving.errors import NotFound
from serving.notes import repository
from serving.notes.audit import append_told, append_withdrawn
from serving.notes.export import publish_or_tell
from serving.notes.repository import Note, Told
from serving.notes.request import Asked, Read
from serving.notes.schemas import NoteError, NoteFault, NotesAnswer, NoteStored
from serving.store.connect import Store
from serving.store.dirty_marks import mark_dirty

log = logging.getLogger("serving.notes")
Keep = Callable[[Connection, int, str, bytes], None]
"""Keeps status, content type and body for a repetition, in the transaction of the notes (`serving.idempotency.answer`)."""
encoded = msgspec.json.Encoder().encode


def tell(store: Store, home: Path, who: Who, asked: Asked, read: Read, keep: Keep | None = None) -> NotesAnswer:
    """Store the notes that have no fault, in one transaction, and publish them. A note about an entity that the store does
    not know becomes an error; the others are stored. Raises `StoreAway`; nothing was stored then."""
    with store.write() as connection:
        answer, told = _put(connection, asked, read)
        if keep is not None and answer.results:
            keep(connection, status_of(answer), "application/json", encoded(answer))
        append_told(connection, who, told, asked.now_us)
    publish_or_tell(store, home)
    head.keep(store, home)
    log.info("notes.told kind=%s stored=%d refused=%d", asked.kind, len(answer.results), len(answer.errors))
    return answer


def tell_one(store: Store, home: Path, who: Who, asked: Asked, note: Note, keep: Keep | None = None) -> NotesAnswer:
    """As `tell`, for one note; raises `NotFound` when the store does not know its entity."""
    answer = tell(store, home, who, asked, [note], keep)
    for error in answer.errors:
        fault = error.faults[0]
        text = f"{fault.where}: {fault.found}. Rule: {fault.rule}. Next: {fault.next_step}."
        raise NotFound(error.code, text)
    return answer


def withdraw(store: Store, home: Path, who: Who, asked: Asked, entity_id: str, id: str) -> bool:
    """Withdraw a note; False when there is none. Raises `StoreAway`."""
    with store.write() as connection:
        if repository.of_ids(connection, [id]):
            _mark(connection, asked, [entity_id])
        gone = repository.withdraw(connection, asked.kind, asked.entity, entity_id, id)
        if gone is not None:
            append_withdrawn(connection, who, gone, asked.now_us)
    publish_or_tell(store, home)
    head.keep(store, home)
    return gone is not None


def _mark(connection: Connection, asked: Asked, ids: Collection[str]) -> None:
    """After an outcome its entity is scored anew, as after an event of a CRM; no score reads actions. It comes before the
    notes are changed: on Postgres the worker and an erasure lock these rows first, and then the counter of the notes."""
    if asked.kind == repository.OUTCOME and ids:
        for source in asked.sources:
            mark_dirty(connection, source, {(asked.entity, each): 0.0 for each in ids}, asked.now_us)


def status_of(answer: NotesAnswer) -> int:
    return 207 if answer.errors else 200


def _put(connection: Connection, asked: Asked, read: Read) -> tuple[NotesAnswer, list[Told]]:
    good = [note for note in read if isinstance(note, Note)]
    known = repository.known_among(connection, asked.entity, (note.entity_id for note in good))
    about_known = [note for note in good if note.entity_id in known]
    held = repository.of_ids(connection, (note.id for note in about_known))
    _mark(connection, asked, {n.entity_id for n in about_known if n.id not in held or not n.tells_as(held[n.id])})
    told = repository.put(connection, about_known)
    answer = NotesAnswer(asked.entity, [], [])
    for index, each in enumerate(read):
        if isinstance(each, NoteError):
            answer.errors.append(each)
        elif each.id not in told or told[each.id].state == "erased":
            answer.errors.append(_unknown(asked.entity, index, each.entity_id))
        else:
            answer.results.append(NoteStored(index, each.entity_id, each.id, told[each.id].state))
    return answer, list(told.values())


def _unknown(entity: str, index: int, entity_id: str) -> NoteError:
    rule = f"{'an' if entity == 'account' else 'a'} {entity} that was scored or has signals"
    step = "check the id against the source, or tell it after the next batch"
    return NoteError(
        index,
        entity_id,
        "unknown_entity",
        [NoteFault(f"note {index}, entity_id", "nothing is stored of it", rule, step)],
    )
