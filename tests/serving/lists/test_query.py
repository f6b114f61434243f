"""Conditions and orders of lists; that they give the right rows is in `test_repository`."""

from __future__ import annotations

import itertools

from models.catalog import get_model
from serving.lists.filters import SORTS, read
from serving.lists.query import SORTED_BY, filters_of, pieces_of
from serving.store.tables import latest_scores
from tests.kit.list_rows import NOW_US

MODEL = get_model("churn-risk")


def query(*given: tuple[str, str]):
    return read(MODEL, given, ["industry"]).query


def test_every_index_is_of_the_table_and_begins_with_the_model() -> None:
    indexes = {index.name: [column.name for column in index.columns] for index in latest_scores.indexes}
    for sort in SORTED_BY.values():
        if sort.index:
            assert indexes[sort.index][0] == "model"
            columns = indexes[sort.index][: indexes[sort.index].index("entity_id") + 1]
            assert columns[-2:] == [sort.column.name, "entity_id"]


def test_every_filter_says_how_its_rows_are_found() -> None:
    given = query(("band", "high"), ("owner", "j"), ("segment.industry", "x"), ("q", "acme"), ("theme", "usage"))
    assert [each.name for each in filters_of(given, NOW_US)] == ["bands", "owner", "theme", "segment.industry", "text"]


def test_rows_without_a_value_come_last_unless_a_filter_leaves_them_out() -> None:
    for sort, order in itertools.product(SORTS, ("asc", "desc")):
        pieces = pieces_of(query(("sort", sort), ("order", order)), ["high"], NOW_US)
        assert [piece.number for piece in pieces] == ([0] if sort == "entity_id" else [0, 1])
    for filter_, sort in ((("value_min", "5"), "value"), (("owner", "j"), "owner"), (("band", "low"), "score")):
        assert len(pieces_of(query(filter_, ("sort", sort)), ["high"], NOW_US)) == 1


def test_rows_without_a_score_are_not_looked_for_among_those_that_have_one() -> None:
    pieces = pieces_of(query(("no_score", "already_leaving"), ("sort", "score")), ["high"], NOW_US)
    assert [piece.number for piece in pieces] == [1]


def test_a_sort_by_score_merges_the_bands_that_are_asked_for() -> None:
    assert len(pieces_of(query(("sort", "band")), ["high", "medium", "low"], NOW_US)[0].streams) == 3
    assert len(pieces_of(query(("sort", "band"), ("band", "low")), ["high", "low"], NOW_US)[0].streams) == 1
