"""A recorded score as an answer: numbers, or why there are none."""

from __future__ import annotations

from typing import Any

import msgspec

from serving.decisions.schemas import shown_record
from tests.kit.store_rows import decision

ROW = {
    **decision("acme"),
    "id": 7,
    "version": 3,
    "as_of": 0,
    "recorded_at": 1_000_000,
    "probability": 0.25,
    "score": 90,
    "band": "high",
    "value": None,
    "no_score": None,
}


def shown(**more: Any) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.to_builtins(shown_record({**ROW, **more}))
    return found


def test_a_score_has_its_numbers_and_no_reason_for_none() -> None:
    assert shown() == {
        "id": 7,
        "model": "churn-risk",
        "version": 3,
        "scorer": "sha256:x",
        "as_of": "1970-01-01T00:00:00Z",
        "recorded_at": "1970-01-01T00:00:01Z",
        "cause": "batch",
        "probability": 0.25,
        "score": 90,
        "band": "high",
        "value": None,
        "reasons": [],
    }


def test_without_a_score_there_is_no_number_whatever_the_row_holds() -> None:
    found = shown(no_score="already_leaving", reasons=b'[["s", "t", 1, "up", 1, 1, "Because."]]')
    assert found["no_score"]["code"] == "already_leaving"
    assert "notice" in found["no_score"]["detail"]
    assert not {"probability", "score", "band", "value", "reasons"} & found.keys()
