"""What people said of entities, kept in memory: overrides, objections, erasures."""

from __future__ import annotations

from dataclasses import replace

from serving.overrides import repository as overrides
from serving.overrides.repository import Override
from serving.privacy import repository as privacy
from serving.privacy.cache import Directives
from serving.store.connect import Store

OVERRIDE = Override("churn-risk", "account", "acme", "low", "They signed.", "j.doe", 5, 10)


def load(store: Store, now_us: int = 5) -> Directives:
    with store.read() as connection:
        return Directives.load(connection, now_us)


class TestDirectives:
    def test_without_a_store_nobody_said_anything(self) -> None:
        nothing = Directives()
        assert nothing.override("churn-risk", "acme", 0) is None
        assert not nothing.may_not_score("account", "acme")
        assert nothing.generation == -1

    def test_an_override_holds_until_its_end(self, store: Store) -> None:
        with store.write() as connection:
            overrides.put(connection, OVERRIDE)
        found = load(store)
        assert found.override("churn-risk", "acme", 9) == OVERRIDE
        assert found.override("churn-risk", "acme", 10) is None
        assert found.override("lead-fit", "acme", 9) is None

    def test_who_objected_or_was_erased_may_not_be_scored(self, store: Store) -> None:
        with store.write() as connection:
            privacy.object_to(connection, "account", "coda", 7)
            privacy.erase(connection, "account", "gone", 7)
        found = load(store)
        names = ("coda", "gone", "acme")
        assert [found.may_not_score("account", name) for name in names] == [True, True, False]
        assert [found.objecting_since("account", name) for name in names] == [7, None, None]
        assert not found.may_not_score("lead", "coda")

    def test_it_says_by_which_change_of_privacy_it_was_loaded(self, store: Store) -> None:
        before = load(store)
        with store.write() as connection:
            privacy.object_to(connection, "account", "coda", 7)
        assert (before.generation, load(store).generation) == (0, 1)
        with store.write() as connection:
            overrides.put(connection, replace(OVERRIDE, entity_id="beta"))
        assert load(store).generation == 1
