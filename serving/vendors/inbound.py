"""Takes webhooks of one system: the base class of every vendor's `inbound.py`, and what a delivery and an event are."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal


@dataclass(frozen=True)
class Delivery:
    """One request of a vendor as it came, apart from any web framework."""

    method: str
    uri: str
    """The address that the vendor called: the configured public URL with this request's path and query, as sent."""
    headers: Mapping[str, str]
    """Names in lower case. A header that came twice is left out: which one was meant cannot be known."""
    body: bytes


@dataclass(frozen=True)
class Answer:
    """What a vendor wants to hear once its events are durable."""

    status: int = 204
    body: bytes = b""
    media_type: str | None = None


Effect = Literal["create", "change", "delete", "merge", "forget"]


@dataclass(frozen=True)
class Event:
    """One thing that happened in a CRM, in our words."""

    dedupe: tuple[str | int | None, ...]
    """Equal for two deliveries of one event."""
    kind: str
    effect: Effect
    """create also brings a deleted record back; forget is a deletion for privacy, for good."""
    object_type: str
    object_id: str
    occurred_at_us: int | None
    """None when the vendor does not say: then it is when it arrived."""
    property: str | None = None
    value: str | None = None
    portal_id: int | None = None
    into: str | None = None
    """Of a merge: the record that remains; `object_id` is one that is gone."""
    organization: str | None = None
    """The customer at the vendor, where the vendor's word for it is all that says who sends."""
    truncated: bool = False
    """What happened was too large to be told: the record is to be read from the CRM."""


@dataclass(frozen=True)
class Form:
    """What a text must look like, for a program and in words."""

    pattern: re.Pattern[str]
    rule: str


class Inbound(ABC):
    """Verifies and reads the webhooks of one system. One class per vendor; storing, answering and counting are not its
    business. The attributes say how the vendor differs; nothing else asks which vendor it is."""

    object_types: ClassVar[Sequence[str]] = ()
    """Kinds of object there are; empty where the sender names them."""
    answer: ClassVar[Answer] = Answer()
    challenge: ClassVar[str | None] = None
    """`WWW-Authenticate` of a refusal, for vendors that log in by HTTP."""
    largest_body: ClassVar[int] = 1024 * 1024
    """Bytes; a delivery of HubSpot has at most 100 events of some hundred bytes."""
    organization: ClassVar[re.Pattern[str] | None] = None
    """The form of an organisation's id, for vendors whose events name one; a connection then lists those that may send."""
    secret: ClassVar[Form] = Form(re.compile(r".{16,}", re.DOTALL), "a secret has at least 16 characters")
    """Of a connection's secrets."""

    def same(self, organization: str) -> str:
        """The one spelling of an organisation's id that has several."""
        return organization

    @abstractmethod
    def verify(self, delivery: Delivery, secrets: Sequence[str], now_ms: int, older: bool = False) -> bool:
        """Whether one of the secrets signed exactly this delivery, now. Never raises on what a stranger sends.

        `older` also takes the vendor's older ways of signing, which say nothing of the time.
        """

    @abstractmethod
    def parse(self, delivery: Delivery) -> list[Event | None]:
        """The events of an authentic delivery, None for one that we have no use for. Raises `ValueError` when it is none."""
