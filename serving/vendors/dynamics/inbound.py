"""Webhooks of Dynamics 365 and Dataverse: a RemoteExecutionContext as JSON, with a key and no signature.

The key comes as the endpoint was registered: WebhookKey (`?code=...`), HttpQueryString (`?key=...`) or HttpHeader
(x-webhook-key). The organisation's id in the context is checked, because a copied environment sends to the same
address.

A context above 256 KB comes without its values (header x-ms-dynamics-msg-size-exceeded): the record then has to be
read. A choice becomes its number, a reference the id of its target, a time ISO 8601.

Source: Microsoft, "Use webhooks to create external handlers for server events" (use-webhooks.md).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from features.kit.clock import from_us, iso
from serving.strict_json import NotStrict, loads
from serving.vendors.inbound import Delivery, Effect, Event, Inbound
from serving.vendors.shared_key import has_key

GUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
CUT = "x-ms-dynamics-msg-size-exceeded"
NOBODY = "00000000-0000-0000-0000-000000000000"
_NAME = re.compile(r"[a-z][a-z0-9_]{0,127}")
_DATE = re.compile(r"/Date\((-?[0-9]{1,16})(?:[+-][0-9]{4})?\)/")
_EFFECTS: dict[str, Effect] = {
    "Create": "create",
    "CreateMultiple": "create",
    "Update": "change",
    "UpdateMultiple": "change",
    "Delete": "delete",
    "Merge": "merge",
    "Restore": "create",
}
_BOOKKEEPING = ("modifiedon", "modifiedby", "modifiedonbehalfby")


class Dynamics(Inbound):
    """See `serving.vendors.inbound.Inbound`."""

    organization = GUID

    def same(self, organization: str) -> str:
        return organization.lower()

    def verify(self, delivery: Delivery, secrets: Sequence[str], now_ms: int, older: bool = False) -> bool:
        return has_key(delivery, secrets, ("code", "key"))

    def parse(self, delivery: Delivery) -> list[Event | None]:
        try:
            content = loads(delivery.body, tolerant=True)
        except NotStrict as error:
            raise ValueError(str(error)) from None
        if not isinstance(content, dict) or not isinstance(content.get("MessageName"), str):
            raise ValueError("the body is no RemoteExecutionContext")
        if _guid(content.get("OrganizationId")) is None:
            raise ValueError("OrganizationId is not an id")
        return list(_events(content, delivery)) or [None]


def _events(content: dict[str, Any], delivery: Delivery) -> Iterator[Event | None]:
    message, entity = content["MessageName"], content.get("PrimaryEntityName")
    effect = _EFFECTS.get(message)
    if effect is None or not isinstance(entity, str) or not _NAME.fullmatch(entity):
        yield None
        return
    occurred, dedupe = _occurred_us(content), _dedupe(content, delivery.body)
    organization = content["OrganizationId"].lower()

    def event(effect: Effect, object_id: str, *more: str, **fields: Any) -> Event:
        return Event(
            (*dedupe, object_id, *more),
            f"{entity}.{message}",
            effect,
            entity,
            object_id,
            occurred,
            organization=organization,
            **fields,
        )

    given = _pairs(content.get("InputParameters"))
    targets, primary = _targets(given), _guid(content.get("PrimaryEntityId"))
    first = _guid(targets[0].get("Id")) if targets else None
    if effect == "delete":
        gone = first or primary
        yield event(effect, gone) if gone else None
        return
    if CUT in delivery.headers and not given:
        # Such a merge does not name the record that is gone: the one that remains is read.
        yield event("change", primary, truncated=True) if primary else None
        return
    if effect == "merge":
        gone = _guid(given.get("SubordinateId"))
        yield event(effect, gone, into=first) if gone and first else None
        return
    for target in targets:
        # The target of a Create has no id unless the caller gave one: it is the primary id.
        object_id = _guid(target.get("Id")) or (primary if len(targets) == 1 else None)
        if object_id is None:
            yield None
            continue
        if effect == "create":
            yield event(effect, object_id)
        for name, value in _pairs(target.get("Attributes")).items():
            if name in _BOOKKEEPING or name == f"{entity}id":
                continue
            try:
                text = text_of(value)
            except ValueError:
                yield None
                continue
            yield event("change", object_id, name, property=name, value=text)


def _guid(value: Any) -> str | None:
    good = isinstance(value, str) and GUID.fullmatch(value) and value != NOBODY
    return value.lower() if good else None


def _pairs(found: Any) -> dict[str, Any]:
    """A list of {"key": ..., "value": ...} as a dict."""
    pairs: Iterable[Any] = found if isinstance(found, list) else ()
    return {p["key"]: p.get("value") for p in pairs if isinstance(p, dict) and isinstance(p.get("key"), str)}


def _targets(given: dict[str, Any]) -> list[dict[str, Any]]:
    one, many = given.get("Target"), given.get("Targets")
    found = many.get("Entities") if isinstance(many, dict) else [one]
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _occurred_us(content: dict[str, Any]) -> int | None:
    """When it happened, in microseconds; None when the context does not say."""
    found = content.get("OperationCreatedOn")
    match = _DATE.fullmatch(found) if isinstance(found, str) else None
    milliseconds = int(match[1]) if match else 0
    return milliseconds * 1000 if 0 < milliseconds < 10**14 else None  # year 1 is .NET's null


def _dedupe(content: dict[str, Any], body: bytes) -> tuple[str | None, ...]:
    """Operation, correlation and step. A synchronous step has no operation; its retry has the same body, so the body's
    hash stands in."""
    step = content.get("OwningExtension")
    operation, correlation = content.get("OperationId"), content.get("CorrelationId")
    owner = step.get("Id") if isinstance(step, dict) else None
    if _guid(operation) is None:
        operation = hashlib.sha256(body).hexdigest()
    return (operation, *(each if isinstance(each, str) else None for each in (correlation, owner)))


def text_of(value: Any) -> str | None:
    """An attribute's value as text. Raises `ValueError` for one that has several values.

    >>> text_of({"__type": "OptionSetValue:http://schemas.microsoft.com/xrm/2011/Contracts", "Value": 7})
    '7'
    >>> text_of("/Date(1764547200000)/"), text_of("/Date(1764547200000-0700)/")
    ('2025-12-01T00:00:00Z', '2025-12-01T00:00:00Z')
    """
    if isinstance(value, dict):
        value = value.get("Value", value.get("Id"))
    if isinstance(value, (dict, list)):
        raise ValueError("more than one value")
    if isinstance(value, bool):
        return "true" if value else "false"
    match = _DATE.fullmatch(value) if isinstance(value, str) else None
    if match:
        try:
            return iso(from_us(int(match[1]) * 1000))
        except OverflowError:
            raise ValueError("a time that there is not") from None
    return None if value is None else str(value)
