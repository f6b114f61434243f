"""Writing to HubSpot: an outcome for each record of a batch."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from serving.vendors.calls import CallFailed
from serving.vendors.client import make_client
from serving.vendors.destination import Target, WriteBack
from serving.vendors.hubspot.outbound import HubSpot
from serving.vendors.outbound import Write, WriteResult
from tests.kit.fake_hubspot import fake_hubspot


def write(number: int, object_type: str = "contact") -> Write:
    return Write(f"k{number}", "lead-fit", object_type, str(number), "lead", f"lead_{number}", {"fit": "82"}, {})


class Answering(HubSpot):
    """Over no network: every call gets `answer`."""

    answer = httpx.Response(200)

    def open_client(self, config: WriteBack) -> httpx.Client:
        def handle(request: httpx.Request) -> httpx.Response:
            self.asked = request
            return self.answer

        return make_client(config, {}, httpx.MockTransport(handle))


@pytest.fixture
def sender() -> Iterator[Answering]:
    made = Answering(WriteBack("on", {"lead-fit": Target("contact", {"score": "fit"})}, url="https://hub.example"))
    yield made
    made.close()


def error(category: str, **context: Any) -> dict[str, Any]:
    return {"status": "error", "category": category, "message": "of a person: Anna", "context": context}


class TestSend:
    def test_a_call_has_one_object_type_and_each_write_its_key(self, sender: Answering) -> None:
        sender.answer = httpx.Response(200, json={"results": [{"id": "1"}]})
        assert sender.send([write(1), write(2, "company")]) == [WriteResult("sent"), WriteResult("retry")]
        assert str(sender.asked.url) == "https://hub.example/crm/v3/objects/contacts/batch/update"
        assert json.loads(sender.asked.content) == {
            "inputs": [{"id": "1", "objectWriteTraceId": "k1", "properties": {"fit": "82"}}]
        }

    def test_errors_are_found_by_trace_or_by_id_and_what_is_in_neither_list_is_tried_again(
        self, sender: Answering
    ) -> None:
        errors = [
            error("OBJECT_NOT_FOUND", ids=["1"]),
            error("VALIDATION_ERROR", objectWriteTraceId=["k2"]),
            error("RATE_LIMITS", id=["3"]),
        ]
        sender.answer = httpx.Response(207, json={"results": [{"id": "4"}], "errors": errors})
        assert sender.send([write(n) for n in (1, 2, 3, 4, 5)]) == [
            WriteResult("dead", "OBJECT_NOT_FOUND"),
            WriteResult("dead", "VALIDATION_ERROR"),
            WriteResult("retry", "RATE_LIMITS"),
            WriteResult("sent"),
            WriteResult("retry", "not in the answer"),
        ]

    @pytest.mark.parametrize(
        "body",
        [b"<html>", b"[]", b"5", b'{"results": 5}', b'{"results": [{}]}', b'{"errors": [5]}', b'{"results": [5]}'],
    )
    def test_a_malformed_answer_is_retried(self, sender: Answering, body: bytes) -> None:
        sender.answer = httpx.Response(200, content=body)
        with pytest.raises(CallFailed, match="description"):
            sender.send([write(1)])

    def test_a_locked_record_rests_two_seconds(self, sender: Answering) -> None:
        sender.answer = httpx.Response(423)
        with pytest.raises(CallFailed) as caught:
            sender.send([write(1)])
        assert caught.value.retry_after == 2.0


@pytest.mark.parametrize("properties", [{}, {"properties": {"fit": 5}}])
def test_the_fake_hubspot_can_say_no(properties: dict[str, object]) -> None:
    body = json.dumps({"inputs": [{"id": "1", **properties}]}).encode()
    with fake_hubspot() as crm:
        answer = crm.answer("/crm/v3/objects/contacts/batch/update", body, "Bearer x")
    assert answer is not None
    assert answer[0] == 400
