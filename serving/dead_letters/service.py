"""Puts what was given up back into the queues of a connection: write-backs, events, and entities that could not be scored.

The command and the page do the same, and each leaves one row of the audit log, in the transaction of the change.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import Connection

from serving.audit_log import repository as audit_log
from serving.audit_log.entry import Entry, Who
from serving.inbox import repository as inbox
from serving.outbox import repository as outbox
from serving.store.connect import Store
from serving.worker import set_aside


@dataclass(frozen=True)
class PutBack:
    """How many wait again."""

    scores: int
    """Scores that the CRM did not take."""
    events: int
    """Events that no row could be made of."""
    entities: int
    """Accounts and leads of the connection's source that could not be scored."""

    @property
    def total(self) -> int:
        return self.scores + self.events + self.entities


def replay(
    store: Store, who: Who, connection: str, source: str | None, now_us: int, entity_ids: Sequence[str] = ()
) -> PutBack:
    """Put the dead letters of a connection back; of some entities alone where ids are given, and then no events.

    `source`: that of the connection, None where its file cannot be read. `now_us`: system time, from which they are due.
    The row of the audit log counts and names nobody. Raises `StoreAway`; nothing was put back then.
    """
    with store.write() as writing:
        done = _replay(writing, connection, source, now_us, entity_ids)
        after = asdict(done) | ({"of_entities": len(set(entity_ids))} if entity_ids else {})
        audit_log.append(writing, Entry(who, "replay", "connection", connection, None, after), now_us)
    return done


def _replay(
    writing: Connection, connection: str, source: str | None, now_us: int, entity_ids: Sequence[str]
) -> PutBack:
    scores = outbox.replay(writing, connection, now_us, entity_ids)
    entities = 0 if source is None else set_aside.retry(writing, source, entity_ids)
    return PutBack(scores, 0 if entity_ids else inbox.retry(writing, connection), entities)
