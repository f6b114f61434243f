"""Inflates gzip request bodies up to a limit: ten kilobytes can unfold to gigabytes."""

from __future__ import annotations

import zlib
from typing import Any

from starlette.types import Receive, Scope

from serving.http import read_body, too_large
from serving.problems import Problem

_GZIP = 16 + zlib.MAX_WBITS


def inflate(data: bytes, limit: int) -> bytes:
    """The content of a gzip body. Raises `Problem` 413 when it has more than `limit` bytes, 400 when it is not gzip.

    Never holds more than `limit` and a byte of it.
    """
    reader = zlib.decompressobj(_GZIP)
    try:
        content = reader.decompress(data, limit + 1)
    except zlib.error:
        raise Problem(400, "not_gzip", "the body is not the gzip that Content-Encoding says") from None
    if len(content) > limit:
        raise too_large(limit)
    if not reader.eof or reader.unused_data:
        raise Problem(400, "not_gzip", "the gzip body is cut off, or something follows it")
    return content


async def inflated(scope: Scope, receive: Receive, encoding: bytes, limit: int) -> tuple[Scope, bytes]:
    """Returns the scope without its content coding, and the inflated body. Raises `Problem` 415 for any coding but
    gzip.
    """
    coding = encoding.strip().lower()
    if coding not in (b"gzip", b"x-gzip", b"identity"):
        raise Problem(415, "unknown_encoding", "Content-Encoding is gzip, identity or left out")
    body = await read_body(scope, receive, limit)
    if coding != b"identity":
        body = inflate(body, limit)
    kept = [pair for pair in scope["headers"] if pair[0] not in (b"content-encoding", b"content-length")]
    return {**scope, "headers": [*kept, (b"content-length", b"%d" % len(body))]}, body


def once(body: bytes) -> Receive:
    """An ASGI `receive` that returns a body which was read before."""
    given = False

    async def receive() -> Any:
        nonlocal given
        if given:
            return {"type": "http.disconnect"}
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive
