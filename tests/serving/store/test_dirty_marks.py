"""Which entities wait for a score, and since when."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select, update

from serving.outbox.repository import WEBHOOK
from serving.store.connect import Store
from serving.store.dirty_marks import mark_dirty
from serving.store.tables import dirty
from serving.worker.score_dirty import next_due

SECOND = 1_000_000


def rows(store: Store) -> list[dict[str, Any]]:
    with store.read() as connection:
        return [dict(row) for row in connection.execute(select(dirty).order_by(dirty.c.entity_id)).mappings()]


class TestMarkDirty:
    def mark(self, store: Store, now_us: int, **settle: float) -> None:
        with store.write() as connection:
            mark_dirty(connection, "sample", {("account", name): seconds for name, seconds in settle.items()}, now_us)

    def test_each_is_due_after_its_settle_time(self, store: Store) -> None:
        self.mark(store, 10 * SECOND, a=0.0, b=2.5)
        assert [(row["entity_id"], row["due_at"], row["generation"], row["priority"]) for row in rows(store)] == [
            ("a", 10 * SECOND, 1, WEBHOOK),
            ("b", 12_500_000, 1, WEBHOOK),
        ]
        assert next_due(store) == 10 * SECOND

    def test_a_record_that_keeps_changing_is_due_by_its_first_change(self, store: Store) -> None:
        self.mark(store, 10 * SECOND, a=5.0)
        self.mark(store, 14 * SECOND, a=5.0)
        (row,) = rows(store)
        assert (row["due_at"], row["generation"]) == (15 * SECOND, 2)

    def test_one_that_was_set_aside_is_tried_again_after_a_change(self, store: Store) -> None:
        self.mark(store, 10 * SECOND, a=0.0)
        with store.write() as connection:
            connection.execute(update(dirty).values(error="it cannot be scored"))
        assert next_due(store) is None
        self.mark(store, 20 * SECOND, a=0.0)
        assert rows(store)[0]["error"] is None
        assert next_due(store) == 10 * SECOND
