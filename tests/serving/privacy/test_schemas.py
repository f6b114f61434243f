"""Answers about objections and erasure, as clients read them."""

from __future__ import annotations

import msgspec
import pytest

from serving.privacy.schemas import ErasureAnswer, ObjectionAnswer


def test_an_objection_in_json() -> None:
    assert msgspec.json.encode(ObjectionAnswer("account", "acme", "2026-11-23T06:00:00Z")) == (
        b'{"entity":"account","entity_id":"acme","since":"2026-11-23T06:00:00Z"}'
    )


def test_an_erasure_with_nothing_to_delete_has_every_field() -> None:
    assert msgspec.json.encode(ErasureAnswer("lead", False, {}, ["run VACUUM FULL"])) == (
        b'{"kind":"lead","found":false,"deleted":{},"left":["run VACUUM FULL"]}'
    )


@pytest.mark.parametrize("answer", [ObjectionAnswer, ErasureAnswer])
def test_no_field_may_be_left_out_and_each_is_described(answer: type[msgspec.Struct]) -> None:
    schema = msgspec.json.schema_components([answer])[1][answer.__name__]
    assert schema["required"] == list(schema["properties"])
    assert all(field["description"] and field["examples"] for field in schema["properties"].values())
