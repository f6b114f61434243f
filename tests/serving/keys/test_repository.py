"""API keys as they are stored."""

from __future__ import annotations

from dataclasses import replace

import pytest

from serving.keys import repository as keys
from serving.keys.repository import StoredKey
from serving.store import version_counters
from serving.store.connect import Store

KEY = StoredKey("a1", "crm", "0" * 64, "read score", None, 10, 50, None)
FOREVER = replace(KEY, id="b2", created_at=5, expires_at=None)

pytestmark = pytest.mark.both_databases


def put(store: Store, *found: StoredKey) -> None:
    with store.write() as connection:
        for key in found:
            keys.put(connection, key)


def test_a_key_is_live_until_it_ends_or_is_revoked(store: Store) -> None:
    put(store, KEY, FOREVER, replace(KEY, id="c3", revoked_at=20))
    assert [KEY.is_live(now) for now in (49, 50)] == [True, False]
    with store.read() as connection:
        assert {key.id for key in keys.live(connection, 49)} == {"a1", "b2"}
        assert [key.id for key in keys.live(connection, 50)] == ["b2"]


def test_keys_are_listed_the_oldest_first_and_by_their_holder(store: Store) -> None:
    put(store, KEY, FOREVER, replace(KEY, id="c3", name="other"))
    with store.read() as connection:
        assert keys.all_of(connection) == [FOREVER, KEY, replace(KEY, id="c3", name="other")]
        assert keys.all_of(connection, "other") == [replace(KEY, id="c3", name="other")]


def test_a_key_is_revoked_once_and_its_moment_stays(store: Store) -> None:
    put(store, KEY)
    with store.write() as connection:
        assert keys.revoke(connection, "a1", 20)
        assert not keys.revoke(connection, "a1", 30)
        assert not keys.revoke(connection, "nobody", 30)
        assert [key.revoked_at for key in keys.all_of(connection)] == [20]


def test_a_key_that_was_ever_made_is_remembered_and_each_change_is_told(store: Store) -> None:
    with store.read() as connection:
        assert not keys.ever(connection)
    put(store, replace(KEY, revoked_at=11))
    with store.write() as connection:
        assert keys.ever(connection)
        assert version_counters.of(connection, keys.GENERATION) == 1
        keys.revoke(connection, "a1", 20)
        assert version_counters.of(connection, keys.GENERATION) == 2
