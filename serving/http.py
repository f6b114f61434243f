"""Reading a body with a limit, on plain ASGI: shared by the hot path and by the FastAPI routes."""

from __future__ import annotations

from typing import Any

from starlette.types import Receive, Scope

from serving.problems import Problem


class ClientGone(Exception):
    """Raised when the client closed the connection before its body was whole; there is nobody to answer."""


async def read_body(scope: Scope, receive: Receive, limit: int) -> bytes:
    """The raw bytes, counted while they arrive. Raises `Problem` 413 above `limit`, `ClientGone` when cut off."""
    declared = header(scope, b"content-length")
    if declared is not None and declared.isdigit() and int(declared) > limit:
        raise too_large(limit)
    message: Any = await receive()
    if message["type"] != "http.request":
        raise ClientGone
    body: bytes = message.get("body", b"")
    if not message.get("more_body", False):
        if len(body) > limit:
            raise too_large(limit)
        return body
    parts, size = [body], len(body)
    while message.get("more_body", False):
        message = await receive()
        if message["type"] != "http.request":
            raise ClientGone
        part = message.get("body", b"")
        size += len(part)
        if size > limit:
            raise too_large(limit)
        parts.append(part)
    return b"".join(parts)


def header(scope: Scope, name: bytes) -> bytes | None:
    """The value of a header that is there exactly once; None when it is absent or repeated."""
    found = [value for key, value in scope["headers"] if key == name]
    return found[0] if len(found) == 1 else None


def too_large(limit: int) -> Problem:
    return Problem(413, "body_too_large", f"the body is larger than {limit:,} bytes: send fewer records at a time")
