"""What deleting, merging and forgetting in a CRM do here. One company, real worker."""

from __future__ import annotations

from dataclasses import replace

import msgspec
from sqlalchemy import select

from features.kit.clock import Clock, from_us, make_clock, to_us
from features.panel.build import build_panel
from features.sources.loader import open_source
from serving.champion import Champions
from serving.connections.config import ConnectionConfig, Mapped
from serving.inbox import repository as letters
from serving.privacy import repository as privacy
from serving.privacy.repository import Erased
from serving.profiles import repository as profiles
from serving.profiles.repository import Profile
from serving.scoring.rows import signal_rows
from serving.store import tables
from serving.store.connect import Store
from serving.store.tables import changes, decisions, inbox, signals, writebacks
from serving.vendors.inbound import Effect, Event
from serving.worker.loop import Worker
from tests.kit.nightly import some_signals
from tests.kit.running import AS_OF, Home


def all_of(store: Store, table: object) -> list[dict[str, object]]:
    with store.read() as connection:
        return [dict(row) for row in connection.execute(select(table)).mappings()]  # type: ignore[call-overload]


class TestRemoval:
    def tell(self, store: Store, config: ConnectionConfig, champions: Champions, *events: Event) -> None:
        # One clock for a test: a second one begins at AS_OF again, and a score for an earlier moment replaces nothing.
        clock: Clock = self.__dict__.setdefault("clock", make_clock(AS_OF))
        with store.write() as connection:
            letters.put(connection, letters.events_of(config, events, to_us(clock())))
        worker = Worker(store, {"crm": replace(config, settle_seconds=0.0)}, champions, clock)
        worker.once()

    def event(self, number: int, effect: Effect, record: str, kind: str = "contact", into: str | None = None) -> Event:
        change = effect == "change"
        moment = 1_764_547_200_000_000 + number
        return Event(
            (number,),
            f"{kind}.{effect}",
            effect,
            kind,
            record,
            moment,
            "industry" if change else None,
            "software" if change else None,
            into=into,
        )

    def newest(self, store: Store, entity_id: str) -> set[str]:
        return {str(row["entity_id"]) for row in all_of(store, signals) if row["entity_id"] == entity_id}

    def test_a_deleted_record_has_no_signals_and_no_score_to_write_until_it_is_back(
        self, store: Store, config: ConnectionConfig, champions: Champions
    ) -> None:
        self.tell(store, config, champions, self.event(1, "change", "77"))
        assert self.newest(store, "lead_77")
        for table in (writebacks, tables.profiles):
            assert [row["entity_id"] for row in all_of(store, table)] == ["lead_77"]
        history = len(all_of(store, decisions))
        self.tell(store, config, champions, self.event(5, "delete", "77"))
        assert not self.newest(store, "lead_77")
        assert all_of(store, writebacks) == all_of(store, tables.profiles) == []
        self.tell(store, config, champions, self.event(6, "change", "77"))
        assert len(all_of(store, decisions)) == history  # what was said stays on record, and nothing is added
        self.tell(
            store, config, champions, self.event(3, "create", "77")
        )  # older than the deletion: it changes nothing
        assert not self.newest(store, "lead_77")
        self.tell(store, config, champions, self.event(9, "create", "77"))
        assert self.newest(store, "lead_77")

    def test_a_merge_moves_rows_to_the_entity_that_remains(
        self, store: Store, config: ConnectionConfig, champions: Champions, home: Home
    ) -> None:
        source = open_source("sample", home.company)
        gone, into = (
            row[0]
            for row in source.connection.execute(
                "SELECT account_id FROM subscriptions GROUP BY 1 HAVING count(DISTINCT subscription_id) > 0 ORDER BY 1 LIMIT 2"
            ).fetchall()
        )
        contracts = source.query(
            f"SELECT count(DISTINCT subscription_id) FROM subscriptions WHERE account_id = '{gone}'"
        )[0][0]
        merge = self.event(1, "merge", gone.removeprefix("acc_"), "company", into.removeprefix("acc_"))
        self.tell(store, config, champions, merge)
        moved = [row for row in all_of(store, changes) if row["table_name"] == "subscriptions"]
        assert len(moved) == contracts
        assert {row["account_id"] for row in moved} == {into}
        scored = {row["entity_id"] for row in all_of(store, decisions) if row["model"] == "churn-risk"}
        assert into in scored
        assert gone not in scored
        # Usage has no key to be moved by: the worker read the source anew, in which it belongs to the one that remains.
        (kept,) = [row for row in all_of(store, signals) if row["entity_id"] == into]
        moment = from_us(int(str(kept["as_of"])))
        names = [s.name for s in some_signals("account") if s.tables == ("usage",)]
        assert names
        before = signal_rows(build_panel(source, "account", [moment], ids=[into]))[0]
        merged = open_source("sample", home.company, home=home.path)
        now = signal_rows(build_panel(merged, "account", [moment], ids=[into]))[0]
        stored = msgspec.json.decode(bytes(kept["signals"]))  # type: ignore[call-overload]
        assert {n: stored[n] for n in names} == {n: now[n] for n in names} != {n: before[n] for n in names}

    def test_a_change_of_owner_and_parent_reaches_the_profile_and_a_merged_parent_is_followed(
        self, store: Store, config: ConnectionConfig, champions: Champions, home: Home
    ) -> None:
        source = open_source("sample", home.company)
        asked = (  # the other tests merge accounts with contracts, in the same home
            "SELECT account_id FROM accounts WHERE kind = 'prospect' AND parent_id IS NULL "
            "AND account_id NOT IN (SELECT account_id FROM subscriptions) GROUP BY 1 ORDER BY 1 LIMIT 4"
        )
        child, first, second, third = (row[0] for row in source.query(asked))
        names = {"owner": "owner", "hs_parent": "parent_id"}
        mapped = Mapped("accounts", "acc_{id}", names, {"owner": {"41": "Kim Lee"}})
        config = replace(config, objects={**config.objects, "company": mapped})

        def told(number: int, name: str, value: str | None) -> Event:
            moment = 1_764_547_200_000_000 + number
            record = child.removeprefix("acc_")
            return Event((number,), "company.change", "change", "company", record, moment, name, value)

        def profile(name: str = child) -> Profile:
            with store.read() as connection:
                return profiles.fetch(connection, "account", [name])[name]

        parent = first.removeprefix("acc_")  # the CRM's own id
        self.tell(store, config, champions, told(1, "owner", "41"), told(2, "hs_parent", parent))
        assert (profile().owner, profile().parent_id) == ("Kim Lee", first)
        assert profile().name is not None
        # No signal reads them: only the clock and nothing else moved.
        before = signal_rows(build_panel(source, "account", [from_us(profile().as_of)], ids=[child]))[0]
        (kept,) = [row for row in all_of(store, signals) if row["entity_id"] == child]
        stored = msgspec.json.decode(bytes(kept["signals"]))  # type: ignore[call-overload]
        assert stored == {n: before[n] for n in stored}
        merge = self.event(3, "merge", parent, "company", second.removeprefix("acc_"))
        self.tell(store, config, champions, merge)
        assert profile().parent_id == second
        with store.write() as connection:
            privacy.erase(connection, "account", second, 1)
        assert profile().parent_id is None
        assert all(second not in repr(row) for row in (*all_of(store, changes), *all_of(store, inbox)))
        # An event of before the erasure, and one that takes the parent away.
        self.tell(store, config, champions, told(4, "hs_parent", second.removeprefix("acc_")))
        assert profile().parent_id is None
        assert {row["value"] for row in all_of(store, inbox) if row["property"] == "hs_parent"} == {parent, None}
        self.tell(store, config, champions, told(5, "hs_parent", third.removeprefix("acc_")))
        assert profile().parent_id == third
        self.tell(store, config, champions, told(6, "hs_parent", ""))
        assert profile().parent_id is None

    def test_forgetting_leaves_nothing_and_a_late_event_brings_nothing_back(
        self, store: Store, config: ConnectionConfig, champions: Champions
    ) -> None:
        self.tell(store, config, champions, self.event(1, "change", "78"))
        self.tell(store, config, champions, self.event(2, "forget", "78"), self.event(3, "delete", "78"))
        self.tell(store, config, champions, self.event(4, "change", "78"))
        for table in (signals, tables.profiles, decisions, changes, writebacks):
            assert all("78" not in str(row) for row in all_of(store, table) if row.get("entity_id") or row.get("key"))
        assert {row["object_id"] for row in all_of(store, inbox)} == {""}
        with store.read() as connection:
            assert Erased.load(connection).has("lead", "lead_78")
