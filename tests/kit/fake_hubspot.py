"""A small HubSpot: it keeps what is written to it, judges requests by the models of HubSpot's own SDK, and can misbehave."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hubspot.crm.contacts import ApiClient, BatchInputSimplePublicObjectBatchInput
from hubspot.crm.contacts.models import BatchResponseSimplePublicObject, BatchResponseSimplePublicObjectWithErrors

from tests.kit.fake_crm import Answer, FakeCrm, Wire, running_crm

__all__ = ["FakeHubSpot", "Wire", "fake_hubspot"]


@dataclass
class FakeHubSpot(FakeCrm):
    def handle(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer | None:
        return self.answer(path, body, headers.get("authorization", "")) if method == "POST" else (405, {}, b"{}")

    def answer(self, path: str, body: bytes, authorization: str) -> Answer | None:
        bad = self.begin()
        if bad == "drop":
            return None
        if isinstance(bad, tuple):
            return bad
        if not authorization.startswith("Bearer "):
            return 401, {}, b"{}"
        if path != "/crm/v3/objects/contacts/batch/update":
            return 404, {}, b"{}"
        given = _as_the_sdk_reads(body, BatchInputSimplePublicObjectBatchInput)
        if len(given.inputs) > 100 or len({i.id for i in given.inputs}) < len(given.inputs):
            return 400, {}, b'{"category": "VALIDATION_ERROR"}'
        # The SDK turns a number into a text when it reads one; HubSpot refuses it.
        raw = [one.get("properties") for one in json.loads(body)["inputs"]]
        texts = [p and all(isinstance(v, str) for v in p.values()) for p in raw]
        if not all(texts) or any(i.id in self.invalid for i in given.inputs):
            return 400, {}, b'{"category": "VALIDATION_ERROR"}'
        with self.lock:
            self.calls_at_once.append(len(given.inputs))
            results, errors = [], []
            for one in given.inputs:
                if one.id in self.unknown:
                    context = {"ids": [one.id]}
                    errors.append(
                        {
                            "status": "error",
                            "category": "OBJECT_NOT_FOUND",
                            "message": "no such",
                            "context": context,
                            "links": {},
                        }
                    )
                    continue
                self.keep(Wire(one.object_write_trace_id, one.id, dict(one.properties)))
                results.append(
                    {
                        "id": one.id,
                        "properties": self.values[one.id],
                        "createdAt": _T,
                        "updatedAt": _T,
                        "archived": False,
                    }
                )
        if bad == "lose":
            return None
        answer: dict[str, Any] = {"status": "COMPLETE", "results": results, "startedAt": _T, "completedAt": _T}
        model = BatchResponseSimplePublicObject
        if errors:
            answer |= {"numErrors": len(errors), "errors": errors}
            model = BatchResponseSimplePublicObjectWithErrors
        sent = json.dumps(answer).encode()
        _as_the_sdk_reads(sent, model)  # so that this fake answers nothing that HubSpot could not
        return (207 if errors else 200), {}, sent


_T = "2026-01-01T00:00:00.000Z"


def _as_the_sdk_reads(body: bytes, model: Any) -> Any:
    class Response:
        data = body.decode()

    return ApiClient().deserialize(Response(), model.__name__)


@contextlib.contextmanager
def fake_hubspot(port: int = 0) -> Iterator[FakeHubSpot]:
    """Runs until the block ends."""
    with running_crm(FakeHubSpot(), port) as fake:
        yield fake
