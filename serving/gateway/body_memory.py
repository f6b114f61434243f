"""Limits the memory of all request bodies of a process; beyond the limit a request gets 503 and may come again."""

from __future__ import annotations

from typing import Any

from starlette.types import Receive

from serving.problems import Problem

FREE_BYTES = 64 * 1024
"""Bytes. A body up to this size always passes, so that large bodies never keep out the small ones."""
LARGEST_SUM = 64 * 1024 * 1024
"""Bytes of the larger bodies that are being received or worked on."""


class Memory:
    """Body memory of one process; used on its event loop only."""

    def __init__(self) -> None:
        self.held = 0

    def request(self) -> Held:
        return Held(self)


class Held:
    """Bytes that one request holds until `release`."""

    __slots__ = ("_counted", "_memory", "_size")

    def __init__(self, memory: Memory) -> None:
        self._memory, self._size, self._counted = memory, 0, 0

    def more(self, size: int) -> None:
        """Raises `Problem` 503 when the process holds too much."""
        self._size += size
        if self._size <= FREE_BYTES:
            return
        if self._memory.held + self._size - self._counted > LARGEST_SUM:
            raise Problem(503, "too_many_large_bodies", "too many large requests are at work: try again", {}, 1)
        self._memory.held += self._size - self._counted
        self._counted = self._size

    def counting(self, receive: Receive) -> Receive:
        """Wraps an ASGI `receive` and counts what it returns."""

        async def counted() -> Any:
            message = await receive()
            if message["type"] == "http.request":
                self.more(len(message.get("body", b"")))
            return message

        return counted

    def release(self) -> None:
        self._memory.held -= self._counted
        self._size = self._counted = 0
