"""How the answer of a request with an Idempotency-Key gets into the transaction of what the request did."""

from __future__ import annotations

from sqlalchemy import Connection
from starlette.types import Scope

from serving.idempotency import repository

_IN_SCOPE = "accountscore.keep"


class Keep:
    """Keeps the answer under its key. Called in the transaction that commits what is answered."""

    def __init__(self, key_hash: str) -> None:
        self._key_hash = key_hash
        self.done = False
        self.wanted = True
        """False for an answer that names somebody who was erased: it is not kept, and a repetition is worked on anew."""

    def __call__(self, connection: Connection, status: int, content_type: str, body: bytes) -> None:
        repository.finish(connection, self._key_hash, status, content_type, body)
        self.done = True


def with_keep(scope: Scope, keep: Keep) -> Scope:
    """The request, with a way to keep its answer."""
    return {**scope, _IN_SCOPE: keep}


def keep_of(scope: Scope) -> Keep | None:
    """None when the request has no Idempotency-Key."""
    keep: Keep | None = scope.get(_IN_SCOPE)
    return keep
