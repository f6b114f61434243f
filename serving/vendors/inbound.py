"""Receives webhooks from one CRM: the base class of every vendor's `inbound.py`, with `Delivery` and `Event`."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal


@dataclass(frozen=True)
class Delivery:
    """One request of a vendor, independent of the web framework."""

    method: str
    uri: str
    """The address that the vendor called: the configured public URL with this request's path and query, as sent."""
    headers: Mapping[str, str]
    """Names in lower case. A repeated header is left out: nobody can know which one was meant."""
    body: bytes


@dataclass(frozen=True)
class Answer:
    """The answer that a vendor expects once its events are stored."""

    status: int = 204
    body: bytes = b""
    media_type: str | None = None


Effect = Literal["create", "change", "delete", "merge", "forget"]


@dataclass(frozen=True)
class Event:
    """One event of a CRM, in our terms."""

    dedupe: tuple[str | int | None, ...]
    """Equal for every delivery of the same event."""
    kind: str
    effect: Effect
    """create also restores a deleted record. forget is a permanent deletion for privacy."""
    object_type: str
    object_id: str
    occurred_at_us: int | None
    """Microseconds since 1970 UTC. None when the vendor does not say: then the time of arrival is used."""
    property: str | None = None
    value: str | None = None
    portal_id: int | None = None
    into: str | None = None
    """The record that remains after a merge. `object_id` is one that is gone."""
    organization: str | None = None
    """The customer's id at the vendor, for vendors that sign nothing: with the key it says who sends."""
    truncated: bool = False
    """The message was too large to have the values: the record has to be read from the CRM."""


@dataclass(frozen=True)
class Form:
    """The form of a text, as a pattern and in words."""

    pattern: re.Pattern[str]
    rule: str


class Inbound(ABC):
    """Verifies and parses the webhooks of one CRM. One class per vendor; storing, answering and counting are not its
    business. The attributes say how the vendor differs: no other code asks for its name."""

    object_types: ClassVar[Sequence[str]] = ()
    """The vendor's types of object; empty where the sender names them freely."""
    answer: ClassVar[Answer] = Answer()
    challenge: ClassVar[str | None] = None
    """The `WWW-Authenticate` header of a refusal, for vendors that log in by HTTP."""
    largest_body: ClassVar[int] = 1024 * 1024
    """In bytes. A delivery of HubSpot has at most 100 events of some hundred bytes."""
    organization: ClassVar[re.Pattern[str] | None] = None
    """The form of an organisation's id, for vendors that sign nothing. A connection then lists those that may send."""
    secret: ClassVar[Form] = Form(re.compile(r".{16,}", re.DOTALL), "a secret has at least 16 characters")
    """The form of a connection's secrets."""

    def same(self, organization: str) -> str:
        """The canonical spelling of an organisation's id."""
        return organization

    @abstractmethod
    def verify(self, delivery: Delivery, secrets: Sequence[str], now_ms: int, older: bool = False) -> bool:
        """Whether one of the secrets signed this delivery within the last minutes (`now_ms`, milliseconds since 1970).
        Never raises, whatever a stranger sends.

        `older` also accepts the vendor's older signatures, which do not cover the time.
        """

    @abstractmethod
    def parse(self, delivery: Delivery) -> list[Event | None]:
        """The events of an authentic delivery, with None for each that we have no use for. Raises `ValueError` when the
        body is not of the vendor's format."""
