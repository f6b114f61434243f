"""Webhooks v2 of Pipedrive: one event a delivery, with HTTP Basic and no signature.

A change lists in `previous` the fields that changed; only their values in `data` are taken. A new record has no
`previous` and is taken whole. Custom fields are named by their hash. A merge arrives as a delete with `merged_to_id`
and a change with `merged_from_id`: either one is enough, and the merge is stored once. (After ten failed first attempts
Pipedrive drops events for half an hour, so one of them may be missing.)

An option becomes its number, a reference the id of its target. A field with several values is skipped.

Source: Pipedrive, "Guide for Webhooks v2" and "Webhooks v2 migration guide". https://pipedrive.readme.io/docs/guide-for-webhooks-v2
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from features.sources.typed_values import time_us
from serving.strict_json import NotStrict, loads
from serving.vendors.basic_auth import CHALLENGE, LOGIN, has_login
from serving.vendors.inbound import Delivery, Effect, Event, Inbound

_ID = re.compile(r"[0-9]{1,20}|[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
"""A number; for a lead a UUID."""
_COMPANY = re.compile(r"[0-9]{1,20}")
_EFFECTS: dict[str, Effect] = {"create": "create", "change": "change", "delete": "delete"}
_BOOKKEEPING = ("id", "update_time", "custom_fields")


class Pipedrive(Inbound):
    """See `serving.vendors.inbound.Inbound`."""

    object_types = (
        "activity",
        "board",
        "deal",
        "deal_installment",
        "deal_product",
        "lead",
        "note",
        "organization",
        "person",
        "phase",
        "pipeline",
        "product",
        "project",
        "stage",
        "task",
        "user",
    )
    organization = _COMPANY
    secret = LOGIN
    challenge = CHALLENGE

    def verify(self, delivery: Delivery, secrets: Sequence[str], now_ms: int, older: bool = False) -> bool:
        return has_login(delivery, secrets)

    def parse(self, delivery: Delivery) -> list[Event | None]:
        try:
            content = loads(delivery.body, tolerant=True)
        except NotStrict as error:
            raise ValueError(str(error)) from None
        meta = content.get("meta") if isinstance(content, dict) else None
        if not isinstance(meta, dict):
            raise ValueError("the body is not a webhook: it has no meta")
        if not str(meta.get("version")).startswith("2."):
            raise ValueError("it is not a webhook of version 2.0: create it again with that version")
        company = _id(meta.get("company_id"))
        if company is None or not _COMPANY.fullmatch(company):
            raise ValueError("company_id is not an id")
        return list(_events(company, meta, content, delivery.body)) or [None]


def _events(company: str, meta: dict[str, Any], content: dict[str, Any], body: bytes) -> Iterator[Event | None]:
    effect, entity, object_id = _EFFECTS.get(str(meta.get("action"))), meta.get("entity"), _id(meta.get("entity_id"))
    if effect is None or entity not in Pipedrive.object_types or object_id is None:
        yield None
        return
    occurred = _occurred_us(meta.get("timestamp"))
    identity = (company, object_id, _identity(meta, body), occurred)

    def event(effect: Effect, *more: str, **fields: Any) -> Event:
        return Event(
            (*identity, *more),
            f"{entity}.{meta['action']}",
            effect,
            entity,
            object_id,
            occurred,
            organization=company,
            **fields,
        )

    def merge(gone: str, into: str) -> Event:
        # A merge cannot be undone, so its two records identify it, whichever half arrives.
        return Event(
            (company, gone, into), f"{entity}.merge", "merge", entity, gone, occurred, organization=company, into=into
        )

    to, merged = _id(meta.get("merged_to_id")), _id(meta.get("merged_from_id"))
    if effect == "delete":
        yield merge(object_id, to) if to is not None and to != object_id else event(effect)
        return
    if effect == "change" and merged is not None and merged != object_id:
        yield merge(merged, object_id)
    if effect == "create":
        yield event(effect)
    for name, value in _changed(content.get("data"), content.get("previous")).items():
        try:
            yield event("change", name, property=name, value=text_of(value))
        except ValueError:
            yield None


def _changed(data: Any, previous: Any) -> dict[str, Any]:
    """The present values of the fields in `previous`, or of all fields when there is no `previous`."""
    now, now_custom = _fields(data)
    if not isinstance(previous, dict):
        return {**now, **now_custom}
    before, before_custom = _fields(previous)
    known = {name: now[name] for name in before if name in now}
    # `data` leaves out a custom field without a value.
    return known | {name: now_custom.get(name) for name in before_custom}


def _fields(found: Any) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """The standard and the custom fields of a record."""
    if not isinstance(found, dict):
        return {}, {}
    custom = found.get("custom_fields")
    standard = {name: value for name, value in found.items() if name not in _BOOKKEEPING}
    return standard, custom if isinstance(custom, dict) else {}


def _id(value: Any) -> str | None:
    text = str(value) if type(value) is int or isinstance(value, str) else ""
    return text.lower() if _ID.fullmatch(text) else None


def _identity(meta: Mapping[str, Any], body: bytes) -> str:
    """Equal for every attempt of one event: the event's id. For a user that is the user's own id, so the correlation id
    is taken. With neither, the hash of the body without the number of the attempt."""
    for found in (meta.get("id"), meta.get("correlation_id")):
        if isinstance(found, str) and found and found != meta.get("entity_id"):
            return found
    return hashlib.sha256(re.sub(rb'"attempt"\s*:\s*[0-9]+', b"", body)).hexdigest()


def _occurred_us(stamp: Any) -> int | None:
    """When it happened, in microseconds, from ISO 8601, seconds (for users) or milliseconds. None for anything that is
    no time since 1970."""
    if isinstance(stamp, str) and re.fullmatch(r"[0-9]{1,13}", stamp):
        stamp = int(stamp)
    if type(stamp) is int:
        return stamp * (10**6 if stamp < 10**11 else 1000) if 0 <= stamp < 10**14 else None
    try:
        found = time_us(stamp) if isinstance(stamp, str) else None
    except ValueError:
        return None
    return found if found is None or found >= 0 else None


def text_of(value: Any) -> str | None:
    """A field's value as text: of a custom field its value, option or reference; of money the amount. Raises
    `ValueError` for a field with several values.

    >>> text_of({"type": "monetary", "value": 200, "currency": "EUR"}), text_of({"type": "enum", "id": 17}), text_of(True)
    ('200', '17', 'true')
    >>> text_of({"amount": 300, "currency": "EUR"}), text_of({"type": "text", "value": None})
    ('300', None)
    """
    if isinstance(value, dict):
        part = next((part for part in ("value", "amount", "id") if part in value), None)
        if part is None:
            raise ValueError("more than one value")
        value = value[part]
    if isinstance(value, (dict, list)):
        raise ValueError("more than one value")
    if isinstance(value, bool):
        return "true" if value else "false"
    return None if value is None else str(value)
