"""What the tables promise whoever reads and writes them."""

from __future__ import annotations

import pytest
from sqlalchemy import BigInteger, insert, select, text
from sqlalchemy.exc import IntegrityError

from serving.store.connect import Store
from serving.store.tables import decisions, inbox, metadata
from tests.kit.store_rows import decision, letter


@pytest.mark.both_databases
class TestInbox:
    def test_an_event_is_there_once_for_each_connection(self, store: Store) -> None:
        with store.write() as connection:
            connection.execute(insert(inbox), [letter("a"), {**letter("a"), "connection": "other"}])
        with pytest.raises(IntegrityError), store.write() as connection:
            connection.execute(insert(inbox), [letter("a")])

    def test_events_are_numbered_in_the_order_of_their_arrival(self, store: Store) -> None:
        with store.write() as connection:
            for key in "cab":
                connection.execute(insert(inbox), [letter(key)])
            rows = connection.execute(select(inbox.c.id, inbox.c.dedupe_key).order_by(inbox.c.id)).all()
        assert [tuple(row) for row in rows] == [(1, "c"), (2, "a"), (3, "b")]

    def test_an_event_without_an_effect_is_a_change(self, store: Store) -> None:
        with store.write() as connection:
            connection.execute(insert(inbox), [letter("a")])
            assert connection.execute(select(inbox.c.effect)).scalar() == "change"


class TestDecisions:
    def test_an_entitys_history_is_found_by_its_index(self, store: Store) -> None:
        with store.write() as connection:
            connection.execute(insert(decisions), [decision("acme")])
            plan = connection.execute(
                text(
                    "EXPLAIN QUERY PLAN SELECT * FROM decisions WHERE entity = 'account' AND entity_id = 'acme' "
                    "ORDER BY as_of DESC, id DESC"
                )
            ).all()
        assert "USING INDEX decisions_of_entity" in repr(plan)
        assert "TEMP B-TREE" not in repr(plan)  # nothing is left to sort


def test_moments_are_whole_microseconds() -> None:
    moments = [
        column
        for table in metadata.tables.values()
        for column in table.columns
        if column.name.endswith(("_at", "_time", "as_of")) or column.name in ("since", "until")
    ]
    assert len(moments) > 20
    assert [column for column in moments if not isinstance(column.type, BigInteger)] == []
