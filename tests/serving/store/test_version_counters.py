"""Counters by which running processes learn that something they keep in memory changed."""

from __future__ import annotations

import pytest

from serving.store import version_counters
from serving.store.connect import Store

pytestmark = pytest.mark.both_databases


def test_each_change_counts_its_own_name_up(store: Store) -> None:
    with store.write() as connection:
        assert version_counters.of(connection, "keys") == 0
        for name in ("keys", "privacy", "keys"):
            version_counters.bump(connection, name)
        assert version_counters.of(connection, "keys") == 2
    with store.read() as connection:
        assert version_counters.read(connection) == {"keys": 2, "privacy": 1}


def test_a_change_that_is_rolled_back_counts_nothing(store: Store) -> None:
    def fail() -> None:
        with store.write() as connection:
            version_counters.bump(connection, "keys")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with store.read() as connection:
        assert version_counters.read(connection) == {}
