"""API keys: 256 random bits, shown once, looked up by their public part and compared by a keyed hash."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Connection

from features.kit import atomic_files
from features.kit.clock import DAY_US
from features.kit.errors import UserMistake
from serving.audit_log.entry import Who
from serving.keys import repository
from serving.keys.repository import StoredKey

SCOPES = {
    "score": "ask for scores",
    "read": "read models, scores given and why they changed",
    "override": "put a person's judgement beside a score",
    "privacy": "objections and erasure",
    "metrics": "read /metrics",
    "ui:read": "sign in to the page and read it",
    "ui:act": "change things on the page: overrides, notes",
    "feedback": "tell what was done and what came of it: actions and outcomes",
    "admin": "everything else, now and later",
}
PREFIX = "as_"
LIVE_AT_ONCE = 2
"""Live keys per name: the old and the new one, while callers switch."""
PEPPER = "api-keys.pepper"


@dataclass(frozen=True)
class Caller:
    """The holder of a key, and what it may do."""

    id: str
    name: str
    scopes: frozenset[str]
    requests_per_minute: int | None = None

    def may(self, scope: str) -> bool:
        return scope in self.scopes


def create(
    connection: Connection,
    pepper: bytes,
    name: str,
    scopes: Sequence[str],
    now_us: int,
    days: int | None = None,
    requests_per_minute: int | None = None,
    by: Who | None = None,
) -> tuple[str, StoredKey]:
    """A new key as text, which must be shown now because it is not stored, and its row. Raises `UserMistake` for an
    unknown scope, a bad name, or a name with two live keys."""
    unknown = sorted(set(scopes) - SCOPES.keys())
    if unknown or not scopes:
        said = f"scope {unknown[0]!r} is none" if unknown else "no scope is given"
        raise UserMistake(f"{said}: some of {', '.join(SCOPES)}")
    if not (1 <= len(name) <= 60 and name.isprintable()):
        raise UserMistake("the name of a key's holder has 1 to 60 printable characters")
    live = [key for key in repository.all_of(connection, name) if key.is_live(now_us)]
    if len(live) >= LIVE_AT_ONCE:
        raise UserMistake(
            f"{name!r} has {len(live)} live keys ({', '.join(key.id for key in live)}): revoke one, then make the new one"
        )
    key_id, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    expires = None if days is None else now_us + days * DAY_US
    stored = StoredKey(
        key_id, name, hash_of(pepper, secret), " ".join(sorted(set(scopes))), requests_per_minute, now_us, expires, None
    )
    repository.put(connection, stored, by)
    return f"{PREFIX}{key_id}_{secret}", stored


def hash_of(pepper: bytes, secret: str) -> str:
    """HMAC-SHA-256 in hex. A slow hash is for guessable secrets; 256 random bits are not guessable."""
    return hmac.digest(pepper, secret.encode("utf-8"), hashlib.sha256).hex()


def read_pepper(home: Path) -> bytes:
    """The key of the hashes: `ACCOUNTSCORE_KEY_PEPPER`, or a file of the home that only its owner may read.

    With it, a thief of the store alone cannot even test a key. The file is made when it is first needed; two processes
    at once end up with the same. Raises `UserMistake` for a variable of fewer than 32 characters.
    """
    told = os.environ.get("ACCOUNTSCORE_KEY_PEPPER")
    if told:
        if len(told) < 32:
            raise UserMistake("ACCOUNTSCORE_KEY_PEPPER has fewer than 32 characters: take 32 random ones or more")
        return told.encode()
    path = home / PEPPER
    try:
        return path.read_bytes()
    except FileNotFoundError:
        atomic_files.write_once(path, secrets.token_hex(32).encode())
    return path.read_bytes()


@dataclass(frozen=True)
class KeyRing:
    """The live keys in memory. Immutable: a change makes a new ring."""

    pepper: bytes = field(repr=False)
    keys: Mapping[str, tuple[str, int | None, Caller]] = field(default_factory=dict, repr=False)
    needed: bool = False
    """Whether a key was ever made."""

    @classmethod
    def load(cls, connection: Connection, pepper: bytes, now_us: int) -> KeyRing:
        found = {
            key.id: (
                key.hash,
                key.expires_at,
                Caller(key.id, key.name, frozenset(key.scopes.split()), key.requests_per_minute),
            )
            for key in repository.live(connection, now_us)
        }
        return cls(pepper, found, repository.ever(connection))

    def caller(self, token: str, now_us: int) -> Caller | None:
        """The holder of a key; None for one that is malformed, unknown, wrong, revoked or expired."""
        if not token.startswith(PREFIX):
            return None
        key_id, _, secret = token[len(PREFIX) :].partition("_")
        held = self.keys.get(key_id)
        if held is None:
            return None
        expected, expires, caller = held
        if not hmac.compare_digest(expected, hash_of(self.pepper, secret)):
            return None
        return caller if expires is None or now_us < expires else None
