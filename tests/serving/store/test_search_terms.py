"""Words and segments of profiles: found by what begins with them, and gone with the profile."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from serving.privacy import repository as privacy
from serving.profiles import repository as profiles
from serving.profiles.repository import Profile
from serving.store.connect import Store
from serving.store.deletions import forget_scores
from serving.store.search_terms import LONGEST, add_terms, search_text, terms_of, words
from serving.store.tables import profile_terms


def terms(store: Store) -> list[tuple[str, str]]:
    with store.read() as connection:
        rows = connection.execute(select(profile_terms.c.entity_id, profile_terms.c.term))
        return sorted((entity_id, term) for entity_id, term in rows)


def store_profile(store: Store, entity_id: str, as_of: int = 1, **given: Any) -> None:
    with store.write() as connection:
        profiles.put(connection, [Profile("account", entity_id, as_of, **given)])


class TestWords:
    def test_they_are_without_case_and_edges(self) -> None:
        assert words("  «ACME»  Straße, (Ltd.) ") == ["acme", "strasse", "ltd"]

    def test_a_compound_is_found_by_each_part(self) -> None:
        assert words("O'Reilly-Auto") == ["o'reilly-auto", "reilly", "auto"]

    def test_a_top_level_domain_is_no_word_of_its_own(self) -> None:
        assert search_text(None, "acme-tools.com") == " acme-tools.com tools"
        assert search_text(None, "localhost") == " localhost"

    def test_nothing_and_punctuation_have_none(self) -> None:
        assert words(None) == words("") == words(" -- ! ") == []

    def test_a_very_long_word_is_cut(self) -> None:
        assert words("x" * 5000) == ["x" * LONGEST]

    def test_what_the_store_does_not_keep_is_replaced(self) -> None:
        assert terms_of("a\x00b", None, {"i\ud800": "v\x00"}) == {"w:a\ufffdb", "w:b", "s:i\ufffd\x1fv\ufffd"}


@pytest.mark.both_databases
class TestStored:
    def test_a_profile_brings_its_terms_and_takes_them_when_it_changes(self, store: Store) -> None:
        store_profile(store, "1", name="Acme Ltd", segments={"industry": "food"})
        store_profile(store, "2", name="Acme")
        store_profile(store, "1", 2, name="Zeta Ltd", segments={"industry": "steel"})
        assert terms(store) == [("1", "s:industry\x1fsteel"), ("1", "w:ltd"), ("1", "w:zeta"), ("2", "w:acme")]

    def test_an_unchanged_profile_writes_nothing(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        store_profile(store, "1", name="Acme")
        given: list[object] = []
        monkeypatch.setattr("serving.store.profile_copies.add_terms", lambda _connection, rows: given.extend(rows))
        store_profile(store, "1", 2, name="Acme", plan="team")
        assert given == []
        assert len(terms(store)) == 1

    def test_adding_a_term_twice_is_harmless(self, store: Store) -> None:
        for _ in range(2):
            with store.write() as connection:
                add_terms(connection, [("account", "w:a", "1")])
        assert len(terms(store)) == 1

    def test_erasure_deletion_and_retention_take_them(self, store: Store) -> None:
        for entity_id in ("erased", "deleted", "old"):
            store_profile(store, entity_id, name=f"Acme {entity_id}", domain="acme.com", segments={"a": "b"})
        store_profile(store, "stays", 100, name="Acme")
        with store.write() as connection:
            assert privacy.erase(connection, "account", "erased", 1)["profile_terms"] == 4
            forget_scores(connection, "account", ["deleted"])
            assert privacy.forget_before(connection, 50)["profile_terms"] == 4
        assert terms(store) == [("stays", "w:acme")]
