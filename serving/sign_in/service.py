"""Who a visitor of the page is: sessions from an API key or an identity provider, or a person whom a proxy names."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from features.kit.clock import SECOND_US, system_us
from serving.audit_log import repository as audit_log
from serving.audit_log.entry import Entry
from serving.gateway.actor import API, OPEN, Actor
from serving.keys.service import Caller
from serving.sign_in import repository
from serving.sign_in.attempts import Attempts
from serving.sign_in.forms import token_for
from serving.sign_in.repository import HARD_US, Session
from serving.sign_in_settings import PERSON_SCOPES
from serving.store.connect import Store

if TYPE_CHECKING:
    from serving.sign_in.oidc import Provider

SEEN_EVERY_US = 60 * SECOND_US
"""A session's last use is written at most this often, so that reading a page writes nothing."""
LONGEST_NAME = 200
MOST_NAMED = 10_000


@dataclass(frozen=True)
class Visitor:
    """Who looks at the page."""

    actor: Actor
    how: str
    """open, key, header or oidc."""
    scopes: frozenset[str]
    token: str = field(repr=False)
    """Goes into every form as the field `token`."""
    session: str | None = field(default=None, repr=False)
    """Hash of the session's id, where there is one."""


class SignIn:
    """State of signing in, of one process."""

    def __init__(self, pepper: bytes, provider: Provider | None = None) -> None:
        self.pepper, self.provider = pepper, provider
        self.attempts = Attempts()
        self._named: dict[str, int] = {}

    def open_visitor(self) -> Visitor:
        """Anybody on loopback, while no key was ever made."""
        return Visitor(OPEN, "open", frozenset(PERSON_SCOPES), token_for(self.pepper, "open"))

    def header_visitor(self, name: str, scopes: frozenset[str]) -> Visitor:
        """The person whom a listed proxy names."""
        person = f"header:{name}"
        return Visitor(Actor("person", person, name), "header", scopes, token_for(self.pepper, person))

    def is_new(self, person: str, now_us: int) -> bool:
        """Whether a proxy names this person for the first time in twelve hours, in this process: that counts as a
        sign-in. Remembers the newest 10,000.
        """
        before = self._named.get(person)
        if before is not None and 0 <= now_us - before < HARD_US:
            return False
        self._named.pop(person, None)
        self._named[person] = now_us
        if len(self._named) > MOST_NAMED:
            del self._named[next(iter(self._named))]
        return True

    def session_visitor(self, session: Session) -> Visitor:
        actor = Actor("person", session.person, session.name)
        token = token_for(self.pepper, f"session:{session.id_hash}")
        return Visitor(actor, session.how, frozenset(session.scopes.split()), token, session.id_hash)

    def hash_of(self, session_id: str) -> str:
        """Keyed, as the hashes of API keys are."""
        return hmac.digest(self.pepper, b"session\n" + session_id.encode(), hashlib.sha256).hex()


@dataclass(frozen=True)
class Person:
    """Somebody who has shown who they are, and is about to get a session."""

    how: str
    id: str
    name: str
    scopes: frozenset[str]
    key_id: str | None = None

    @classmethod
    def of_key(cls, key: Caller) -> Person:
        return cls("key", f"key:{key.id}", key.name, key.scopes & set(PERSON_SCOPES), key.id)

    @property
    def actor(self) -> Actor:
        return Actor("person", self.id, self.name)


class KeyEnded(Exception):
    """Raised when a key was revoked while it was used to sign in; nothing was stored."""


def begin(store: Store, sign_in: SignIn, person: Person, earlier: str | None, now_us: int) -> str:
    """Begin a session and end the earlier one of this browser. Returns the new session's id, which is for the cookie
    alone. The id is always new: one that a browser brings is never taken over.

    Raises `KeyEnded` when the key ended in this moment.
    """
    session_id = secrets.token_urlsafe(32)
    id_hash = sign_in.hash_of(session_id)
    session = Session(
        id_hash,
        person.how,
        person.key_id,
        person.id,
        person.name,
        " ".join(sorted(person.scopes)),
        now_us,
        now_us,
        now_us + HARD_US,
    )
    with store.write() as connection:
        if earlier is not None:
            repository.end(connection, sign_in.hash_of(earlier))
        ended = repository.put(connection, session)
        if repository.find(connection, id_hash, now_us, system_us()) is None:
            raise KeyEnded
        after = {"how": person.how, "scopes": sorted(person.scopes), "until": session.ends_at}
        after |= {"oldest_ended": ended} if ended else {}
        audit_log.append(connection, Entry(person.actor, "sign_in", "page", None, None, after), now_us)
    return session_id


def note_named(connection: Connection, visitor: Visitor, now_us: int) -> None:
    """Add the sign-in of a person whom a proxy names to the audit log, for `GroupWriter.submit`."""
    after = {"how": visitor.how, "scopes": sorted(visitor.scopes)}
    audit_log.append(connection, Entry(visitor.actor, "sign_in", "page", None, None, after), now_us)


def note_refused(store: Store, how: str, outcome: str, now_us: int) -> None:
    """Add a refused sign-in to the audit log. Nothing of what was sent is in it."""
    with store.write() as connection:
        after = {"how": how, "outcome": outcome}
        audit_log.append(connection, Entry(API, "sign_in_refused", "page", None, None, after), now_us)


def find(store: Store, sign_in: SignIn, session_id: str, now_us: int) -> Session | None:
    """The session of a cookie; None for one that is unknown or has ended."""
    with store.read() as connection:
        return repository.find(connection, sign_in.hash_of(session_id), now_us, system_us())


def end(store: Store, id_hash: str) -> bool:
    """End a session: sign out."""
    with store.write() as connection:
        return repository.end(connection, id_hash)


def see(connection: Connection, id_hash: str, now_us: int) -> None:
    """Note that a session was used, for `GroupWriter.submit`."""
    repository.see(connection, id_hash, now_us)
