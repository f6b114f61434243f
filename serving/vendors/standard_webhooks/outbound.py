"""Sends scores to any other system: a POST to its address, signed as Standard Webhooks specifies.

The receiver verifies it with a library for its language. One message per record; its id is the same for every attempt. Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from features.kit.clock import system_us
from serving.vendors.destination import WriteBack
from serving.vendors.outbound import Outbound, Write, WriteResult
from serving.vendors.standard_webhooks.inbound import key_of, sign

if TYPE_CHECKING:
    import httpx

    from serving.vendors.ssrf_guard import Resolve


class Callback(Outbound):
    """See `serving.vendors.outbound.Outbound`."""

    batch = 1
    loopback_http = False
    writes_properties = False

    def __init__(self, config: WriteBack, resolver: Resolve | None = None) -> None:
        self._resolver, self._key = resolver, key_of(config.token)
        super().__init__(config)

    def open_client(self, config: WriteBack) -> httpx.Client:
        """There is no login: messages are signed. The address comes from the customer, so it is checked before it is
        called."""
        from serving.vendors.client import make_client, trusted
        from serving.vendors.ssrf_guard import PinnedTransport, resolve

        return make_client(
            config, {}, PinnedTransport(trusted(config), config.allow_networks, self._resolver or resolve)
        )

    def send(self, writes: Sequence[Write]) -> Sequence[WriteResult]:
        (write,) = writes
        seconds = system_us() // 1_000_000
        body = body_of(write)
        message_id = f"msg_{write.key}"
        headers = {
            "content-type": "application/json",
            "webhook-id": message_id,
            "webhook-timestamp": str(seconds),
            "webhook-signature": sign(self._key, message_id, seconds, body),
        }
        self.call("POST", self._config.url, content=body, headers=headers, unread=True)
        return [WriteResult("sent")]


def body_of(write: Write) -> bytes:
    """The message with `type`, `timestamp` and `data`, as the standard advises. The same bytes for every attempt."""
    data = {
        "object": write.object_type,
        "id": write.object_id,
        "entity": write.entity,
        "entity_id": write.entity_id,
        "model": write.model,
        **write.content,
    }
    return msgspec.json.encode({"type": "score.changed", "timestamp": write.content["scored_at"], "data": data})
