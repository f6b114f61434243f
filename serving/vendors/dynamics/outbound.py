"""Writes scores to Dynamics 365 and Dataverse: one `$batch` with a PATCH and an answer for each record.

There is no change set, in which one bad row would undo the others. With `If-Match: *` a missing record is a 404 and is
not created. Dataverse works through a batch one record at a time: 100 (of 1,000 allowed) finish well within our
timeouts.

Source: Microsoft, "Execute batch operations using the Web API" and "Service protection API limits". The vendor has no
Python SDK for the Web API.
"""

from __future__ import annotations

import email
import email.policy
import json
import re
import secrets
from collections.abc import Mapping, Sequence
from email.message import EmailMessage
from typing import TYPE_CHECKING, ClassVar

import msgspec

from serving.strict_json import loads
from serving.vendors.calls import CallFailed, CallRefused
from serving.vendors.destination import WriteBack
from serving.vendors.dynamics.inbound import GUID, text_of
from serving.vendors.outbound import Outbound, Write, WriteResult
from serving.vendors.retry_after import retry_after

if TYPE_CHECKING:
    import httpx

API = "/api/data/v9.2"
_STATUS = re.compile(rb"HTTP/1\.1 ([1-5][0-9]{2})[^\r\n]*\r?\n")
_LOOKUP = re.compile(r"^_(.+)_value$")
_CODE = re.compile(r"[A-Za-z0-9_.]{1,40}")


class Dynamics(Outbound):
    """See `serving.vendors.outbound.Outbound`."""

    batch = 100
    login_path = ""
    strict_types = True
    headers: ClassVar[Mapping[str, str]] = {
        "Accept": "application/json",
        "OData-Version": "4.0",
        "OData-MaxVersion": "4.0",
    }

    def login_scope(self, config: WriteBack) -> str:
        return f"{config.url}/.default"

    def send(self, writes: Sequence[Write]) -> Sequence[WriteResult]:
        good = [write for write in writes if GUID.fullmatch(write.object_id)]
        outcomes = dict.fromkeys((write.key for write in writes), WriteResult("dead", "the record's id is no GUID"))
        if good:
            boundary = f"batch_{secrets.token_hex(16)}"
            headers = {"Content-Type": f"multipart/mixed; boundary={boundary}", "Prefer": "odata.continue-on-error"}
            parts = [self._part(write) for write in good]
            body = b"".join(b"--%s\r\n%s\r\n" % (boundary.encode(), part) for part in parts)
            body += b"--%s--\r\n" % boundary.encode()
            url = f"{self._config.url}{API}/$batch"
            answer = self.call("POST", url, content=body, headers=headers)
            outcomes |= dict(zip((write.key for write in good), _outcomes(len(good), answer), strict=True))
        return [outcomes[write.key] for write in writes]

    def read(self, object_type: str, object_id: str) -> Mapping[str, str | None]:
        """See `serving.vendors.outbound.Reader`. A reference is the id of its target."""
        if not GUID.fullmatch(object_id):
            raise CallRefused("the record's id is no GUID")
        url = f"{self._config.url}{API}/{entity_set(object_type)}({object_id})"
        answer = self.call("GET", url)
        try:
            fields = loads(answer.content).items()
            one = {name: value for name, value in fields if "@" not in name and not isinstance(value, (dict, list))}
            return {_LOOKUP.sub(r"\1", name): text_of(value) for name, value in one.items()}
        except (ValueError, AttributeError):
            raise CallFailed("the answer is not what the API's description says") from None

    def _part(self, write: Write) -> bytes:
        lines = (
            "Content-Type: application/http",
            "Content-Transfer-Encoding: binary",
            "",
            f"PATCH {API}/{entity_set(write.object_type)}({write.object_id}) HTTP/1.1",
            "Content-Type: application/json; type=entry",
            "If-Match: *",
            "",
        )
        return "\r\n".join(lines).encode() + b"\r\n" + msgspec.json.encode(self.values(write))


def entity_set(name: str) -> str:
    """The name of a table's entity set, by Dataverse's own rule for plurals.

    >>> [entity_set(name) for name in ("lead", "opportunity", "new_class", "new_box", "new_day")]
    ['leads', 'opportunities', 'new_classes', 'new_boxes', 'new_days']
    """
    if re.search(r"[^aeiou]y$", name):
        return name[:-1] + "ies"
    return name + ("es" if re.search(r"(?:s|x|z|ch|sh)$", name) else "s")


def _outcomes(count: int, answer: httpx.Response) -> list[WriteResult]:
    """Results in the order of the batch. A record without a part in the answer was not processed."""
    head = b"Content-Type: %s\r\n\r\n" % answer.headers.get("content-type", "").encode()
    message = email.message_from_bytes(head + answer.content, policy=email.policy.HTTP)
    parts = [part for part in message.iter_parts() if isinstance(part, EmailMessage)] if message.is_multipart() else []
    if message.get_content_type() != "multipart/mixed" or not 1 <= len(parts) <= count:
        raise CallFailed("the answer is not what the API's description says")
    found = [_outcome(part) for part in parts]
    return found + [WriteResult("retry", "not in the answer")] * (count - len(found))


def _payload(message: EmailMessage) -> bytes:
    content = message.get_payload(decode=True)
    return content if isinstance(content, bytes) else b""


def _outcome(part: EmailMessage) -> WriteResult:
    content = _payload(part)
    status = _STATUS.match(content)
    if status is None:
        raise CallFailed("the answer is not what the API's description says")
    number = int(status[1])
    if 200 <= number < 300:
        return WriteResult("sent")
    inner = email.message_from_bytes(content[status.end() :], policy=email.policy.HTTP)
    why = f"HTTP {number}"
    try:
        code = json.loads(_payload(inner))["error"]["code"]
        why += f" {code}" if _CODE.fullmatch(code) else ""
    except (ValueError, TypeError, KeyError):
        pass
    if number in (408, 423, 429) or number >= 500:
        return WriteResult("retry", why, retry_after(inner.get("retry-after")))
    return WriteResult("dead", why)
