"""A small HubSpot: it keeps what is written to it, judges requests by the models of HubSpot's own SDK, and can misbehave."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from hubspot.crm.contacts import ApiClient, BatchInputSimplePublicObjectBatchInput
from hubspot.crm.contacts.models import BatchResponseSimplePublicObject, BatchResponseSimplePublicObjectWithErrors

Answer = tuple[int, dict[str, str], bytes]


@dataclass
class Wire:
    """One record of one call, as it arrived."""

    key: str
    object_id: str
    properties: dict[str, str]


@dataclass
class FakeHubSpot:
    url: str = ""
    writes: list[Wire] = field(default_factory=list)
    values: dict[str, dict[str, str]] = field(default_factory=dict)
    calls: int = 0
    calls_at_once: list[int] = field(default_factory=list)
    unknown: set[str] = field(default_factory=set)
    """Record ids that there are not."""
    invalid: set[str] = field(default_factory=set)
    """Record ids whose presence makes the whole call a 400, as an invalid property does."""
    misbehave: Callable[[int], Answer | str | None] = lambda _call: None
    """Given the number of the call: an answer to give in the place of work, "drop" to hang up before, "lose" to work and
    hang up before answering, None to behave."""
    on_write: Callable[[Wire, bool], None] = lambda _wire, _changed: None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, path: str, body: bytes, authorization: str) -> Answer | None:
        with self.lock:
            self.calls += 1
            call = self.calls
        bad = self.misbehave(call)
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
                    errors.append({"status": "error", "category": "OBJECT_NOT_FOUND", "message": "no such", "context": context, "links": {}})  # fmt: skip
                    continue
                wire = Wire(one.object_write_trace_id, one.id, dict(one.properties))
                self.writes.append(wire)
                before = dict(self.values.get(one.id, {}))
                self.values.setdefault(one.id, {}).update(wire.properties)
                results.append({"id": one.id, "properties": self.values[one.id], "createdAt": _T, "updatedAt": _T, "archived": False})  # fmt: skip
                self.on_write(wire, self.values[one.id] != before)
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
    fake = FakeHubSpot()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            length = int(self.headers["content-length"])
            body = self.rfile.read(length)
            if len(body) < length:  # who asked was killed in the middle of it
                self.close_connection = True
                return
            answer = fake.answer(self.path, body, self.headers.get("authorization", ""))
            if answer is None:
                self.close_connection = True
                return
            status, headers, content = answer
            with contextlib.suppress(OSError):  # who asked may have been killed
                self.send_response(status)
                for name, value in {**headers, "content-length": str(len(content))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

        def handle(self) -> None:
            with contextlib.suppress(OSError):
                super().handle()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    fake.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
