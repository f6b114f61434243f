"""Scores for everyone who is no vendor of ours: a POST to their address, signed as Standard Webhooks says.

Whoever receives it verifies it with a library of their language. One message per record; its id stays the same for every
attempt. Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

from collections.abc import Sequence

import httpx
import msgspec

from serving.clock import system_us
from serving.connections.writeback import WriteBack
from serving.vendors.client import judge, make_client, trusted
from serving.vendors.outbound import Outcome, Write
from serving.vendors.ssrf_guard import PinnedTransport, Resolve, resolve
from serving.vendors.standard_webhooks.inbound import key_of, sign


class Callback:
    """See `serving.vendors.outbound.Sender`."""

    batch = 1

    def __init__(self, config: WriteBack, resolver: Resolve = resolve) -> None:
        transport = PinnedTransport(trusted(config), config.allow_networks, resolver)
        self._client = make_client(config, {}, transport)
        self._url, self._key = config.url, key_of(config.token)

    def send(self, writes: Sequence[Write]) -> Sequence[Outcome]:
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

        def post() -> httpx.Response:
            # The answer's body is nothing to us, and a large one is not read.
            with self._client.stream("POST", self._url, content=body, headers=headers) as answer:
                return answer

        judge(post)
        return [Outcome("sent")]

    def close(self) -> None:
        self._client.close()


def body_of(write: Write) -> bytes:
    """The message: `type`, `timestamp` and `data`, as the standard advises, the same bytes for every attempt."""
    data = {
        "object": write.object_type, "id": write.object_id, "entity": write.entity, "entity_id": write.entity_id,
        "model": write.model, **write.content,
    }  # fmt: skip
    return msgspec.json.encode({"type": "score.changed", "timestamp": write.content["scored_at"], "data": data})
