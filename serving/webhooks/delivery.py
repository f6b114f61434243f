"""What a webhook is to us, whichever vendor sent it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol


@dataclass(frozen=True)
class Delivery:
    """One request of a vendor as it came, apart from any web framework."""

    method: str
    uri: str
    """The address that the vendor called: the configured public URL with this request's path and query, as sent."""
    headers: Mapping[str, str]
    """Names in lower case. A header that came twice is left out: which one was meant cannot be known."""
    body: bytes


Effect = Literal["create", "change", "later"]


@dataclass(frozen=True)
class Event:
    """One thing that happened in a CRM, in our words."""

    dedupe: tuple[str | int | None, ...]
    """Equal for two deliveries of one event."""
    kind: str
    effect: Effect
    """create and change are worked on; later is kept in the inbox until merging and deleting are understood."""
    object_type: str
    object_id: str
    occurred_at_us: int
    property: str | None = None
    value: str | None = None
    portal_id: int | None = None


class Vendor(Protocol):
    """What a vendor's module offers."""

    object_types: Sequence[str]

    def verify(self, delivery: Delivery, secrets: Sequence[str], now_ms: int) -> bool:
        """Whether one of the secrets signed exactly this delivery, now. Never raises on what a stranger sends."""

    def parse(self, body: bytes) -> list[Event | None]:
        """The events of an authentic body, None for one that we have no use for. Raises `ValueError` when it is none."""
