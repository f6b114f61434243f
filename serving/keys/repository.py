"""The table of API keys. It has a keyed hash of each key, never the key."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, func, insert, or_, select, update

from serving.audit_log import repository as audit_log
from serving.audit_log.entry import Entry, Who, command
from serving.store.tables import api_keys
from serving.store.version_counters import bump

GENERATION = "keys"


@dataclass(frozen=True)
class StoredKey:
    """One key. Times are microseconds since 1970 UTC; None means never."""

    id: str
    name: str
    hash: str
    scopes: str
    requests_per_minute: int | None
    created_at: int
    expires_at: int | None
    revoked_at: int | None

    def is_live(self, now_us: int) -> bool:
        return self.revoked_at is None and (self.expires_at is None or now_us < self.expires_at)


_columns = [api_keys.c[name] for name in StoredKey.__dataclass_fields__]


def put(connection: Connection, key: StoredKey, by: Who | None = None) -> None:
    """Store a new key. `by` made it; by default the user of the command."""
    connection.execute(insert(api_keys), [key.__dict__])
    bump(connection, GENERATION)
    who = by or command("keys create")
    audit_log.append(connection, Entry(who, "key_created", "key", key.id, None, _told(key)), key.created_at)


def revoke(connection: Connection, key_id: str, now_us: int, by: Who | None = None) -> bool:
    """End a key. False when there is none of that id or it was revoked before."""
    where = (api_keys.c.id == key_id, api_keys.c.revoked_at.is_(None))
    done = connection.execute(update(api_keys).where(*where).values(revoked_at=now_us).returning(*_columns)).first()
    bump(connection, GENERATION)
    if done is not None:
        told = _told(StoredKey(**done._mapping))
        before, after = {**told, "revoked_at": None}, {**told, "revoked_at": now_us}
        who = by or command("keys revoke")
        audit_log.append(connection, Entry(who, "key_revoked", "key", key_id, before, after), now_us)
    return done is not None


def _told(key: StoredKey) -> dict[str, object]:
    """What the audit log says of a key."""
    return {name: getattr(key, name) for name in ("name", "scopes", "requests_per_minute", "expires_at")}


def all_of(connection: Connection, name: str | None = None) -> list[StoredKey]:
    """Every key, also revoked ones, the oldest first; of one holder with `name`."""
    query = select(*_columns).order_by(api_keys.c.created_at, api_keys.c.id)
    if name is not None:
        query = query.where(api_keys.c.name == name)
    return [StoredKey(**row._mapping) for row in connection.execute(query)]


def live(connection: Connection, now_us: int) -> list[StoredKey]:
    not_over = or_(api_keys.c.expires_at.is_(None), api_keys.c.expires_at > now_us)
    query = select(*_columns).where(api_keys.c.revoked_at.is_(None), not_over)
    return [StoredKey(**row._mapping) for row in connection.execute(query)]


def ever(connection: Connection) -> bool:
    """Whether a key was ever made. From then on the API requires keys, even if all are revoked."""
    return bool(connection.execute(select(func.count()).select_from(api_keys)).scalar_one())
