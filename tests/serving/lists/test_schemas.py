"""What lists and pages answer is what the OpenAPI file says."""

from __future__ import annotations

from typing import Any

import msgspec

from models.catalog import MODELS, get_model
from serving.lists.cursor import Signer
from serving.lists.filters import SORTS, read
from serving.lists.schemas import EntityAnswer, ListAnswer, ListRow
from serving.lists.service import Around, entity, page
from serving.privacy.cache import Directives
from serving.store.connect import Store
from tests.kit.list_rows import NOW_US, put

AROUND = Around(Directives(), NOW_US)


def test_every_column_but_band_is_sorted_by_the_name_that_it_has_in_a_row() -> None:
    names = set(ListRow.__struct_fields__) | {"theme"}
    assert set(SORTS) <= names


def test_answers_are_of_their_schemas(store: Store) -> None:
    put(
        store,
        [
            {
                "entity_id": "a",
                "name": "Acme",
                "segments": {"x": "y"},
                "renewal_at": NOW_US,
                "arr": 5.0,
                "plan": "team",
            },
            {"entity_id": "b", "no_score": "already_leaving"},
        ],
    )
    answer = page(store, read(get_model("churn-risk"), []), None, Signer(b"x"), AROUND)
    msgspec.convert(as_json(answer), ListAnswer)
    first, second = answer.rows
    assert (first.renewal_at, first.plan, second.no_score.code) == ("2026-03-01T06:00:00Z", "team", "already_leaving")
    found = entity(store, MODELS.values(), "account", "a", AROUND)
    msgspec.convert(as_json(found), EntityAnswer)
    assert found.profile_as_of == "2026-03-01T06:00:00Z"


def as_json(answer: object) -> Any:
    return msgspec.json.decode(msgspec.json.encode(answer))
