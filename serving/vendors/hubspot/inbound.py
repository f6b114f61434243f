"""Webhooks of HubSpot: signatures v3 (v1 and v2 for connections that ask for them) and the events of CRM objects.

Source: HubSpot, "Validating requests" and "Webhooks API". HubSpot's SDK is not used to verify: it accepts signatures
from the future, does not decode the address, and raises on text that is not ASCII.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Sequence
from typing import Any

from serving.strict_json import NotStrict, loads
from serving.vendors.inbound import Delivery, Effect, Event, Inbound

WINDOW_MS = 300_000
"""A signature is valid for five minutes before and after its time: HubSpot's rule, made two-sided."""
DECODED = {
    "3A": ":",
    "2F": "/",
    "3F": "?",
    "40": "@",
    "21": "!",
    "24": "$",
    "27": "'",
    "28": "(",
    "29": ")",
    "2A": "*",
    "2C": ",",
    "3B": ";",
}
"""The only escapes that HubSpot decodes in the address before it signs."""
_ESCAPE = re.compile("%(" + "|".join(DECODED) + ")", re.IGNORECASE)
_ID = re.compile(r"[0-9]{1,20}")
_HEX = re.compile(r"[0-9a-f]{64}")
_TIMESTAMP = re.compile(r"[0-9]{1,16}")
OBJECT_TYPE_IDS = {"0-1": "contact", "0-2": "company", "0-3": "deal", "0-5": "ticket"}
_EFFECTS: dict[str, Effect] = {
    "creation": "create",
    "propertyChange": "change",
    "restore": "create",
    "deletion": "delete",
    "merge": "merge",
    "privacyDeletion": "forget",
}


class HubSpot(Inbound):
    """See `serving.vendors.inbound.Inbound`."""

    object_types = ("contact", "company", "deal", "ticket")

    def verify(self, delivery: Delivery, secrets: Sequence[str], now_ms: int, older: bool = False) -> bool:
        if older and "x-hubspot-signature-v3" not in delivery.headers:  # a v3 signature must be valid if it is there
            return _verify_older(delivery, secrets)
        signature = delivery.headers.get("x-hubspot-signature-v3")
        timestamp = delivery.headers.get("x-hubspot-request-timestamp")
        if signature is None or timestamp is None or not _TIMESTAMP.fullmatch(timestamp):
            return False
        if abs(now_ms - int(timestamp)) > WINDOW_MS:
            return False
        try:
            # Only the canonical form: base64 has other spellings of the same bytes.
            given = base64.b64decode(signature.encode("ascii"), validate=True)
            canonical = base64.b64encode(given) == signature.encode("ascii")
        except (UnicodeEncodeError, binascii.Error, ValueError):
            return False
        signed = f"{delivery.method}{decode_uri(delivery.uri)}".encode() + delivery.body + timestamp.encode()
        good = False
        for secret in secrets:  # all secrets, so that the time does not tell which one matched
            expected = hmac.digest(secret.encode(), signed, hashlib.sha256)
            good |= hmac.compare_digest(expected, given)
        return good and canonical

    def parse(self, delivery: Delivery) -> list[Event | None]:
        try:
            content = loads(delivery.body, tolerant=True)
        except NotStrict as error:
            raise ValueError(str(error)) from None
        if not isinstance(content, list) or not all(isinstance(item, dict) for item in content):
            raise ValueError("the body is not a list of events")
        return [event for item in content for event in _events(item)]


def _verify_older(delivery: Delivery, secrets: Sequence[str]) -> bool:
    """v1 signs secret and body, v2 also method and address: a plain SHA-256 in hex that does not cover the time."""
    given = delivery.headers.get("x-hubspot-signature", "")
    address = f"{delivery.method}{delivery.uri}".encode()
    signed = {"v1": b"", "v2": address}.get(delivery.headers.get("x-hubspot-signature-version", "v1"))
    if signed is None or not _HEX.fullmatch(given):
        return False
    good = False
    for secret in secrets:
        expected = hashlib.sha256(secret.encode() + signed + delivery.body).hexdigest()
        good |= hmac.compare_digest(expected, given)
    return good


def decode_uri(uri: str) -> str:
    """The address as HubSpot signs it.

    >>> decode_uri("https://www.example.com/hook?src=hs%3Aapp%2Fv3&x=%28a%29&y=%20")
    'https://www.example.com/hook?src=hs:app/v3&x=(a)&y=%20'
    """
    return _ESCAPE.sub(lambda match: DECODED[match[1].upper()], uri)


def _events(item: dict[str, Any]) -> list[Event | None]:
    """One event, or for a merge one for each record that is gone."""
    if not str(item.get("subscriptionType", item.get("eventType"))).endswith(".merge"):
        return [_event(item)]
    remains = item.get("newObjectId") or item.get("primaryObjectId")
    merged = item.get("mergedObjectIds")
    if not _is_id(remains) or not isinstance(merged, list) or not merged or not all(_is_id(each) for each in merged):
        return [None]
    gone = {str(each) for each in [*merged, item.get("primaryObjectId")] if _is_id(each)} - {str(remains)}
    return [_event({**item, "objectId": each}, str(remains)) for each in sorted(gone)] or [None]


def _is_id(value: Any) -> bool:
    return type(value) is int or (isinstance(value, str) and _ID.fullmatch(value) is not None)


def _event(item: dict[str, Any], into: str | None = None) -> Event | None:
    kind = item.get("subscriptionType", item.get("eventType"))
    if not isinstance(kind, str) or "." not in kind:
        return None
    object_type, _, verb = kind.partition(".")
    if object_type == "object":
        object_type = OBJECT_TYPE_IDS.get(str(item.get("objectTypeId")), "")
    effect, object_id, occurred = _EFFECTS.get(verb), item.get("objectId"), item.get("occurredAt")
    if effect is None or object_type not in HubSpot.object_types:
        return None
    if not _is_id(object_id):
        return None
    if type(occurred) is not int or not 0 <= occurred < 10**14:
        return None
    name, value = item.get("propertyName"), item.get("propertyValue")
    if effect == "change" and not isinstance(name, str):
        return None
    portal = item.get("portalId")
    return Event(
        # `eventId` alone is documented as not unique.
        dedupe=tuple(
            _plain(item.get(key))
            for key in ("portalId", "subscriptionId", "eventId", "objectId", "occurredAt", "propertyName")
        ),
        kind=kind,
        effect=effect,
        object_type=object_type,
        object_id=str(object_id),
        occurred_at_us=occurred * 1000,
        property=name if effect == "change" else None,
        value=None if value is None or effect != "change" else _text(value),
        portal_id=portal if type(portal) is int else None,
        into=into,
    )


def _plain(value: Any) -> str | int | None:
    return value if value is None or isinstance(value, (str, int)) else repr(value)


def _text(value: Any) -> str:
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)
