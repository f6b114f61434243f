"""The table of sessions. It has a keyed hash of each session's id, never the id."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, and_, delete, insert, or_, select, update

from features.kit.clock import SECOND_US
from serving.store.tables import api_keys, sessions

IDLE_US = 3600 * SECOND_US
"""A session ends after this long without a request."""
HARD_US = 12 * 3600 * SECOND_US
"""A session ends this long after the sign-in, whatever the person does."""


MOST_SESSIONS = 50
"""Sessions of one person at a time. Nobody has as many browsers; a key that a whole team pastes is one person here."""


@dataclass(frozen=True)
class Session:
    """One session. Times are microseconds since 1970 UTC of the product's clock."""

    id_hash: str
    how: str
    key_id: str | None
    person: str
    name: str
    scopes: str
    created_at: int
    seen_at: int
    ends_at: int


_columns = [sessions.c[name] for name in Session.__dataclass_fields__]


def put(connection: Connection, session: Session) -> int:
    """Store a new session, and remove those that are over. Beyond `MOST_SESSIONS` of its person the oldest end; returns
    how many."""
    over = or_(sessions.c.ends_at <= session.created_at, sessions.c.seen_at <= session.created_at - IDLE_US)
    connection.execute(delete(sessions).where(over))
    connection.execute(insert(sessions), [session.__dict__])
    newest = (
        select(sessions.c.id_hash)
        .where(sessions.c.person == session.person, sessions.c.id_hash != session.id_hash)
        .order_by(sessions.c.created_at.desc(), sessions.c.id_hash)
        .limit(MOST_SESSIONS - 1)
    )
    kept = [session.id_hash, *connection.execute(newest).scalars()]
    if len(kept) < MOST_SESSIONS:
        return 0
    others = (sessions.c.person == session.person, sessions.c.id_hash.not_in(kept))
    return connection.execute(delete(sessions).where(*others)).rowcount


def find(connection: Connection, id_hash: str, now_us: int, system_us: int) -> Session | None:
    """A session that has not ended. One of a key ends with it: `system_us` is the clock of keys."""
    key_lives = and_(
        api_keys.c.revoked_at.is_(None), or_(api_keys.c.expires_at.is_(None), api_keys.c.expires_at > system_us)
    )
    of_key = select(api_keys.c.id).where(api_keys.c.id == sessions.c.key_id, key_lives).exists()
    asked = select(*_columns).where(
        sessions.c.id_hash == id_hash,
        sessions.c.ends_at > now_us,
        sessions.c.seen_at > now_us - IDLE_US,
        or_(sessions.c.key_id.is_(None), of_key),
    )
    row = connection.execute(asked).first()
    return None if row is None else Session(**row._mapping)


def see(connection: Connection, id_hash: str, now_us: int) -> None:
    """Note that a session was used. A time before the one that is there changes nothing."""
    where = (sessions.c.id_hash == id_hash, sessions.c.seen_at < now_us)
    connection.execute(update(sessions).where(*where).values(seen_at=now_us))


def end(connection: Connection, id_hash: str) -> bool:
    """End a session. False when there is none."""
    return bool(connection.execute(delete(sessions).where(sessions.c.id_hash == id_hash)).rowcount)
