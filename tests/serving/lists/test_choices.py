"""What a form offers to choose from: few values as they are in the store, and no query for a minute."""

from __future__ import annotations

import pytest

from models.catalog import get_model
from serving.lists import choices, repository
from serving.lists.choices import FRESH_SECONDS, Choices
from serving.store.connect import Store
from tests.kit.list_rows import put

MODEL = get_model("churn-risk")


@pytest.mark.both_databases
def test_owners_and_segment_values_are_those_of_the_rows(store: Store) -> None:
    rows = [
        {
            "entity_id": f"a{n}",
            "owner": ("Ö", "j.doe", None)[n % 3],
            "segments": {"industry": ("food", "s:x\u00e9", "")[n % 3]},
        }
        for n in range(9)
    ]
    put(store, [*rows, {"entity_id": "l", "model": "lead-fit", "owner": "of leads", "segments": {"channel": "event"}}])
    found = Choices(store).of(MODEL)
    assert found.owners == ["j.doe", "Ö"]
    assert found.segments["industry"] is not None
    assert set(found.segments["industry"]) >= {"food", "s:xé"}
    assert "channel" not in found.segments


@pytest.mark.both_databases
def test_many_values_are_typed(store: Store) -> None:
    put(
        store,
        [{"entity_id": f"a{n}", "owner": f"o{n}", "segments": {"city": f"c{n}"}} for n in range(choices.MOST + 1)],
    )
    found = Choices(store).of(MODEL)
    assert (found.owners, found.segments) == (None, {"city": None})
    with store.read() as connection:
        assert len(repository.owners(connection, MODEL.name, choices.MOST + 1) or ()) == choices.MOST + 1


def test_they_are_read_again_after_a_minute(store: Store) -> None:
    now = [0.0]
    kept = Choices(store, lambda: now[0])
    assert kept.of(MODEL).owners == []
    put(store, [{"entity_id": "a", "owner": "new"}])
    now[0] = FRESH_SECONDS - 1
    assert kept.of(MODEL).owners == []
    now[0] = FRESH_SECONDS + 1
    assert kept.of(MODEL).owners == ["new"]
