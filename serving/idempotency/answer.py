"""Stores the answer to a request with an Idempotency-Key in the transaction of the request's own writes."""

from __future__ import annotations

from sqlalchemy import Connection
from starlette.types import Scope

from serving.idempotency import repository

_IN_SCOPE = "accountscore.keep"


class Keep:
    """Stores the answer under its key. Called in the transaction of the request's writes."""

    def __init__(self, key_hash: str) -> None:
        self._key_hash = key_hash
        self.done = False
        self.wanted = True
        """False for an answer that names an erased entity: it is not stored, and a repetition is scored again."""

    def __call__(self, connection: Connection, status: int, content_type: str, body: bytes) -> None:
        repository.finish(connection, self._key_hash, status, content_type, body)
        self.done = True


def with_keep(scope: Scope, keep: Keep) -> Scope:
    """The request's scope, with `keep` in it."""
    return {**scope, _IN_SCOPE: keep}


def keep_of(scope: Scope) -> Keep | None:
    """The request's `Keep`; None when it has no Idempotency-Key."""
    keep: Keep | None = scope.get(_IN_SCOPE)
    return keep
