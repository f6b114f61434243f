"""Standard Webhooks: the specification's signatures, and our own simple format for events.

    {"type": "contact.updated", "timestamp": "2026-11-23T06:00:00Z",
     "data": {"object": "contact", "id": "7", "properties": {"industry": "software"}}}

`type` ends in created, updated, restored, deleted, merged or privacy_deleted; a merge has the record that remains in
`data.into`. Any library of https://www.standardwebhooks.com can send it, or svix. These libraries are not used to
verify, because they raise unexpected errors on malformed input.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Sequence
from typing import Any

from features.sources.typed_values import time_us
from serving.strict_json import NotStrict, loads
from serving.vendors.inbound import Delivery, Effect, Event, Inbound

WINDOW_SECONDS = 300
PREFIX = "whsec_"
_TIMESTAMP = re.compile(r"[0-9]{1,12}")
_SIGNATURE = re.compile(r"v[0-9]a?,[A-Za-z0-9+/=]{1,512}")
_MESSAGE_ID = re.compile(r"[\x21-\x7e]{1,256}")
_EFFECTS: dict[str, Effect] = {
    "created": "create",
    "updated": "change",
    "restored": "create",
    "deleted": "delete",
    "merged": "merge",
    "privacy_deleted": "forget",
}
MAX_SIGNATURES = 10


def key_of(secret: str) -> bytes:
    """The key in a `whsec_...` secret; any other text is itself the key.

    >>> key_of("whsec_c2VjcmV0"), key_of("secret")
    (b'secret', b'secret')
    """
    if secret.startswith(PREFIX):
        try:
            return base64.b64decode(secret.removeprefix(PREFIX), validate=True)
        except (binascii.Error, ValueError):
            pass
    return secret.encode()


def sign(key: bytes, message_id: str, seconds: int, body: bytes) -> str:
    """The value of `webhook-signature`.

    >>> sign(key_of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330,
    ...      b'{"test": 2432232314}')
    'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE='
    """
    return "v1," + base64.b64encode(_digest(key, message_id, str(seconds), body)).decode()


def _digest(key: bytes, message_id: str, seconds: str, body: bytes) -> bytes:
    return hmac.digest(key, f"{message_id}.{seconds}.".encode() + body, hashlib.sha256)


class StandardWebhooks(Inbound):
    """See `serving.vendors.inbound.Inbound`."""

    def verify(self, delivery: Delivery, secrets: Sequence[str], now_ms: int, older: bool = False) -> bool:
        names = ("webhook-id", "webhook-timestamp", "webhook-signature")
        found = [delivery.headers.get(name) for name in names]
        if all(value is None for value in found):
            found = [delivery.headers.get(name.replace("webhook", "svix")) for name in names]
        message_id, timestamp, signatures = found
        if message_id is None or timestamp is None or signatures is None:
            return False
        if not _MESSAGE_ID.fullmatch(message_id) or not _TIMESTAMP.fullmatch(timestamp):
            return False
        if abs(now_ms - int(timestamp) * 1000) > WINDOW_SECONDS * 1000:
            return False
        listed = signatures.split(" ", MAX_SIGNATURES)
        if len(listed) > MAX_SIGNATURES or not all(_SIGNATURE.fullmatch(each) for each in listed):
            return False
        given = [each.removeprefix("v1,") for each in listed if each.startswith("v1,")]
        good = False
        for secret in secrets:
            expected = base64.b64encode(_digest(key_of(secret), message_id, timestamp, delivery.body))
            for each in given:  # all pairs, so that the time does not tell which one matched
                good |= hmac.compare_digest(expected, each.encode())
        return good

    def parse(self, delivery: Delivery) -> list[Event | None]:
        try:
            content = loads(delivery.body, tolerant=True)
        except NotStrict as error:
            raise ValueError(str(error)) from None
        if not isinstance(content, dict):
            raise ValueError("the body is not an object with type, timestamp and data")
        message_id = delivery.headers.get("webhook-id") or delivery.headers.get("svix-id") or ""
        return _events(message_id, content)


def _events(message_id: str, content: dict[str, Any]) -> list[Event | None]:
    kind, stamp, data = content.get("type"), content.get("timestamp"), content.get("data")
    if not isinstance(kind, str) or not isinstance(data, dict):
        return [None]
    effect = _EFFECTS.get(kind.rpartition(".")[2])
    object_type, object_id, properties = data.get("object"), data.get("id"), data.get("properties", {})
    if type(object_id) is int:
        object_id = str(object_id)
    try:
        occurred = time_us(stamp) if isinstance(stamp, str) else None
    except ValueError:
        occurred = None
    if effect is None or occurred is None or not isinstance(object_type, str) or not isinstance(properties, dict):
        return [None]
    if not isinstance(object_id, str) or not 0 < len(object_id) <= 200:
        return [None]
    into = data.get("into")
    if effect == "merge" and not (isinstance(into, str) and 0 < len(into) <= 200):
        return [None]
    if effect not in ("create", "change"):
        return [Event((message_id,), kind, effect, object_type, object_id, occurred, into=into)]
    found: list[Event | None] = []
    if effect == "create":
        found.append(Event((message_id,), kind, effect, object_type, object_id, occurred))
    for name, value in properties.items():
        if isinstance(value, (dict, list)):
            found.append(None)
            continue
        text = (
            None if value is None else {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)
        )
        found.append(Event((message_id, name), kind, "change", object_type, object_id, occurred, name, text))
    return found or [None]
