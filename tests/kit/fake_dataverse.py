"""A small Dataverse: `$batch`, read strictly by Python's email package, and reading one record."""

from __future__ import annotations

import contextlib
import email
import email.policy
import json
import re
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any

from tests.kit.fake_crm import Answer, FakeCrm, Tokens, Wire, running_crm

COLUMNS: dict[str, type] = {
    "new_fit": int,
    "new_fitband": str,
    "new_probability": float,
    "new_reasons": str,
    "subject": str,
}
_LINE = re.compile(rb"PATCH (/api/data/v9\.2/leads\(([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\)) HTTP/1\.1")
_RECORD = re.compile(r"/api/data/v9\.2/leads\(([0-9a-f-]{36})\)")
_STRICT = email.policy.HTTP.clone(raise_on_defect=True)


@dataclass
class FakeDataverse(FakeCrm):
    tokens: Tokens = field(default_factory=lambda: Tokens(scope=""))
    busy: dict[str, str] = field(default_factory=dict)
    """Record ids that are answered 429, and after how many seconds they may come again."""
    records: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What a reader sees."""
    broken: bool = False
    """Answers with fewer parts than it was asked for, as a batch that was stopped does."""

    def handle(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer | None:
        if (method, path) == ("POST", "/tenant/oauth2/v2.0/token"):
            self.tokens.scope = f"{self.url}/.default"
            return self.tokens.login(headers, body)
        bad = self.begin()
        if bad == "drop":
            return None
        if isinstance(bad, tuple):
            return bad
        if not self.tokens.may(headers):
            return 401, {}, b""
        one = _RECORD.fullmatch(path)
        if method == "GET" and one:
            found = self.records.get(one[1])
            content = {"@odata.context": "x", "leadid": one[1], **found} if found is not None else _error("0x80040217")
            return (
                (200 if found is not None else 404),
                {"content-type": "application/json"},
                json.dumps(content).encode(),
            )
        if (method, path) != ("POST", "/api/data/v9.2/$batch"):
            return 404, {}, b""
        try:
            operations = read_batch(headers, body)
        except (ValueError, email.errors.MessageError) as error:
            return 400, {}, json.dumps(_error("0x0", str(error))).encode()
        if len(operations) > 1000 or any(record in self.invalid for record, _ in operations):
            return 400, {}, json.dumps(_error("0x80060891")).encode()
        answer = self._batch(operations, headers.get("prefer") == "odata.continue-on-error")
        return None if bad == "lose" else answer

    def _batch(self, operations: list[tuple[str, dict[str, Any]]], go_on: bool) -> Answer:
        parts = []
        with self.lock:
            self.calls_at_once.append(len(operations))
            for record, values in operations:
                status, more, content = self._patch(record, values)
                lines = [
                    f"HTTP/1.1 {status}",
                    *(f"{k}: {v}" for k, v in more.items()),
                    "OData-Version: 4.0",
                    "",
                    content,
                ]
                head = ["Content-Type: application/http", "Content-Transfer-Encoding: binary", "", ""]
                parts.append("\r\n".join(head) + "\r\n".join(lines))
                if not status.startswith("2") and not go_on:
                    break
        if self.broken:
            parts = parts[:-1] or parts
        boundary = f"batchresponse_{secrets.token_hex(8)}"
        sent = "".join(f"--{boundary}\r\n{part}\r\n" for part in parts) + f"--{boundary}--\r\n"
        return 200, {"content-type": f"multipart/mixed; boundary={boundary}"}, sent.encode()

    def _patch(self, record: str, values: dict[str, Any]) -> tuple[str, dict[str, str], str]:
        typed = {"Content-Type": "application/json; odata.metadata=minimal"}
        if record in self.busy:
            return (
                "429 Too Many Requests",
                {**typed, "Retry-After": self.busy[record]},
                json.dumps(_error("0x80072322")),
            )
        if record in self.unknown:
            return "404 Not Found", typed, json.dumps(_error("0x80040217"))
        for name, value in values.items():
            right = isinstance(value, COLUMNS.get(name, ())) and not isinstance(value, bool)
            if name not in COLUMNS or not (right or value is None):
                return "400 Bad Request", typed, json.dumps(_error("0x80048d19"))
        self.keep(Wire("", record, values))
        return "204 No Content", {"OData-EntityId": f"{self.url}/api/data/v9.2/leads({record})"}, ""


def read_batch(headers: Mapping[str, str], body: bytes) -> list[tuple[str, dict[str, Any]]]:
    """The operations of a batch; raises `ValueError` for anything that is not exactly as Microsoft's pages have it."""
    if body.count(b"\n") != body.count(b"\r\n"):
        raise ValueError("lines end in CRLF")
    message = email.message_from_bytes(
        b"Content-Type: %s\r\n\r\n" % headers["content-type"].encode() + body, policy=_STRICT
    )
    if (
        message.get_content_type() != "multipart/mixed"
        or not message.is_multipart()
        or message.preamble
        or message.epilogue
    ):
        raise ValueError("no multipart/mixed")
    found = []
    for part in message.iter_parts():
        assert isinstance(part, EmailMessage)
        if part.get_content_type() != "application/http" or part["content-transfer-encoding"] != "binary":
            raise ValueError("a part is application/http, binary")
        content = part.get_payload(decode=True)
        assert isinstance(content, bytes)
        line, _, rest = content.partition(b"\r\n")
        match = _LINE.fullmatch(line)
        if match is None:
            raise ValueError("no request line")
        head, _, payload = rest.partition(b"\r\n\r\n")
        inner = dict(each.split(b": ", 1) for each in head.split(b"\r\n"))
        if inner != {b"Content-Type": b"application/json; type=entry", b"If-Match": b"*"}:
            raise ValueError("headers of the operation")
        values = json.loads(payload)
        if not isinstance(values, dict) or not values:
            raise ValueError("no values")
        found.append((match[2].decode(), values))
    return found


def _error(code: str, message: str = "in words") -> dict[str, Any]:
    return {"error": {"code": code, "message": message}}


@contextlib.contextmanager
def fake_dataverse(port: int = 0) -> Iterator[FakeDataverse]:
    """Runs until the block ends."""
    with running_crm(FakeDataverse(), port) as fake:
        yield fake
