"""Sessions: how they begin, and what is kept of them."""

from __future__ import annotations

import pytest
from sqlalchemy import select, text

from serving.gateway.actor import OPEN, Actor
from serving.keys import repository as keys
from serving.keys import service as key_service
from serving.keys.service import Caller
from serving.sign_in import repository, service
from serving.sign_in.repository import HARD_US
from serving.sign_in.service import KeyEnded, Person, SignIn
from serving.store.connect import Store
from serving.store.tables import sessions
from tests.kit.audited import told
from tests.kit.inside import now_us

PEPPER = b"pepper"
SIGN_IN = SignIn(PEPPER)
NOW = 1_700_000_000_000_000
JANE = Person("oidc", "oidc:jane", "Jane", frozenset({"ui:read"}))


@pytest.mark.both_databases
class TestBegin:
    def test_the_store_has_a_hash_and_not_the_id(self, store: Store) -> None:
        session_id = service.begin(store, SIGN_IN, JANE, None, NOW)
        assert len(session_id) == 43  # 256 bits in base64url
        with store.read() as connection:
            rows = connection.execute(select(sessions)).all()
        assert session_id not in repr(rows)
        found = service.find(store, SIGN_IN, session_id, NOW)
        assert found is not None
        assert service.find(store, SignIn(b"another pepper"), session_id, NOW) is None
        assert service.find(store, SIGN_IN, found.id_hash, NOW) is None  # a thief of the store cannot use it

    def test_the_earlier_session_of_the_browser_ends(self, store: Store) -> None:
        first = service.begin(store, SIGN_IN, JANE, None, NOW)
        second = service.begin(store, SIGN_IN, JANE, first, NOW)
        assert service.find(store, SIGN_IN, first, NOW) is None
        assert service.find(store, SIGN_IN, second, NOW) is not None

    def test_the_row_of_the_sign_in_says_that_the_oldest_ended(
        self, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(repository, "MOST_SESSIONS", 1)
        first = service.begin(store, SIGN_IN, JANE, None, NOW)
        service.begin(store, SIGN_IN, JANE, None, NOW + 1)
        assert service.find(store, SIGN_IN, first, NOW) is None
        assert [after.get("oldest_ended") for *_, after in told(store, "sign_in")] == [None, 1]

    def test_an_id_that_a_browser_brings_is_never_taken_over(self, store: Store) -> None:
        planted = "p" * 43
        assert service.begin(store, SIGN_IN, JANE, planted, NOW) != planted
        assert service.find(store, SIGN_IN, planted, NOW) is None

    def test_a_key_that_was_revoked_in_this_moment_begins_nothing(self, store: Store) -> None:
        with store.write() as connection:
            _, key = key_service.create(connection, PEPPER, "jane", ["ui:read"], now_us())
        person = Person.of_key(Caller(key.id, "jane", frozenset({"ui:read", "score"})))
        assert person == Person("key", f"key:{key.id}", "jane", frozenset({"ui:read"}), key.id)
        service.begin(store, SIGN_IN, person, None, NOW)
        with store.write() as connection:
            keys.revoke(connection, key.id, now_us())
            connection.execute(text("DELETE FROM sessions"))
        with pytest.raises(KeyEnded):
            service.begin(store, SIGN_IN, person, None, NOW)
        with store.read() as connection:
            assert connection.execute(select(sessions)).all() == []

    def test_it_ends(self, store: Store) -> None:
        session_id = service.begin(store, SIGN_IN, JANE, None, NOW)
        found = service.find(store, SIGN_IN, session_id, NOW)
        assert found is not None
        assert service.end(store, found.id_hash)
        assert service.find(store, SIGN_IN, session_id, NOW) is None


class TestVisitors:
    def test_each_has_a_token_of_its_own(self) -> None:
        scopes = frozenset({"ui:read"})
        visitors = [
            SIGN_IN.open_visitor(),
            SIGN_IN.header_visitor("jane", scopes),
            SIGN_IN.header_visitor("joe", scopes),
        ]
        assert len({each.token for each in visitors}) == 3
        assert visitors[0].actor == OPEN
        assert visitors[1].actor == Actor("person", "header:jane", "jane")
        assert SIGN_IN.header_visitor("jane", scopes).token == visitors[1].token
        assert SignIn(b"another pepper").open_visitor().token != visitors[0].token

    def test_who_is_named_again_within_twelve_hours_is_not_new(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(service, "MOST_NAMED", 2)
        sign_in = SignIn(PEPPER)
        assert [sign_in.is_new("jane", NOW), sign_in.is_new("jane", NOW + 1), sign_in.is_new("joe", NOW)] == [
            True,
            False,
            True,
        ]
        assert sign_in.is_new("jane", NOW + HARD_US)
        assert sign_in.is_new("jim", NOW + HARD_US)
        assert len(sign_in._named) == 2

    def test_tokens_are_not_in_what_is_printed(self) -> None:
        visitor = SIGN_IN.open_visitor()
        assert visitor.token not in repr(visitor)
