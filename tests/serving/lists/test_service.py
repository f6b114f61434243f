"""Lists and pages as the endpoints ask for them."""

from __future__ import annotations

import pytest

from models.catalog import MODELS, get_model
from serving.errors import Invalid, NotFound
from serving.lists import service
from serving.lists.cursor import Position, Signer, write
from serving.lists.service import Around, all_rows, asked_for, entity, page, segment_columns
from serving.privacy.cache import Directives
from serving.privacy.repository import Erased, object_to
from serving.store.connect import Store
from serving.store.deletions import stored_hash_of_id
from tests.kit.list_rows import NOW_US, put

pytestmark = pytest.mark.both_databases
CHURN, SIGNER = get_model("churn-risk"), Signer(b"key")
AROUND = Around(Directives(), NOW_US)


def test_all_rows_come_in_parts(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "CSV_PAGE", 3)
    put(store, [{"entity_id": f"{n:02d}"} for n in range(10)])
    asked, position = asked_for(store, CHURN, [("sort", "entity_id")], SIGNER)
    parts = list(all_rows(store, asked.query, position, AROUND))
    assert [len(part) for part in parts] == [3, 3, 3, 1]
    assert [row.entity_id for part in parts for row in part] == [f"{n:02d}" for n in range(10)]


def test_a_row_of_one_that_objected_a_moment_ago_is_left_out(store: Store) -> None:
    """A run may be writing it while the objection is made: the objection in memory counts as well."""
    put(store, [{"entity_id": "a"}, {"entity_id": "b"}])
    hashed = ("account", stored_hash_of_id("account", "a"))
    for directives in (Directives(objecting={hashed: 1}), Directives(erased=Erased(frozenset({hashed})))):
        asked, _ = asked_for(store, CHURN, [], SIGNER)
        assert [row.entity_id for row in page(store, asked, None, SIGNER, Around(directives, NOW_US)).rows] == ["b"]


def test_one_that_objected_has_a_page_and_one_that_was_erased_has_none(store: Store) -> None:
    put(store, [{"entity_id": "a"}])
    with store.write() as connection:
        object_to(connection, "account", "a", NOW_US)
    assert entity(store, MODELS.values(), "account", "a", AROUND).entity_id == "a"
    hashed = ("account", stored_hash_of_id("account", "a"))
    with pytest.raises(NotFound, match="no account of this id"):
        entity(store, MODELS.values(), "account", "a", Around(Directives(erased=Erased(frozenset({hashed}))), NOW_US))


def test_the_list_of_a_cursor_is_checked_again(store: Store) -> None:
    """It was signed when there was another segment column."""
    token = write(Position("model=churn-risk&segment.gone=x&sort=name&order=asc", NOW_US, 0, "a", "a"), SIGNER)
    with pytest.raises(Invalid, match=r"segment.gone: no such filter"):
        asked_for(store, CHURN, [("cursor", token)], SIGNER)


def test_segment_columns_are_read_only_when_one_is_asked_for(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    put(store, [{"entity_id": "a", "segments": {"industry": "food"}}])
    assert segment_columns(store, "account") == ["industry"]
    assert asked_for(store, CHURN, [("segment.industry", "food")], SIGNER)[0].query.segments == (("industry", "food"),)
    monkeypatch.setattr(service, "segment_columns", lambda *_: pytest.fail("read"))
    asked_for(store, CHURN, [("owner", "j")], SIGNER)
