"""Signed cursors of lists: where a page ended, and the list that it belongs to.

A cursor is checked by HMAC-SHA-256 under the home's pepper, so that nobody can make one up, or carry one from a list that
he may see to a place in another.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass

import msgspec

from serving.errors import Invalid, invalid

_PURPOSE = b"accountscore list cursor 1"
_MAC_BYTES = 16
LONGEST = 8_000
"""Characters; a list with all filters and a name of 200 characters has fewer."""


class Position(msgspec.Struct, array_like=True, frozen=True):
    """The last row of a page."""

    list: str
    """`ListQuery.canonical` of its list."""
    now_us: int
    """The clock of its first page: what renews within 30 days is the same on every page."""
    piece: int
    """0: rows that have a value in the sorted column; 1: those without, which come last."""
    key: str | int | float | None
    """The value in the sorted column."""
    entity_id: str


@dataclass(frozen=True)
class Signer:
    """Signs the cursors of one home."""

    key: bytes

    @classmethod
    def of(cls, pepper: bytes) -> Signer:
        """The key is derived, so that no cursor says anything about the hash of an API key."""
        return cls(hmac.digest(pepper, _PURPOSE, hashlib.sha256))

    def mac(self, content: bytes) -> bytes:
        return hmac.digest(self.key, content, hashlib.sha256)[:_MAC_BYTES]


def write(position: Position, signer: Signer) -> str:
    """A cursor as text for a URL."""
    content = msgspec.json.encode(position)
    return base64.urlsafe_b64encode(signer.mac(content) + content).decode().rstrip("=")


def read(text: str, signer: Signer) -> Position:
    """The position. Raises `Invalid` for a cursor that this home did not sign, or that was changed."""
    try:
        raw = (
            base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
            if len(text) <= LONGEST
            else b""
        )
    except (binascii.Error, ValueError):
        raw = b""
    mac, content = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
    if not content or not hmac.compare_digest(mac, signer.mac(content)):
        raise bad("it was changed, or comes from another home")
    try:
        return msgspec.json.decode(content, type=Position)
    except msgspec.DecodeError:  # one of another version
        raise bad("it is of another version") from None


def bad(why: str) -> Invalid:
    """The refusal of a cursor."""
    rule = "a cursor is the next_cursor of an answer of the same list, with the same filters and the same sort"
    return invalid("bad_cursor", "cursor", why, rule, "ask without it: that is the first page")


def belongs(position: Position, canonical: str) -> None:
    """Raises `Invalid` for a cursor of another list."""
    if position.list != canonical:
        raise bad("it is of a list with another model, filters or sort")
