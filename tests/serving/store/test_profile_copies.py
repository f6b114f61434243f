"""Copies of the profile for lists: what they are, and that they change only with it."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from serving.store.connect import Store
from serving.store.profile_copies import COPIES, NONE, copies_among, copies_of, renew
from serving.store.tables import profiles
from tests.kit.list_rows import NOW_US, put

ROW = {"name": "  ACME Straße ", "domain": "acme.com", "owner": "j.doe", "renewal_at": 5, "acted_at": 6}


def test_names_are_compared_without_case() -> None:
    assert copies_of(ROW)["name_key"] == "acme strasse"
    assert copies_of({**ROW, "name": "  "})["name_key"] is None
    assert copies_of(ROW).keys() == NONE.keys() == set(COPIES)


@pytest.mark.both_databases
class TestStored:
    def test_ids_without_a_profile_have_none(self, store: Store) -> None:
        put(store, [{"entity_id": "acme", "name": "Acme"}])
        with store.read() as connection:
            found = copies_among(connection, "account", ["acme", "stranger"])
        assert found["acme"]["name_key"] == "acme"
        assert found["stranger"] == NONE

    def test_what_did_not_change_is_not_written(self, store: Store) -> None:
        """The indexes of a million leads are not written each night because a profile has a new `as_of`."""
        put(store, [{"entity_id": "acme", "name": "Acme", "owner": "j"}])
        with store.write() as connection:
            row = dict(connection.execute(profiles.select()).mappings().one())
            connection.execute(text("UPDATE latest_scores SET name_key = 'mark'"))
            renew(connection, "account", [{**row, "as_of": NOW_US + 1}])
            assert connection.execute(text("SELECT name_key FROM latest_scores")).scalar() == "mark"
            renew(connection, "account", [{**row, "as_of": NOW_US + 1, "owner": "k"}])
            assert connection.execute(text("SELECT name_key, owner FROM latest_scores")).one() == ("acme", "k")

    def test_a_new_action_of_the_source_is_copied(self, store: Store) -> None:
        put(store, [{"entity_id": "acme"}])
        put(store, [{"entity_id": "acme", "as_of_us": NOW_US + 1, "acted_at": NOW_US}])
        with store.read() as connection:
            assert connection.execute(text("SELECT acted_at FROM latest_scores")).scalar() == NOW_US
