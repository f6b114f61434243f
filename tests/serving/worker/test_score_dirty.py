"""Dirty entities: which are taken in a round, in which order."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import insert

from serving.outbox.repository import BACKFILL, WEBHOOK
from serving.store.connect import Store
from serving.store.tables import dirty
from serving.worker import score_dirty
from serving.worker.score_dirty import _differing, _due, newest_known

BOTH = {"account", "lead"}


def put(store: Store, *rows: tuple[str, str, int, int], **more: Any) -> None:
    """(entity, id, due_at, priority) of source `sample`."""
    found = [
        {"source": "sample", "entity": e, "entity_id": i, "generation": 1, "due_at": at, "priority": p, **more}
        for e, i, at, p in rows
    ]
    with store.write() as connection:
        connection.execute(insert(dirty), found)


def due(store: Store, wanted: set[str] = BOTH, oldest_first: bool = False) -> tuple[list[str], int]:
    found, lacking = _due(store, "sample", 100, wanted, oldest_first)
    return [entity_id for _, entity_id in found.generations], lacking


class TestDue:
    def test_what_changed_goes_before_a_backlog_unless_it_is_the_turn_of_the_oldest(self, store: Store) -> None:
        put(store, ("account", "old", 1, BACKFILL), run_id="r")
        put(store, ("account", "b", 50, WEBHOOK), ("lead", "a", 40, WEBHOOK), ("account", "later", 101, WEBHOOK))
        assert due(store) == (["a", "b"], 0)
        assert due(store, oldest_first=True) == (["old"], 0)

    def test_a_round_holds_one_run_of_a_backlog(self, store: Store) -> None:
        put(store, ("account", "a", 1, BACKFILL), run_id="one")
        put(store, ("account", "b", 2, BACKFILL), run_id="two")
        assert due(store) == (["a"], 0)

    def test_entities_without_a_live_model_wait_and_are_counted(self, store: Store) -> None:
        put(store, ("account", "a", 1, WEBHOOK), ("lead", "b", 2, WEBHOOK))
        assert due(store, {"lead"}) == (["b"], 1)

    def test_what_was_set_aside_and_other_sources_are_left_out(self, store: Store) -> None:
        put(store, ("account", "a", 1, WEBHOOK), error="it cannot be scored")
        assert due(store) == ([], 0)
        assert _due(store, "other", 100, BOTH, False)[0].generations == {}

    def test_a_round_has_a_bound(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(score_dirty, "ENTITIES_A_ROUND", 2)
        put(store, *[("account", name, at, WEBHOOK) for at, name in enumerate("cab")])
        assert due(store) == (["c", "a"], 0)


def test_without_any_change_the_newest_known_is_0(store: Store) -> None:
    with store.read() as connection:
        assert newest_known(connection, "sample") == 0


def test_only_signals_that_differ_and_that_the_old_rows_have_are_kept() -> None:
    assert _differing({"a": 1.0, "b": None}, {"a": 1.0, "b": 2.0, "c": 3.0}, ["a", "b", "c"]) == {"b": None}
