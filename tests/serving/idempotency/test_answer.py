"""The answer of a request with an Idempotency-Key, kept in the transaction of what the request did."""

from __future__ import annotations

from starlette.types import Scope

from serving.idempotency import repository
from serving.idempotency.answer import Keep, keep_of, with_keep
from serving.store.connect import Store


def test_a_request_carries_the_way_to_keep_its_answer_and_the_first_is_not_changed() -> None:
    scope: Scope = {"type": "http", "path": "/"}
    keep = Keep("hash")
    assert keep_of(scope) is None
    assert keep_of(with_keep(scope, keep)) is keep
    assert keep_of(scope) is None


def test_an_answer_is_kept_with_the_callers_transaction_or_not_at_all(store: Store) -> None:
    keep = Keep("hash")
    with store.write() as connection:
        assert repository.begin(connection, "hash", "print", 1) is None
    with store.write() as connection:
        keep(connection, 200, "application/json", b"{}")
        connection.rollback()
    with store.write() as connection:
        first = repository.begin(connection, "hash", "print", 2)
        assert first is not None
        assert first.status is None
        keep(connection, 200, "application/json", b"{}")
        again = repository.begin(connection, "hash", "print", 3)
    assert keep.done
    assert again is not None
    assert (again.status, again.content_type, again.body) == (200, "application/json", b"{}")
