"""Taking entities off the lists of every model."""

from __future__ import annotations

import pytest
from sqlalchemy import insert, select, update

from serving.store.connect import Store
from serving.store.listed import forget_listed, models_of
from serving.store.tables import latest_scores
from tests.kit.list_rows import put

pytestmark = pytest.mark.both_databases


def test_an_entity_leaves_the_lists_of_all_models_that_ever_scored_it(store: Store) -> None:
    put(store, [{"entity_id": "1"}, {"entity_id": "2"}, {"entity_id": "1", "model": "lead-fit"}])
    with store.write() as connection:
        row = dict(connection.execute(select(latest_scores).limit(1)).mappings().one())
        connection.execute(
            insert(latest_scores).values({**row, "model": "a-model-whose-file-is-gone", "entity_id": "1"})
        )
        assert models_of(connection) == ["a-model-whose-file-is-gone", "churn-risk", "lead-fit"]
        assert forget_listed(connection, "account", ["1", "stranger"]) == 2
        left = connection.execute(select(latest_scores.c.model, latest_scores.c.entity_id)).all()
    assert sorted(map(tuple, left)) == [("churn-risk", "2"), ("lead-fit", "1")]


def test_an_empty_table_has_no_models(store: Store) -> None:
    with store.write() as connection:
        assert models_of(connection) == []
        assert connection.execute(update(latest_scores).values(score=1)).rowcount == 0
        assert forget_listed(connection, "account", ["1"]) == 0
