"""The table of sessions, on both databases: when a session is over."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import select

from serving.keys import repository as keys
from serving.keys import service as key_service
from serving.sign_in import repository
from serving.sign_in.repository import HARD_US, IDLE_US, Session
from serving.store.connect import Store
from serving.store.tables import sessions

pytestmark = pytest.mark.both_databases
NOW = 1_700_000_000_000_000
ONE = Session("hash", "oidc", None, "oidc:j.doe", "J. Doe", "ui:read", NOW, NOW, NOW + HARD_US)


def put(store: Store, session: Session) -> None:
    with store.write() as connection:
        repository.put(connection, session)


def find(store: Store, now_us: int, system_us: int = NOW) -> Session | None:
    with store.read() as connection:
        return repository.find(connection, "hash", now_us, system_us)


class TestFind:
    def test_it_lives_until_it_was_idle_for_an_hour(self, store: Store) -> None:
        put(store, ONE)
        assert find(store, NOW + IDLE_US - 1) == ONE
        assert find(store, NOW + IDLE_US) is None

    def test_use_keeps_it_alive_but_never_beyond_twelve_hours(self, store: Store) -> None:
        put(store, ONE)
        with store.write() as connection:
            repository.see(connection, "hash", NOW + HARD_US - 1)
            repository.see(connection, "hash", NOW)  # a late writer takes nothing back
        assert find(store, NOW + HARD_US - 1) == replace(ONE, seen_at=NOW + HARD_US - 1)
        assert find(store, NOW + HARD_US) is None

    def test_one_of_a_key_ends_with_the_key(self, store: Store) -> None:
        with store.write() as connection:
            _, key = key_service.create(connection, b"pepper", "j.doe", ["ui:read"], NOW, days=1)
        put(store, replace(ONE, how="key", key_id=key.id))
        assert find(store, NOW) is not None
        assert key.expires_at is not None
        assert find(store, NOW, key.expires_at - 1) is not None
        assert find(store, NOW, key.expires_at) is None
        with store.write() as connection:
            keys.revoke(connection, key.id, NOW)
        assert find(store, NOW) is None

    def test_one_of_a_key_that_is_not_there_is_none(self, store: Store) -> None:
        put(store, replace(ONE, key_id="gone"))
        assert find(store, NOW) is None

    def test_an_end_is_final(self, store: Store) -> None:
        put(store, ONE)
        with store.write() as connection:
            assert repository.end(connection, "hash")
            assert not repository.end(connection, "hash")
        assert find(store, NOW) is None


class TestPut:
    def test_it_removes_those_that_are_over(self, store: Store) -> None:
        put(store, replace(ONE, id_hash="idle", seen_at=NOW - IDLE_US, created_at=NOW - IDLE_US))
        put(store, replace(ONE, id_hash="old", ends_at=NOW))
        put(store, replace(ONE, id_hash="live"))
        put(store, ONE)
        with store.read() as connection:
            assert set(connection.execute(select(sessions.c.id_hash)).scalars()) == {"live", "hash"}

    def test_of_a_person_with_too_many_the_oldest_end(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(repository, "MOST_SESSIONS", 3)
        put(store, replace(ONE, id_hash="of another", person="oidc:k.roe", created_at=NOW - 9))
        began = {"c": 3, "a": 1, "b": 2}
        for name, second in began.items():
            put(store, replace(ONE, id_hash=name, created_at=NOW + second))
        with store.write() as connection:
            assert repository.put(connection, replace(ONE, id_hash="d", created_at=NOW + 4)) == 1
            left = set(connection.execute(select(sessions.c.id_hash)).scalars())
        assert left == {"of another", "b", "c", "d"}

    def test_the_new_one_stays_whatever_the_clock_says(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(repository, "MOST_SESSIONS", 2)
        for name, second in (("a", 5), ("b", 6)):
            put(store, replace(ONE, id_hash=name, created_at=NOW + second))
        put(store, ONE)
        assert find(store, NOW) == ONE
