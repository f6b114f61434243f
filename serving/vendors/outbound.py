"""Sends scores to one CRM: the base class of every vendor's `outbound.py`, with `Write` and `WriteResult`.

A vendor's `outbound.py` does not import httpx (0.1 s): it is imported when a sender is made, which the API never does.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, runtime_checkable

from serving.vendors.destination import Target, WriteBack

if TYPE_CHECKING:
    import httpx


@dataclass(frozen=True)
class Write:
    """One record's newest score, ready to be sent."""

    key: str
    """The idempotency key: the same for every attempt to send this write."""
    model: str
    object_type: str
    object_id: str
    entity: str
    entity_id: str
    properties: Mapping[str, str]
    """From the CRM's property to its new value as text; an empty text empties it."""
    content: Mapping[str, object]
    """The whole score, by our names: score, band, probability, reasons, scored_at, version and more."""
    readable: bool = True
    """False when the stored row is damaged."""


@dataclass(frozen=True)
class WriteResult:
    """The CRM's answer for one write."""

    state: Literal["sent", "retry", "dead"]
    why: str = ""
    """Of a failure the vendor's code; never a value."""
    wait: float | None = None
    """Seconds that the CRM asked us to wait for this write; None when it did not say."""


class Outbound(ABC):
    """Sends scores to one CRM. One class per vendor; retries, rate limits, order, dead letters and the ledger of our
    own writes are not its business. The attributes say how the vendor differs: no other code asks for its name."""

    batch: int
    """The most writes in one call."""
    default_url: ClassVar[str | None] = None
    """The API's address when the connection has no `url`; None where each customer has an address of its own."""
    loopback_http: ClassVar[bool] = True
    """Whether http:// is allowed for loopback addresses."""
    login_path: ClassVar[str | None] = None
    """Path below the connection's `url` at which an application logs in. Empty where the connection must have a
    `token_url`; None where the token is sent as it is."""
    finds_by_external_id: ClassVar[bool] = False
    """Whether a record can be found by a field that holds our key."""
    strict_types: ClassVar[bool] = False
    """Whether values must have the property's type; otherwise all are sent as texts."""
    writes_properties: ClassVar[bool] = True
    """Whether the score is written to properties that the connection names; otherwise the whole score is sent."""
    headers: ClassVar[Mapping[str, str]] = {}
    """Headers of every call."""

    def __init__(self, config: WriteBack) -> None:
        self._config, self._client = config, self.open_client(config)

    def open_client(self, config: WriteBack) -> httpx.Client:
        """The client for all calls, logged in with the connection's token or application."""
        from serving.vendors.client import make_client
        from serving.vendors.oauth import login

        return make_client(config, self.headers, auth=login(config, self.login_scope(config)))

    def login_scope(self, config: WriteBack) -> str:
        """The OAuth scope of a token; empty where the login needs none."""
        return ""

    def call(self, method: str, url: str, *, locked: float = 0.0, unread: bool = False, **more: Any) -> httpx.Response:
        """One call and its 2xx answer. `locked` is the least wait in seconds for a locked record (423). With `unread`
        the body is not read, whatever its size. `more` goes to httpx. Raises `CallFailed` where a retry can help,
        `CallRefused` where it cannot."""
        from serving.vendors.client import judge

        def whole() -> httpx.Response:
            return self._client.request(method, url, **more)

        def head() -> httpx.Response:
            with self._client.stream(method, url, **more) as answer:
                return answer

        return judge(head if unread else whole, locked)

    def target(self, write: Write) -> Target | None:
        """The target of the write's model; None when the connection no longer writes it."""
        return self._config.models.get(write.model)

    def values(self, write: Write) -> dict[str, Any]:
        """The properties to write: as texts, or with `strict_types` as numbers, texts and None."""
        if not self.strict_types:
            return dict(write.properties)
        target = self.target(write)
        content = {to: write.content[part] for part, to in target.properties.items()} if target else {}
        return {to: "\n".join(value) if isinstance(value, list) else value for to, value in content.items()}

    @abstractmethod
    def send(self, writes: Sequence[Write]) -> Sequence[WriteResult]:
        """Send the writes in one call. Returns a result for each, in the same order. Raises `CallFailed` or
        `CallRefused`."""

    def close(self) -> None:
        self._client.close()


@runtime_checkable
class Reader(Protocol):
    """An `Outbound` that can read a record, for a vendor whose webhooks may be truncated."""

    def read(self, object_type: str, object_id: str) -> Mapping[str, str | None]:
        """The record's properties as texts, spelled as in the vendor's webhooks. Raises `CallFailed` or `CallRefused`."""


def one_call(writes: Sequence[Write]) -> list[Write]:
    """The writes that fit into one call: those of the first one's object type, and each object once."""
    first = writes[0].object_type
    chosen: dict[str, Write] = {}
    for write in writes:
        if write.object_type == first:
            chosen.setdefault(write.object_id, write)
    return list(chosen.values())


def write_key(connection: str, model: str, entity_id: str, generation: int) -> str:
    """Idempotency key of one version of one record's score.

    >>> write_key("crm", "lead-fit", "lead_1", 2) == write_key("crm", "lead-fit", "lead_1", 2)
    True
    """
    return hashlib.sha256("\0".join((connection, model, entity_id, str(generation))).encode()).hexdigest()[:32]
