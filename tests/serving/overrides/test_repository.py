"""Overrides are put and withdrawn, never overwritten."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import select

from serving.overrides import repository
from serving.overrides.repository import Override
from serving.store import version_counters
from serving.store.connect import Store
from serving.store.tables import overrides

pytestmark = pytest.mark.both_databases
LOW = Override("churn-risk", "account", "acme", "low", "They signed.", "j.doe", 5, None)


def test_a_new_one_ends_the_one_that_held_and_both_are_kept(store: Store) -> None:
    high = replace(LOW, band="high", set_at=9)
    with store.write() as connection:
        repository.put(connection, LOW)
        repository.put(connection, high)
        assert list(repository.holding(connection, 9)) == [high]
        kept = connection.execute(select(overrides.c.band, overrides.c.withdrawn_at).order_by(overrides.c.id)).all()
    assert [tuple(row) for row in kept] == [("low", 9), ("high", None)]


def test_others_of_the_same_entity_or_model_are_left(store: Store) -> None:
    others = [replace(LOW, entity_id="beta"), replace(LOW, model="lead-fit")]
    with store.write() as connection:
        for one in [LOW, *others]:
            repository.put(connection, one)
        assert repository.withdraw(connection, "churn-risk", "account", "acme", 9)
        assert not repository.withdraw(connection, "churn-risk", "account", "acme", 9)
        assert list(repository.holding(connection, 9)) == others


def test_it_ends_at_its_moment(store: Store) -> None:
    until = replace(LOW, until=10)
    assert [until.holds(now) for now in (9, 10)] == [True, False]
    with store.write() as connection:
        repository.put(connection, until)
        assert list(repository.holding(connection, 9)) == [until]
        assert list(repository.holding(connection, 10)) == []


def test_running_processes_are_told_of_a_change_and_of_nothing_else(store: Store) -> None:
    with store.write() as connection:
        repository.put(connection, LOW)
        before = version_counters.of(connection, repository.GENERATION)
        repository.withdraw(connection, "churn-risk", "account", "nobody", 9)
        assert version_counters.of(connection, repository.GENERATION) == before
        repository.withdraw(connection, "churn-risk", "account", "acme", 9)
        assert version_counters.of(connection, repository.GENERATION) == before + 1
