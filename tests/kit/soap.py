"""Salesforce as a sender: zeep, from the WSDL that Salesforce gives out, and an Ack that zeep must read as true."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
import zeep
from zeep.transports import Transport

WSDL = Path(__file__).parent / "outbound.wsdl"
ORGANIZATION = "00D30000000XxXxEAK"
OUTBOUND, SOBJECT = "{http://soap.sforce.com/2005/09/outbound}", "{urn:sobject.enterprise.soap.sforce.com}"
SESSION = "00D30000000XxXx!session.never.to.be.kept"
"""A token, where the message was told to bring one."""
Post = Callable[[str, bytes, Mapping[str, str]], "Answered"]


@dataclass
class Answered:
    """What zeep looks at of an answer."""

    status_code: int
    content: bytes
    headers: Mapping[str, str]
    encoding: str = "utf-8"


class Through(Transport):  # type: ignore[misc]
    """Sends by a function of ours in the place of a socket."""

    def __init__(self, post: Post) -> None:
        super().__init__()
        self._post = post

    def post(self, address: str, message: bytes, headers: Mapping[str, str]) -> Answered:
        return self._post(address, message, headers)


@dataclass
class Org:
    """One Salesforce organisation whose outbound message goes to `address`; over http, or by `post`."""

    address: str
    post: Post | None = None
    organization: str = ORGANIZATION
    sent: int = 0
    client: Any = field(init=False)

    def __post_init__(self) -> None:
        session = requests.Session()
        session.trust_env = False
        transport = Through(self.post) if self.post else Transport(session=session, operation_timeout=60)
        self.client = zeep.Client(str(WSDL), transport=transport)
        self._service = self.client.create_service(OUTBOUND + "NotificationBinding", self.address)

    def notify(self, *records: Mapping[str, Any], first: int | None = None) -> bool:
        """One message with a notification for each record; `first` is the number of its first notification, for an attempt
        that was made before. Returns its Ack; raises `zeep.exceptions.Error` for what is no answer."""
        number = self.sent if first is None else first
        self.sent = max(self.sent, number + len(records))
        made = [self.notification(number + n, record) for n, record in enumerate(records)]
        return bool(self._service.notifications(Notification=made, **self.head()))

    def head(self) -> dict[str, Any]:
        url = "https://example.my.salesforce.com/services/Soap/c/62.0"
        return {
            "OrganizationId": self.organization,
            "ActionId": "04k3000000000abAAA",
            "SessionId": SESSION,
            "EnterpriseUrl": url,
            "PartnerUrl": url,
        }

    def notification(self, number: int, record: Mapping[str, Any]) -> Any:
        lead = self.client.get_type(SOBJECT + "Lead")(**record)
        return self.client.get_type(OUTBOUND + "LeadNotification")(Id=f"04l{number:015d}", sObject=lead)


def at(seconds: int) -> dt.datetime:
    """A SystemModstamp: whole seconds after 2025-12-01."""
    return dt.datetime(2025, 12, 1, tzinfo=dt.UTC) + dt.timedelta(seconds=seconds)


def lead_id(number: int) -> str:
    return f"00Q{number:012d}EAA"


def changed(numbers: Sequence[int], seconds: int = 0, **fields: Any) -> list[dict[str, Any]]:
    return [{"Id": lead_id(n), "SystemModstamp": at(seconds), **fields} for n in numbers]
