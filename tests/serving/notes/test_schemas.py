"""The types that the OpenAPI file shows fit what is read."""

from __future__ import annotations

import msgspec
import pytest

from serving.notes.repository import Note
from serving.notes.request import Asked, read_many, read_one
from serving.notes.schemas import WORDS, ActionRecord, ActionRequest, OutcomeRecord, OutcomeRequest

WHO = {"when": "2026-02-27", "source": "crm"}


@pytest.mark.parametrize(
    ("kind", "shape", "record"),
    [("outcome", OutcomeRequest, OutcomeRecord), ("action", ActionRequest, ActionRecord)],
)
def test_what_has_the_shape_is_read(kind: str, shape: type, record: type) -> None:
    asked = Asked(kind, "account", 2**60)
    for more in ({}, {"note": None, "key": None}, {"note": "", "key": "k"}):
        given = {kind: "churned", **WHO, **more}
        alone = read_one(asked, "acme", msgspec.json.encode(msgspec.convert(given, shape)))
        listed = msgspec.convert({"entity_id": "acme", **given}, record)
        assert read_many(asked, msgspec.json.encode({"notes": [listed]})) == [alone]
        assert isinstance(alone, Note)


def test_the_words_are_those_of_the_outcomes() -> None:
    assert set(WORDS) == {"won", "lost", "churned"}
