"""The answer about connections."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct


class QueueShown(Struct):
    """What waits."""

    waiting: Annotated[int, Meta(description="how many, counted up to 20,000", examples=[12])]
    or_more: Annotated[bool, Meta(description="whether there may be more than were counted", examples=[False])]
    oldest_at: Annotated[
        str | None,
        Meta(description="since when the oldest waits, UTC; null: nothing waits", examples=["2026-11-23T06:00:00Z"]),
    ]


class LettersShown(Struct):
    """What was given up, and stays so until python -m serving dead-letters replay."""

    count: Annotated[int, Meta(description="how many, counted up to 20,000", examples=[0])]
    or_more: Annotated[bool, Meta(description="whether there may be more than were counted", examples=[False])]
    newest_at: Annotated[
        str | None,
        Meta(
            description="when the newest was, UTC; null: there is none, or it is not kept",
            examples=["2026-11-23T06:00:00Z"],
        ),
    ]
    why: Annotated[
        str | None,
        Meta(description="why the newest was given up, without values; null: there is none", examples=["HTTP 400"]),
    ]


class DeadLettersShown(Struct):
    """What was given up, by what it was."""

    scores: Annotated[LettersShown, Meta(description="scores that the CRM did not take")]
    events: Annotated[LettersShown, Meta(description="events that no row could be made of")]
    entities: Annotated[
        LettersShown, Meta(description="accounts and leads of the connection's source that cannot be scored")
    ]


class ConnectionShown(Struct):
    """One connection, with the settings of the process that answers and what the store has of it."""

    name: Annotated[str, Meta(description="the connection: the name of its TOML file", examples=["crm"])]
    vendor: Annotated[str | None, Meta(description="the CRM; null: its file has a fault", examples=["hubspot"])]
    source: Annotated[
        str | None,
        Meta(description="the source whose rows its events change; null: its file has a fault", examples=["sample"]),
    ]
    webhooks: Annotated[str, Meta(description="on, off (see faults), or none: this CRM sends none", examples=["on"])]
    write_back: Annotated[
        str,
        Meta(description="on, off (see faults when it should be on), or dry-run: queued and not sent", examples=["on"]),
    ]
    faults: Annotated[
        list[str],
        Meta(
            description="why it is off: where, what is there, the rule, the next step; no secret",
            examples=[["crm.toml, environment variable CRM_SECRET: is not set. Rule: ... Next: ..."]],
        ),
    ]
    inbox: Annotated[QueueShown, Meta(description="events that no worker has applied")]
    last_event_at: Annotated[
        str | None,
        Meta(description="when the newest event came, UTC; null: none came", examples=["2026-11-23T06:00:00Z"]),
    ]
    to_score: Annotated[
        int, Meta(description="accounts and leads of its source that wait for a score, up to 20,000", examples=[3])
    ]
    outbox: Annotated[QueueShown, Meta(description="scores that wait to be written into the CRM")]
    last_sent_at: Annotated[
        str | None,
        Meta(description="when the newest score was written, UTC; null: none was", examples=["2026-11-23T06:00:01Z"]),
    ]
    dead_letters: Annotated[DeadLettersShown, Meta(description="what was given up")]


class ConnectionsAnswer(Struct):
    """Every connection by name."""

    connections: Annotated[list[ConnectionShown], Meta(description="by name; empty: there is no TOML file")]
