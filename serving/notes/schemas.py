"""Request and answer bodies about notes. Requests are read by `serving.notes.request`, which says every fault; these types
describe them in the OpenAPI file."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from features.outcomes.catalog import OUTCOMES

MAX_NOTES = 1000
"""Most notes in one request."""
LONGEST_WORD, LONGEST_SOURCE, LONGEST_KEY, LONGEST_NOTE = 60, 100, 200, 1000
LONGEST_ID = 256
TEXT = r"^[^\x00]*$"
"""Postgres keeps no NUL in a text."""
WORDS = tuple(dict.fromkeys(word for outcome in OUTCOMES.values() for word in outcome.told_as))

_EntityId = Annotated[
    str, Meta(min_length=1, max_length=LONGEST_ID, pattern=TEXT, description="its id in the source", examples=["acme"])
]
_Outcome = Annotated[
    str,
    Meta(
        description="what came true: churned of an account, won or lost of a lead",
        examples=["churned"],
        extra_json_schema={"enum": list(WORDS)},
    ),
]
_Action = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=LONGEST_WORD,
        pattern=TEXT,
        description="what somebody did: call, offer, visit, campaign or a word of yours",
        examples=["call"],
    ),
]
_When = Annotated[
    str,
    Meta(
        max_length=40,
        description="when it happened: UTC date or time, ISO 8601, not in the future",
        examples=["2025-11-20"],
        extra_json_schema={"anyOf": [{"format": "date"}, {"format": "date-time"}]},
    ),
]
_Source = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=LONGEST_SOURCE,
        pattern=TEXT,
        description="who or what tells it: a system or a team, no person's name",
        examples=["customer-success"],
    ),
]
_Note = Annotated[
    Annotated[str, Meta(max_length=LONGEST_NOTE, pattern=TEXT)] | None,
    Meta(
        description="free text for colleagues: never logged, erased with the entity, removed by retention",
        examples=["They move to another vendor."],
    ),
]
_Key = Annotated[
    Annotated[str, Meta(min_length=1, max_length=LONGEST_KEY, pattern=TEXT)] | None,
    Meta(
        description="your name of this note: another one of the same key corrects it. Without a key the same note is one that "
        "tells the same word and when from the same source",
        examples=["ticket-4711"],
    ),
]


class OutcomeRequest(msgspec.Struct, forbid_unknown_fields=True):
    """What came true of one account or lead."""

    outcome: _Outcome
    when: _When
    source: _Source
    note: _Note = None
    key: _Key = None


class ActionRequest(msgspec.Struct, forbid_unknown_fields=True):
    """What somebody did about one account or lead."""

    action: _Action
    when: _When
    source: _Source
    note: _Note = None
    key: _Key = None


class OutcomeRecord(OutcomeRequest, kw_only=True):
    """One outcome of many."""

    entity_id: _EntityId


class ActionRecord(ActionRequest, kw_only=True):
    """One action of many."""

    entity_id: _EntityId


class OutcomesRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Outcomes of many accounts or leads."""

    notes: Annotated[
        list[OutcomeRecord],
        Meta(
            min_length=1,
            max_length=MAX_NOTES,
            description="1 to 1,000; one that has a fault is answered in errors, and the others are stored",
        ),
    ]


class ActionsRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Actions about many accounts or leads."""

    notes: Annotated[
        list[ActionRecord],
        Meta(
            min_length=1,
            max_length=MAX_NOTES,
            description="1 to 1,000; one that has a fault is answered in errors, and the others are stored",
        ),
    ]


class NoteFault(msgspec.Struct):
    """One thing that is wrong with a note."""

    where: Annotated[str, Meta(description="note and key", examples=["note 3, when"])]
    found: Annotated[str, Meta(description="what is there", examples=["2027-01-01T00:00:00Z"])]
    rule: Annotated[str, Meta(description="what would be right", examples=["not after the clock"])]
    next_step: Annotated[str, Meta(description="what to do", examples=["tell it when it has happened"])]


class NoteError(msgspec.Struct):
    """A note that was not stored; the others are not affected."""

    index: Annotated[int, Meta(description="position of the note in the request, from 0", examples=[3])]
    entity_id: Annotated[str | None, Meta(description="whom it is about, where that can be read", examples=["acme"])]
    code: Annotated[
        str,
        Meta(
            description="stable name for programs",
            examples=["bad_note", "in_the_future", "no_such_outcome", "unknown_entity"],
        ),
    ]
    faults: Annotated[
        list[NoteFault],
        Meta(
            description="each thing that is wrong with it",
            examples=[
                [
                    {
                        "where": "note 3, when",
                        "found": "2027-01-01T00:00:00Z",
                        "rule": "not after the clock",
                        "next_step": "tell it when it has happened",
                    }
                ]
            ],
        ),
    ]


class NoteStored(msgspec.Struct):
    """A note that is in the store."""

    index: Annotated[int, Meta(description="position of the note in the request, from 0", examples=[0])]
    entity_id: Annotated[str, Meta(description="whom it is about", examples=["acme"])]
    id: Annotated[str, Meta(description="its id, to withdraw it", examples=["0b2f6c1d9a8e4f7733c5a1e2d4b6f809"])]
    state: Annotated[
        str,
        Meta(
            description="new; known: it was there already, nothing changed; corrected: it took the place of what was told before",
            examples=["new"],
            extra_json_schema={"enum": ["new", "known", "corrected"]},
        ),
    ]


class NotesAnswer(msgspec.Struct):
    """What became of each note, in the order of the request."""

    entity: Annotated[str, Meta(description="account or lead", examples=["account"])]
    results: Annotated[list[NoteStored], Meta(description="one for each note that is in the store")]
    errors: Annotated[list[NoteError], Meta(description="one for each note that is not")]
