"""Outbound Messages of Salesforce: SOAP with up to 100 notifications, each with the record as it is now. No signature.

They are secured by a key, in the endpoint's address (`?key=...`) or in a header that a proxy adds after it checked the
client certificate, and by the list of organisations: a sandbox copied from production sends to the same address.

A message has the record's fields at the time of sending, not what changed, and may come twice or late. Select
SystemModstamp (or LastModifiedDate) among its fields; without it the time of arrival is used. If IsDeleted and
MasterRecordId are selected, they tell deletions and merges.

Source: Salesforce, "SOAP API Developer Guide: Outbound Messaging". https://developer.salesforce.com/docs/atlas.en-us.api.meta/api/sforce_api_om_outboundmessaging.htm
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from features.sources.typed_values import time_us
from serving.vendors.inbound import Answer, Delivery, Event, Inbound
from serving.vendors.shared_key import has_key

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element  # nosec B405

SOAP = "{http://schemas.xmlsoap.org/soap/envelope/}"
OUTBOUND = "{http://soap.sforce.com/2005/09/outbound}"
XSI = "{http://www.w3.org/2001/XMLSchema-instance}"
ACK = (
    b'<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body>'
    b'<notificationsResponse xmlns="http://soap.sforce.com/2005/09/outbound"><Ack>true</Ack></notificationsResponse>'
    b"</soapenv:Body></soapenv:Envelope>"
)
"""After any other answer Salesforce sends the whole message again, for 24 hours."""
MOST_NOTIFICATIONS = 100
DEEPEST = 16
"""A message is nested 6 deep, 7 with a compound field."""
ID = re.compile(r"[A-Za-z0-9]{15}|[A-Za-z0-9]{18}")
_FIELD = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,99}")
_BOOKKEEPING = ("Id", "SystemModstamp", "LastModifiedDate", "IsDeleted", "MasterRecordId")
_SUFFIX = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"


class Salesforce(Inbound):
    """See `serving.vendors.inbound.Inbound`."""

    answer = Answer(200, ACK, "text/xml; charset=utf-8")
    largest_body = 4 * 1024 * 1024  # 100 records with their long texts
    organization = re.compile(r"00D(?:[A-Za-z0-9]{12}|[A-Za-z0-9]{15})")

    def verify(self, delivery: Delivery, secrets: Sequence[str], now_ms: int, older: bool = False) -> bool:
        return has_key(delivery, secrets, ("key",))

    def parse(self, delivery: Delivery) -> list[Event | None]:
        notifications = _child(_child(_root(delivery.body), SOAP + "Body"), OUTBOUND + "notifications")
        organization = _text(_child(notifications, OUTBOUND + "OrganizationId"))
        if organization is None or not ID.fullmatch(organization):
            raise ValueError("OrganizationId is not an id")
        found = notifications.findall(OUTBOUND + "Notification")
        if not 1 <= len(found) <= MOST_NOTIFICATIONS:
            raise ValueError(f"a message has 1 to {MOST_NOTIFICATIONS} notifications")
        return [event for each in found for event in _events(each, self.same(organization))]

    def same(self, organization: str) -> str:
        return long_id(organization)


def long_id(short: str) -> str:
    """The 18-character form of a 15-character id, whose case matters: the capitals of each five characters are encoded
    in one more.

    >>> long_id("001A0000006Vm9r")
    '001A0000006Vm9rIAC'
    """
    if len(short) != 15:
        return short
    fives = (short[start : start + 5] for start in (0, 5, 10))
    return short + "".join(_SUFFIX[sum(c.isupper() << n for n, c in enumerate(five))] for five in fives)


def _root(body: bytes) -> Element:
    """The root of a document. Raises `ValueError` for one with a DTD, nested too deeply, or not a SOAP envelope."""
    # Only builds the tree; the defused parser parses.
    from xml.etree.ElementTree import TreeBuilder  # nosec B405

    from defusedxml.ElementTree import DefusedXMLParser, ParseError

    class Shallow(TreeBuilder):
        depth = 0

        def start(self, tag: Any, attrs: Any, /) -> Any:
            self.depth += 1
            if self.depth > DEEPEST:
                raise ValueError("the XML is nested too deeply")
            return super().start(tag, attrs)

        def end(self, tag: Any, /) -> Any:
            self.depth -= 1
            return super().end(tag)

    parser = DefusedXMLParser(target=Shallow(), forbid_dtd=True)
    try:
        parser.feed(body)
        root: Element = parser.close()
    except ParseError as error:
        raise ValueError(f"the body is no XML: {error}") from None
    except LookupError:
        raise ValueError("the body is in an encoding that there is not") from None
    if root.tag != SOAP + "Envelope":
        raise ValueError("the body is no SOAP envelope")
    return root


def _child(element: Element, tag: str) -> Element:
    found = element.findall(tag)
    if len(found) != 1:
        raise ValueError(f"{tag.rpartition('}')[2]} is there {len(found)} times")
    return found[0]


def _text(element: Element | None) -> str | None:
    """None for an element that is absent, nil or empty."""
    if element is None or element.get(XSI + "nil") in ("true", "1"):
        return None
    return element.text or None


def _events(notification: Element, organization: str) -> Iterator[Event | None]:
    """One event for each field, or one for a deleted record."""
    number, record = _text(notification.find(OUTBOUND + "Id")), notification.find(OUTBOUND + "sObject")
    if number is None or record is None:
        yield None
        return
    object_type = record.get(XSI + "type", "").rpartition(":")[2]
    fields = {each.tag.rpartition("}")[2]: each for each in record}
    held = {name: _text(fields.get(name)) for name in _BOOKKEEPING}
    stamp, record_id = held["SystemModstamp"] or held["LastModifiedDate"], held["Id"]
    try:
        occurred = time_us(stamp) if stamp else None
    except ValueError:
        occurred = None
    if record_id is None or not ID.fullmatch(record_id) or not object_type or (occurred is not None and occurred < 0):
        yield None
        return
    # The notification's id is the same for all attempts, but a later attempt may have a later state: hence the time.
    dedupe, kind = (number, occurred), f"{object_type}.notified"
    if held["IsDeleted"] == "true":
        into = held["MasterRecordId"]
        merged = into is not None and ID.fullmatch(into) is not None
        yield Event(
            dedupe,
            kind,
            "merge" if merged else "delete",
            object_type,
            long_id(record_id),
            occurred,
            organization=organization,
            into=long_id(into) if into and merged else None,
        )
        return
    for name, element in fields.items():
        if name in _BOOKKEEPING:
            continue
        if len(element) or not _FIELD.fullmatch(name):  # a compound field; its parts are also sent as fields
            yield None
            continue
        yield Event(
            (*dedupe, name),
            kind,
            "change",
            object_type,
            long_id(record_id),
            occurred,
            name,
            _text(element),
            organization=organization,
        )
