"""Erasure and objections: the store, the home's copy, and what could not be done."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import insert, select

from features.sources.suppression import Suppressed, hash_of_id
from serving.connections.config import ConnectionConfig, Mapped
from serving.privacy import home_copy, service
from serving.privacy import repository as privacy
from serving.store.connect import Store
from serving.store.tables import inbox, signals
from tests.kit.store_rows import letter, signal_row

CRM = ConnectionConfig("main", "hubspot", "https://x", "s", None, {"company": Mapped("accounts", "hs-{id}", {}, {})})


class TestErase:
    def test_rows_go_sources_are_told_and_a_repetition_finds_nothing(self, store: Store, tmp_path: Path) -> None:
        with store.write() as connection:
            connection.execute(insert(signals), [signal_row("acme", 1), signal_row("stays", 1)])
        done = service.erase(store, [], "account", "acme", 5, tmp_path)
        assert (done.found, done.deleted["signals"], done.left) == (True, 1, [])
        assert Suppressed.load(tmp_path).everywhere == {"account": {hash_of_id("account", "acme"): None}}
        again = service.erase(store, [], "account", "acme", 6, tmp_path)
        assert (again.found, again.left) == (False, [])
        with store.read() as connection:
            assert connection.execute(select(signals.c.entity_id)).scalars().all() == ["stays"]

    def test_an_event_that_nobody_worked_on_is_found_by_the_crms_id(self, store: Store, tmp_path: Path) -> None:
        event = {**letter("e"), "object_type": "company", "object_id": "7", "property": "city", "value": "Zürich"}
        with store.write() as connection:
            connection.execute(insert(inbox), [event])
        assert not service.erase(store, [], "account", "hs-7", 5, tmp_path).found
        assert service.erase(store, [CRM], "account", "hs-7", 5, tmp_path).deleted["inbox"] == 1
        with store.read() as connection:
            assert connection.execute(select(inbox.c.state, inbox.c.value)).one() == ("erased", None)


class TestObjection:
    def test_it_is_kept_in_the_home_while_it_holds(self, store: Store, tmp_path: Path) -> None:
        assert service.object_to(store, "account", "acme", 5, tmp_path) == (True, [])
        assert service.object_to(store, "account", "acme", 6, tmp_path) == (False, [])
        assert [row["since"] for row in home_copy.load(tmp_path).objections] == [5]
        assert service.allow(store, "account", "acme", 7, tmp_path) == (True, [])
        assert service.allow(store, "account", "acme", 8, tmp_path) == (False, [])
        assert home_copy.load(tmp_path).objections == []

    @pytest.mark.parametrize("change", [service.object_to, service.allow])
    def test_a_home_that_cannot_be_written_refuses_nobodys_word(self, change, store: Store, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
        with store.write() as connection:
            privacy.object_to(connection, "account", "coda", 1)
        (tmp_path / home_copy.FILE).mkdir()
        done, (left,) = change(store, "account", "coda" if change is service.allow else "acme", 5, tmp_path)
        assert done
        assert left.endswith("run python -m serving privacy publish when it can be written")
