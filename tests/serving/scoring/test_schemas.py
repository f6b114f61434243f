"""The types of a request and an answer: their bounds, and what is left out of the JSON."""

from __future__ import annotations

import msgspec
import pytest

from serving.scoring.schemas import MAX_REASONS, MAX_RECORDS, Record, Result, ScoreRequest


def request(**more: object) -> ScoreRequest:
    return msgspec.convert({"records": [{"entity_id": "acme"}], **more}, ScoreRequest)


class TestScoreRequest:
    def test_1_to_1000_records_and_0_to_20_reasons(self) -> None:
        assert len(request(records=[{}] * MAX_RECORDS).records) == 1000
        assert request(reasons=MAX_REASONS).reasons == 20
        for wrong in ({"records": []}, {"records": [{}] * 1001}, {"reasons": 21}, {"reasons": -1}, {"else": 1}):
            with pytest.raises(msgspec.ValidationError):
                request(**wrong)


class TestRecord:
    @pytest.mark.parametrize(
        "wrong", [{"entity_id": ""}, {"entity_id": "a" * 257}, {"entity_id": "a\0"}, {"value": -1}, {"name": "x"}]
    )
    def test_what_breaks_a_bound_is_refused(self, wrong: dict[str, object]) -> None:
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert(wrong, Record)

    def test_not_given_and_null_are_told_apart(self) -> None:
        assert msgspec.convert({}, Record).value is msgspec.UNSET
        assert msgspec.convert({"value": None}, Record).value is None


def test_a_result_leaves_out_what_it_does_not_have() -> None:
    result = msgspec.json.decode(msgspec.json.encode(Result(0, None, "2026-01-01T00:00:00Z")))
    assert {"index": 0, "entity_id": None, "as_of": "2026-01-01T00:00:00Z"}.items() <= result.items()
    assert "probability" not in result
    assert "no_score" not in result
