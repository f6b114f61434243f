"""Profiles in the store: newest first, and gone with what is erased, deleted or too old."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select

from serving.backup import backup as backups
from serving.privacy import protections
from serving.privacy import repository as privacy
from serving.profiles import repository as profiles
from serving.profiles.repository import Profile
from serving.scoring import repository as stored
from serving.store import tables
from serving.store.connect import Store
from serving.store.deletions import DELETED, forget_scores, rename_parent, stored_hash_of_id
from serving.store.wipe import wipe
from tests.kit.erased_bytes import holding
from tests.kit.store_rows import decision

FULL = Profile(
    entity="account",
    entity_id="acme",
    as_of=5,
    name="Acme",
    domain="acme.com",
    owner="Kim Lee",
    parent_id="group",
    target_tier="1",
    segments={"region": "emea", "plan": "pro"},
    arr=48_000.0,
    renewal_at=1_790_000_000_000_000,
    plan="pro",
    acted_at=1_770_000_000_000_000,
)


def profile(entity_id: str, as_of: int = 5, **more: Any) -> Profile:
    return Profile("account", entity_id, as_of, **more)


@pytest.mark.both_databases
class TestStore:
    def put(self, store: Store, *rows: Profile) -> None:
        with store.write() as connection:
            profiles.put(connection, rows)

    def fetch(self, store: Store, *ids: str, entity: str = "account") -> dict[str, Profile]:
        with store.read() as connection:
            return profiles.fetch(connection, entity, ids)

    def test_what_was_put_is_fetched(self, store: Store) -> None:
        unknown = profile("beta")
        self.put(store, FULL, unknown, Profile("lead", "acme", 5, name="another"))
        assert self.fetch(store, "acme", "beta", "nobody") == {"acme": FULL, "beta": unknown}
        assert self.fetch(store, "acme", entity="lead")["acme"].name == "another"
        assert self.fetch(store) == {}

    def test_more_ids_than_a_statement_takes(self, store: Store) -> None:
        self.put(store, *(profile(f"a{n}") for n in range(1_000)))
        assert len(self.fetch(store, *(f"a{n}" for n in range(2_000)))) == 1_000

    def test_a_newer_profile_replaces_an_older_one_and_not_the_reverse(self, store: Store) -> None:
        self.put(store, profile("acme", 5, owner="Kim"))
        self.put(store, profile("acme", 4, owner="Lou"))
        assert self.fetch(store, "acme")["acme"].owner == "Kim"
        self.put(store, profile("acme", 6))  # nobody looks after it any more
        assert self.fetch(store, "acme")["acme"].owner is None

    def test_a_profile_for_a_moment_after_the_clock_goes_with_such_signals(self, store: Store) -> None:
        ahead = 10**16
        self.put(store, profile("acme", ahead, name="Acme"), profile("beta", 5, name="Beta"), profile("gamma", ahead))
        with store.write() as connection:
            stored.forget_later(connection, "account", 10, ["acme", "beta"])
            assert list(profiles.fetch(connection, "account", ["acme", "beta", "gamma"])) == ["beta", "gamma"]
            stored.forget_later(connection, "account", 10)
            terms = connection.execute(select(tables.profile_terms.c.entity_id)).scalars().all()
        assert list(self.fetch(store, "acme", "beta", "gamma")) == ["beta"]
        assert set(terms) == {"beta"}, "nothing finds what is gone"

    def test_what_is_erased_has_no_profile_and_is_nobodys_parent(self, store: Store) -> None:
        self.put(store, FULL, profile("group"), profile("beta", parent_id="acme"))
        with store.write() as connection:
            done = privacy.erase(connection, "account", "group", 1)
        assert done["profiles"] == 1
        found = self.fetch(store, "acme", "group", "beta")
        assert {name: each.parent_id for name, each in found.items()} == {"acme": None, "beta": "acme"}
        # A batch that read its source before the erasure.
        self.put(store, profile("acme", 6, parent_id="group"), profile("group", 6))
        found = self.fetch(store, "acme", "group")
        assert {name: each.parent_id for name, each in found.items()} == {"acme": None}

    def test_erasing_a_lead_leaves_the_account_of_that_id(self, store: Store) -> None:
        self.put(store, FULL, profile("group"), Profile("lead", "group", 5))
        with store.write() as connection:
            assert privacy.erase(connection, "lead", "group", 1)["profiles"] == 1
        assert self.fetch(store, "acme", "group") == {"acme": FULL, "group": profile("group")}

    def test_what_a_crm_deleted_has_none(self, store: Store) -> None:
        self.put(store, FULL, profile("group"))
        with store.write() as connection:
            gone = {"source": "s", "entity": "account", "id_hash": stored_hash_of_id("account", "group")}
            connection.execute(insert(tables.removals), [{**gone, "occurred_at": 1, "state": DELETED}])
            forget_scores(connection, "account", ["group"])
        assert self.fetch(store, "acme", "group")["acme"].parent_id is None
        self.put(store, profile("group", 6), profile("acme", 6, parent_id="group"))
        assert list(self.fetch(store, "acme", "group")) == ["acme"]
        assert self.fetch(store, "acme")["acme"].parent_id is None

    def test_a_lead_may_bear_the_id_of_its_account_and_loses_one_that_is_gone(self, store: Store) -> None:
        self.put(store, replace(profile("group", parent_id="group"), entity="lead"))
        assert self.parents(store) == {("lead", "group"): "group"}
        self.put(store, *[replace(profile("group", 6, parent_id="old"), entity=each) for each in ("account", "lead")])
        with store.write() as connection:
            rename_parent(connection, "old", "group")  # it was merged into the account of that id
        assert self.parents(store) == {("account", "group"): None, ("lead", "group"): "group"}
        with store.write() as connection:
            privacy.erase(connection, "account", "group", 1)
        assert self.parents(store) == {("lead", "group"): None}

    def parents(self, store: Store) -> dict[tuple[str, str], str | None]:
        t = tables.profiles.c
        with store.read() as connection:
            rows = connection.execute(select(t.entity, t.entity_id, t.parent_id))
            return {(entity, name): parent for entity, name, parent in rows}

    def test_retention_takes_it_with_the_last_decision_record(self, store: Store) -> None:
        self.put(store, profile("old"), profile("scored"), profile("renewed", 30))
        with store.write() as connection:
            rows = [{**decision("scored"), "recorded_at": 25}, {**decision("old"), "recorded_at": 15}]
            connection.execute(insert(tables.decisions), rows)
            done = privacy.forget_before(connection, 20)
        assert (done["decisions"], done["profiles"]) == (1, 1)
        assert sorted(self.fetch(store, "old", "scored", "renewed")) == ["renewed", "scored"]

    def test_a_backup_holds_it_and_a_restore_brings_back_nobody_erased_since(
        self, store: Store, tmp_path: Path
    ) -> None:
        self.put(store, FULL, profile("group"), profile("beta"))
        backups.backup(store, tmp_path / "copy.db")
        with store.write() as connection:
            privacy.erase(connection, "account", "group", 1)
            privacy.erase(connection, "account", "beta", 1)
        done = backups.restore(store, tmp_path / "copy.db", 2, overwrite=True)
        assert done.taken_back["profiles"].returned == 2
        assert done.kept.erased_again == 2
        found = self.fetch(store, "acme", "beta", "group")
        assert {name: each.parent_id for name, each in found.items()} == {"acme": None}

    def test_a_parent_alone_is_erased_again_too(self, store: Store) -> None:
        """A backup may name an erased account as a parent, and have no other row of it."""
        self.put(store, FULL)
        mark = {"kind": "account", "id_hash": stored_hash_of_id("account", "group"), "erased_at": 1}
        with store.write() as connection:
            newer = protections.Protections(tombstones=[{**mark, "taken_back_at": None}])
            assert protections.put_back(connection, newer) == 1
        assert self.fetch(store, "acme")["acme"].parent_id is None


def test_no_byte_of_an_erased_profile_is_left(store: Store, tmp_path: Path) -> None:
    canary = profile("victim", name="canary name", owner="canary owner", segments={"region": "canary segment"})
    with store.write() as connection:
        profiles.put(connection, [canary, profile("child", parent_id="victim")])
    assert holding(tmp_path, "canary")
    assert holding(tmp_path, "victim")
    with store.write() as connection:
        privacy.erase(connection, "account", "victim", 1)
    assert wipe(store) == []
    assert (holding(tmp_path, "canary"), holding(tmp_path, "victim")) == (set(), set())


def test_the_parent_of_children_is_found_by_its_index(store: Store) -> None:
    """Twin: without it an erasure reads a million profiles."""
    with store.write() as connection:
        asked = select(tables.profiles).where(tables.profiles.c.parent_id == "group")
        plan = connection.exec_driver_sql(
            f"EXPLAIN QUERY PLAN {asked.compile(connection, compile_kwargs={'literal_binds': True})}"
        ).all()
    assert "USING INDEX profiles_of_parent" in repr(plan)
