"""Turns a change of stage in a CRM (won, lost, churned) into a note, as people tell it over HTTP."""

from __future__ import annotations

from collections.abc import Mapping

from features.outcomes.catalog import OUTCOMES
from serving.inbox.repository import InboxEvent
from serving.inbox.sealed import Seal
from serving.notes.repository import OUTCOME, Note, id_of

ENTITY_OF = {word: outcome.entity for outcome in OUTCOMES.values() for word in outcome.told_as}


def told_by(
    event: InboxEvent, event_us: int, words: Mapping[str, str], seal: Seal, owners: Mapping[str, str | None]
) -> list[Note]:
    """The note that an event tells; none when its value is no outcome, or when the row belongs to nobody of that kind.

    `words` map values of the property to outcomes, `owners` are the account and the lead of the row. The note is known from
    the moment at which the event was received. The value may be sealed; one that cannot be read tells nothing.
    """
    try:
        value = None if event.value is None else seal.open(event.value)
    except ValueError:
        return []
    word = None if value is None else words.get(value)
    whose = None if word is None else owners.get(ENTITY_OF[word])
    if word is None or whose is None:
        return []
    key = f"{event.connection}/{event.object_type}/{event.object_id}/{event.property}/{word}/{event_us}"
    entity = ENTITY_OF[word]
    id = id_of(OUTCOME, entity, whose, key, word, event_us, event.connection)
    return [Note(id, OUTCOME, entity, whose, word, event_us, event.received_at, f"crm:{event.connection}", None)]
