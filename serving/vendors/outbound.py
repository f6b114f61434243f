"""Sends scores to one system: the base class of every vendor's `outbound.py`, what is to be written and what becomes of it.

Importing a vendor's `outbound.py` costs nothing: httpx (0.1 s) is imported by whoever makes a sender, which the API never does.
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
class WriteResult:
    """What the CRM said about one write."""

    state: Literal["sent", "retry", "dead"]
    why: str = ""
    """Of a failure: the vendor's code, never a value."""
    wait: float | None = None
    """Seconds that the CRM asked us to wait, where it said so for this one."""


class Outbound(ABC):
    """Sends scores to one system. One class per vendor; retries, pace, order, dead letters and the ledger of our own writes are
    not its business. The attributes say how the vendor differs; nothing else asks which vendor it is."""

    batch: int
    """Writes a call takes at most."""
    default_url: ClassVar[str | None] = None
    """Where the API is when the connection does not say; None where each customer has an address of its own."""
    loopback_http: ClassVar[bool] = True
    """Whether this machine itself may be written to without TLS."""
    login_path: ClassVar[str | None] = None
    """Where an application logs in, under the connection's `url`; empty where the connection must say `token_url`, None where
    no application logs in and the token is sent as it is."""
    finds_by_external_id: ClassVar[bool] = False
    """Whether a record can be found by a field that holds our key."""
    strict_types: ClassVar[bool] = False
    """Whether a value must be of its property's own kind; otherwise all values are texts."""
    writes_properties: ClassVar[bool] = True
    """Whether a score is written to properties that the connection names; otherwise the whole of it is sent."""
    headers: ClassVar[Mapping[str, str]] = {}
    """With every call."""

    def __init__(self, config: WriteBack) -> None:
        self._config, self._client = config, self.open_client(config)

    def open_client(self, config: WriteBack) -> httpx.Client:
        """The client of all calls: logged in as the connection says, see `serving.vendors.client`."""
        from serving.vendors.client import make_client
        from serving.vendors.oauth import login

        return make_client(config, self.headers, auth=login(config, self.login_scope(config)))

    def login_scope(self, config: WriteBack) -> str:
        """What an application asks a token for; empty where the login does not want to know."""
        return ""

    def call(self, method: str, url: str, *, locked: float = 0.0, unread: bool = False, **more: Any) -> httpx.Response:
        """One call and its answer, which is 2xx. `locked` are the seconds that a locked record (423) needs at least; the body of an
        answer that is to stay `unread` may be of any size; `more` is httpx's. Raises `CallFailed` where trying again can help,
        `CallRefused` where it cannot."""
        from serving.vendors.client import judge

        def whole() -> httpx.Response:
            return self._client.request(method, url, **more)

        def head() -> httpx.Response:
            with self._client.stream(method, url, **more) as answer:
                return answer

        return judge(head if unread else whole, locked)

    def target(self, write: Write) -> Target | None:
        """Where the write's model goes now; None where it is not written any more."""
        return self._config.models.get(write.model)

    def values(self, write: Write) -> dict[str, Any]:
        """The properties to write: texts, or of their own kind (`strict_types`): a number is no text, nothing is no empty text."""
        if not self.strict_types:
            return dict(write.properties)
        target = self.target(write)
        content = {to: write.content[part] for part, to in target.properties.items()} if target else {}
        return {to: "\n".join(value) if isinstance(value, list) else value for to, value in content.items()}

    @abstractmethod
    def send(self, writes: Sequence[Write]) -> Sequence[WriteResult]:
        """One call; a result per write, in their order. Raises `CallFailed` or `CallRefused`."""

    def close(self) -> None:
        self._client.close()


@runtime_checkable
class Reader(Protocol):
    """What an `Outbound` offers beside when its vendor can leave out what happened."""

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


def write_key(connection: str, model: str, entity_id: str, generation: int) -> str:
    """Idempotency key of one version of one record's score.

    >>> write_key("crm", "lead-fit", "lead_1", 2) == write_key("crm", "lead-fit", "lead_1", 2)
    True
    """
    return hashlib.sha256("\0".join((connection, model, entity_id, str(generation))).encode()).hexdigest()[:32]
