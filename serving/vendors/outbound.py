"""What a CRM is to us when we write to it, whichever vendor made it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from serving.connections.writeback import Target
from serving.errors import ServingError


@dataclass(frozen=True)
class Write:
    """One record's newest score, ready to be sent."""

    key: str
    """The same for every attempt to send this and for nothing else: the idempotency key."""
    model: str
    object_type: str
    object_id: str
    entity: str
    entity_id: str
    properties: Mapping[str, str]
    """Property of the CRM to its new value; an empty text empties it."""
    content: Mapping[str, object]
    """The score itself, in our words."""
    readable: bool = True
    """False where what is stored of it cannot be read."""


@dataclass(frozen=True)
class Outcome:
    """What the CRM said about one write."""

    state: Literal["sent", "retry", "dead"]
    why: str = ""
    """Of a failure: the vendor's code, never a value."""
    wait: float | None = None
    """Seconds that the CRM asked us to wait, where it said so for this one."""


class CallFailed(ServingError):
    """Raised when a whole call failed and trying again later can help: nothing is known of its writes."""

    retryable = True

    def __init__(self, why: str, retry_after: float | None = None, *, paused: bool = False) -> None:
        super().__init__(why)
        self.retry_after = retry_after
        """Seconds the CRM asked us to wait; None when it said nothing."""
        self.paused = paused
        """The CRM has not judged the writes, only our pace or our credentials: no attempt is counted."""


class CallRefused(ServingError):
    """Raised when the CRM refused a whole call for what is in it. Its writes are then halved and sent again, so that one bad
    row does not hold back the others and costs 14 calls of a hundred and not 101; one that is refused alone is dead."""

    retryable = False


class Sender(Protocol):
    """What a vendor's module offers."""

    batch: int
    """Writes a call takes at most."""

    def send(self, writes: Sequence[Write]) -> Sequence[Outcome]:
        """One call; an outcome per write, in their order. Raises `CallFailed` or `CallRefused`."""

    def close(self) -> None: ...


@runtime_checkable
class Reader(Protocol):
    """What a module offers beside `Sender` when its vendor can leave out what happened."""

    def read(self, object_type: str, object_id: str) -> Mapping[str, str | None]:
        """The record's properties as texts, as the vendor's webhooks tell them. Raises `CallFailed` or `CallRefused`."""


def one_call(writes: Sequence[Write]) -> list[Write]:
    """Those that fit into one call: of the first one's object type, and each object once. The others wait for the next."""
    first = writes[0].object_type
    chosen: dict[str, Write] = {}
    for write in writes:
        if write.object_type == first:
            chosen.setdefault(write.object_id, write)
    return list(chosen.values())


def values_of(write: Write, target: Target | None) -> dict[str, str | int | float | None]:
    """The properties with values of their own kind, for CRMs that are strict about it: a number is no text, and nothing
    is no empty text. Nothing where the model is not written any more."""
    if target is None:
        return {}
    content = {to: write.content[part] for part, to in target.properties.items()}
    return {to: "\n".join(value) if isinstance(value, list) else value for to, value in content.items()}  # type: ignore[misc]


def write_key(connection: str, model: str, entity_id: str, generation: int) -> str:
    """Idempotency key of one version of one record's score.

    >>> write_key("crm", "lead-fit", "lead_1", 2) == write_key("crm", "lead-fit", "lead_1", 2)
    True
    """
    return hashlib.sha256("\0".join((connection, model, entity_id, str(generation))).encode()).hexdigest()[:32]
